//! What answers: the router's dnsmasq, TLS and QUIC servers, and the ends of conversations that are played over real sockets.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::network::{Network, SEGMENTS, outside};
use super::{Namespace, Process, quic, wait_for};
use crate::dns;
use crate::wire::Side;

/// Names and the servers where they live, by the last byte of the address. What is ordinary shares no server with what is not.
pub const NAMES: [(&str, u8); 11] = [
    ("szlong.weixin.qq.com", TLS),
    ("web.wechat.com", WEB),
    ("dns.weixin.qq.com", NEWDNS),
    ("szshort.weixin.qq.com", MMTLS),
    ("szquic.weixin.qq.com", QUIC),
    ("mail.example.org", WORK),
    ("canary-dns.example.org", PLAIN),
    ("canary-sni.example.org", PLAIN),
    ("canary-brief.example.org", PLAIN),
    ("canary-quic.example.org", PLAIN),
    ("canary-host.example.org", PLAIN),
];

const PLAIN: u8 = 10;
const WORK: u8 = 20;
const TLS: u8 = 30;
const WEB: u8 = 40;
const NEWDNS: u8 = 50;
/// The front end of long and short links.
pub const MMTLS: u8 = 60;
const QUIC: u8 = 70;

/// The servers; they end with it.
#[derive(Debug)]
pub struct Internet {
    /// The certificate of every server, which clients are told to trust.
    pub certificate: PathBuf,
    _programs: Vec<Process>,
    _quic: quic::Server,
}

impl Internet {
    /// Starts everything that answers, and waits until it does.
    ///
    /// # Panics
    /// When a server does not start within five seconds.
    pub fn start(network: &Network) -> Self {
        let dir = network.dir();
        let (certificate, key) = certify(dir);
        let tls = [PLAIN, WORK, TLS, WEB].map(|last| s_server(network, last, &certificate, &key));
        let quic = quic::Server::start(&network.internet, &[PLAIN, QUIC].map(|l| (outside(l), 443).into()), &certificate, &key);
        let programs = tls.into_iter().chain([dnsmasq(network)]).collect();
        for last in [PLAIN, WORK, TLS, WEB] {
            let answers = || network.internet.run(|| TcpStream::connect((outside(last), 443)).ok());
            drop(wait_for("a TLS server", Duration::from_secs(5), answers));
        }
        let router = Ipv4Addr::from([SEGMENTS[0][0], SEGMENTS[0][1], SEGMENTS[0][2], 1]);
        wait_for("dnsmasq", Duration::from_secs(5), || resolve(&network.router, router, NAMES[0].0).ok());
        Internet { certificate, _programs: programs, _quic: quic }
    }
}

/// One certificate for all names, made by openssl.
fn certify(dir: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
    let names: Vec<String> = NAMES.iter().map(|(name, _)| format!("DNS:{name}")).collect();
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=lab"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &format!("subjectAltName={}", names.join(","))]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let done = openssl.stderr(Stdio::piped()).output().expect("openssl starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (certificate, key)
}

fn s_server(network: &Network, last: u8, certificate: &Path, key: &Path) -> Process {
    let mut command = network.internet.command("openssl");
    command.args(["s_server", "-quiet", "-www", "-accept", &format!("{}:443", outside(last))]);
    command.arg("-cert").arg(certificate).arg("-key").arg(key);
    Process::start(command, &network.dir().join("s_server.log"))
}

fn dnsmasq(network: &Network) -> Process {
    let hosts = network.dir().join("hosts");
    let mut text = String::new();
    for (name, last) in NAMES {
        let _ = writeln!(text, "{} {name}", outside(last));
    }
    fs::write(&hosts, text).expect("the hosts file");
    let mut command = network.router.command("dnsmasq");
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv", "--no-hosts", "--no-ping"]);
    command.args(["--interface=lan0", "--bind-interfaces", "--dhcp-authoritative", "--log-facility=-"]);
    command.arg(format!("--addn-hosts={}", hosts.display()));
    command.arg(format!("--dhcp-leasefile={}", network.dir().join("leases").display()));
    for [a, b, c] in SEGMENTS {
        command.arg(format!("--dhcp-range={a}.{b}.{c}.0,static,255.255.255.0,2h"));
    }
    for host in &network.hosts {
        command.arg(format!("--dhcp-host={},{}", host.place.mac, host.place.v4));
    }
    Process::start(command, &network.dir().join("dnsmasq.log"))
}

/// The address of a name, asked of a resolver by a datagram.
///
/// # Errors
/// When no address comes back within a second.
pub fn resolve(from: &Namespace, resolver: Ipv4Addr, name: &str) -> io::Result<Ipv4Addr> {
    const A: u16 = 1;
    let socket = from.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect((resolver, 53))?;
    socket.send(&dns::query(0x4c41, name, A))?;
    let mut answer = [0; 512];
    let len = socket.recv(&mut answer)?;
    // One question, one answer without anything behind it: the address stands at the end.
    let count = u16::from_be_bytes([answer[6], answer[7]]);
    let end: Option<[u8; 4]> = answer[..len].last_chunk().copied();
    end.filter(|_| count == 1).map(Ipv4Addr::from).ok_or_else(|| io::Error::other(format!("{name}: {count} answers")))
}

/// Plays a conversation over a real connection: both ends say their lines, each after it has heard all that came before.
///
/// # Errors
/// When the network fails or a line does not arrive within five seconds.
pub fn converse(client: &Namespace, server: &Namespace, to: SocketAddr, lines: &[(Side, Vec<u8>)]) -> io::Result<()> {
    let listener = server.run(|| TcpListener::bind(to))?;
    let near = client.run(|| TcpStream::connect(to))?;
    let far = listener.accept()?.0;
    for end in [&near, &far] {
        end.set_read_timeout(Some(Duration::from_secs(5)))?;
        end.set_nodelay(true)?;
    }
    for (from, line) in lines {
        let (mut mouth, mut ear) = if *from == Side::Client { (&near, &far) } else { (&far, &near) };
        mouth.write_all(line)?;
        ear.read_exact(&mut vec![0; line.len()])?;
    }
    Ok(())
}
