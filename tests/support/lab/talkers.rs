//! Who talks: hosts that get a lease, look names up and use real programs, and the app over real sockets.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::internet::{MMTLS, converse, resolve};
use super::network::{Host, Network, outside};
use super::{now, quic};
use crate::mmtls::{self, Installation, Start};
use crate::newgetdns;
use crate::prng::Prng;
use crate::wire::Side;

/// What a lease does to a host.
const LEASED: &str = r#"#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace "$ip/$mask" dev "$interface" && ip route replace default via "$router"
"#;

/// A host that is plugged in, with what it may use.
#[derive(Clone, Copy, Debug)]
pub struct Talker<'n> {
    /// The network.
    pub network: &'n Network,
    /// The host.
    pub host: &'n Host,
    /// The certificate that it trusts.
    pub certificate: &'n Path,
}

fn run(mut command: Command) -> io::Result<()> {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr))))
}

impl Talker<'_> {
    /// Gets a lease by udhcpc.
    ///
    /// # Errors
    /// When the router does not give one.
    pub fn boot(&self) -> io::Result<()> {
        let place = self.host.place;
        let script = self.network.dir().join(format!("leased-{}", place.name));
        fs::write(&script, LEASED)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let mut command = self.host.namespace.command("udhcpc");
        command.args(["-i", "eth0", "-f", "-q", "-n", "-t", "5", "-T", "1", "-V", place.vendor_class]);
        command.arg("-x").arg(format!("hostname:{}", place.name)).arg("-s").arg(script);
        run(command)
    }

    fn router(&self) -> Ipv4Addr {
        let [a, b, c, _] = self.host.place.v4.octets();
        Ipv4Addr::new(a, b, c, 1)
    }

    /// Asks the router for a name.
    ///
    /// # Errors
    /// When it does not know it.
    pub fn resolve(&self, name: &str) -> io::Result<Ipv4Addr> {
        resolve(&self.host.namespace, self.router(), name)
    }

    /// `curl https://NAME/`.
    ///
    /// # Errors
    /// When it fails.
    pub fn curl(&self, name: &str) -> io::Result<()> {
        let address = self.resolve(name)?;
        let mut command = self.host.namespace.command("curl");
        command.args(["-sS", "--max-time", "5", "--noproxy", "*", "--resolve", &format!("{name}:443:{address}")]);
        command.arg("--cacert").arg(self.certificate).arg(format!("https://{name}/"));
        run(command)
    }

    /// `curl https://NAME/` of a server that no name leads to, always from the same port: the next one ends the flow of the one before.
    ///
    /// # Errors
    /// When it fails.
    pub fn curl_from(&self, port: u16, name: &str, address: Ipv4Addr) -> io::Result<()> {
        let mut command = self.host.namespace.command("curl");
        command.args(["-sS", "--insecure", "--max-time", "5", "--noproxy", "*", "--resolve", &format!("{name}:443:{address}")]);
        command.args(["--local-port", &port.to_string(), &format!("https://{name}/")]);
        run(command)
    }

    /// `openssl s_client -servername NAME`.
    ///
    /// # Errors
    /// When it fails.
    pub fn s_client(&self, name: &str) -> io::Result<()> {
        let address = self.resolve(name)?;
        let mut command = self.host.namespace.command("openssl");
        command.args(["s_client", "-brief", "-verify_quiet", "-servername", name, "-connect", &format!("{address}:443")]);
        run(command)
    }

    /// A QUIC connection.
    ///
    /// # Errors
    /// When it fails.
    pub fn quic(&self, name: &str) -> io::Result<()> {
        let address = self.resolve(name)?;
        quic::connect(&self.host.namespace, (address, 443).into(), name, self.certificate)
    }

    /// One request and its reply in clear HTTP.
    ///
    /// # Errors
    /// When it fails.
    pub fn exchange(&self, to: SocketAddr, request: Vec<u8>, reply: Vec<u8>) -> io::Result<()> {
        self.converse(to, &[(Side::Client, request), (Side::Server, reply)])
    }

    fn converse(&self, to: SocketAddr, lines: &[(Side, Vec<u8>)]) -> io::Result<()> {
        converse(&self.host.namespace, &self.network.internet, to, lines)
    }

    /// The app asks its own name service.
    ///
    /// # Errors
    /// When it fails.
    pub fn newgetdns(&self, app: &Installation) -> io::Result<()> {
        const HOST: &str = "dns.weixin.qq.com";
        let server = self.resolve(HOST)?;
        let names = [("szlong.weixin.qq.com", vec![outside(MMTLS).into()])];
        let reply = newgetdns::reply(&names, &[], Ipv4Addr::new(203, 0, 113, 77).into());
        self.exchange((server, 8080).into(), newgetdns::request(HOST, app.account, app.client_version, app.device_type), reply)
    }

    /// A long link: resumption, a few messages, heartbeats.
    ///
    /// # Errors
    /// When it fails.
    pub fn long_link(&self, app: &Installation, rng: &mut Prng) -> io::Result<()> {
        let hello = app.record(mmtls::kind::HANDSHAKE, &app.hello(Start::Resume, now(), rng));
        let finish = [app.sealed(mmtls::kind::HANDSHAKE, 55, rng), app.data(200, 600, rng)].concat();
        let mut lines = vec![(Side::Client, hello), (Side::Server, app.server_flight(Start::Resume, rng)), (Side::Client, finish)];
        for _ in 0..3 {
            lines.push((Side::Server, app.data(60, 400, rng)));
            lines.push((Side::Client, app.heartbeat(rng)));
            lines.push((Side::Server, app.heartbeat(rng)));
        }
        self.converse((outside(MMTLS), 443).into(), &lines)
    }

    /// A short link over HTTP.
    ///
    /// # Errors
    /// When it fails.
    pub fn short_link(&self, app: &Installation, rng: &mut Prng) -> io::Result<()> {
        const HOST: &str = "szshort.weixin.qq.com";
        let server = self.resolve(HOST)?;
        let request = mmtls::short_request(HOST, &app.short_body(Start::Resume, now(), 800, rng), rng);
        let reply = app.short_reply(Start::Resume, 1_200, rng);
        self.exchange((server, 80).into(), request, reply)
    }
}
