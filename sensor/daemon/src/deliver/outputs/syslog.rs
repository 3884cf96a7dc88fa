//! Syslog (RFC 5424): over UDP (RFC 5426), TCP with counted octets (RFC 6587 section 3.4.1), TLS (RFC 5425).
//!
//! Syslog has no answer. So over TCP and TLS every batch has a connection of its own, and counts as taken when the receiver closes its
//! side after ours: it has then read everything. What is written to a receiver that dies meanwhile is sent again. UDP promises nothing.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::config::{Endpoint, Output as Settings};
use crate::deliver::format::{self, Format, text};
use crate::deliver::{Event, Failure, Kind, Output, Sending, net};

/// The row of the table.
pub const KIND: Kind = Kind {
    name: "syslog",
    about: "RFC 5424 over UDP, TCP or TLS",
    formats: &["text", "cef", "json", "eve", "ecs", "ocsf"],
    schemes: &["udp", "tcp", "tls"],
    port: 514,
    make: |settings| Box::new(Syslog::new(settings)),
};

/// Facility local0.
const FACILITY: u8 = 16;
/// Bytes of a datagram: what IPv4 carries.
const DATAGRAM_MAX: usize = 65_507;

struct Syslog {
    settings: Settings,
    format: Format,
    host: String,
}

impl Syslog {
    fn new(settings: &Settings) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
        let host = if host.is_empty() { "-".to_string() } else { host };
        Syslog { settings: settings.clone(), format: settings.format.unwrap_or(format::FORMATS[5]), host }
    }

    async fn deliver(&self, events: &[Event]) -> Result<(), Failure> {
        let endpoint = self.settings.endpoint.as_ref().ok_or_else(|| Failure::later(0, "there is no endpoint"))?;
        let messages: Vec<String> = events.iter().map(|e| message(e, &self.host, self.format)).collect();
        match endpoint.scheme {
            "udp" => datagrams(endpoint, &messages).await,
            _ => self.stream(endpoint, &messages).await.map_err(|e| Failure::later(0, e)),
        }
    }

    async fn stream(&self, endpoint: &Endpoint, messages: &[String]) -> io::Result<()> {
        let mut stream = net::connect(endpoint, &self.settings.tls).await?;
        let framed: String = messages.iter().map(|m| format!("{} {m}", m.len())).collect();
        stream.write_all(framed.as_bytes()).await?;
        stream.flush().await?;
        let mut rest = [0; 256];
        // An end before ours is that of a receiver that goes away, and not of one that has read everything.
        while let Ok(read) = timeout(Duration::ZERO, stream.read(&mut rest)).await {
            if read? == 0 {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the receiver closes before it has read everything"));
            }
        }
        stream.shutdown().await?;
        // It says nothing; its end is what is waited for.
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // A receiver that closes TCP without ending TLS has read what was sent before our end.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(e) => return Err(e),
            }
        }
    }
}

/// How bad, as syslog counts: from 2, critical, to 6, informational.
fn severity(event: &Event) -> u8 {
    match event.severity() {
        10.. => 2,
        8..10 => 3,
        5..8 => 4,
        3..5 => 5,
        _ => 6,
    }
}

/// A message. The structured data goes with the sentence; other forms say everything themselves.
pub fn message(event: &Event, host: &str, format: Format) -> String {
    let data = if format.name == "text" { text::structured(event) } else { "-".to_string() };
    let pri = FACILITY * 8 + severity(event);
    format!("<{pri}>1 {} {host} ringfence {} {} {data} {}", event.at, std::process::id(), event.word(), (format.render)(event))
}

async fn datagrams(endpoint: &Endpoint, messages: &[String]) -> Result<(), Failure> {
    let to = net::resolve(endpoint).await.map_err(|e| Failure::later(0, e))?;
    let any = if to.is_ipv4() { SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) } else { SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)) };
    let socket = UdpSocket::bind(any).await.map_err(|e| Failure::later(0, e))?;
    socket.connect(to).await.map_err(|e| Failure::later(0, e))?;
    for (taken, message) in messages.iter().enumerate() {
        // A receiver knows what to do with a message that is cut; a datagram that is too long does not arrive at all.
        let len = (0..=DATAGRAM_MAX.min(message.len())).rev().find(|len| message.is_char_boundary(*len)).unwrap_or(0);
        let bytes = message.as_bytes().get(..len).unwrap_or_default();
        socket.send(bytes).await.map_err(|e| Failure::later(taken, e))?;
    }
    Ok(())
}

impl Output for Syslog {
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a> {
        Box::pin(self.deliver(events))
    }
}
