//! The wires: a switch whose every port sees everything, hosts of four segments, a router, an "internet", a mirror port.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use ringfence_core::net::Mac;
use tempfile::TempDir;

use super::Namespace;

/// A host of the network.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What it tells DHCP.
    pub name: &'static str,
    /// Its hardware address.
    pub mac: Mac,
    /// The address that the router leases to it.
    pub v4: Ipv4Addr,
    /// What it tells DHCP that it is.
    pub vendor_class: &'static str,
}

/// A host with its wire plugged in.
#[derive(Clone, Debug)]
pub struct Host {
    /// Who and where.
    pub place: Place,
    /// Its own view of the network.
    pub namespace: Namespace,
}

/// The network; it is gone when this is.
#[derive(Debug)]
pub struct Network {
    /// Files of everything that runs here.
    pub dir: TempDir,
    /// The router.
    pub router: Namespace,
    /// Everything outside.
    pub internet: Namespace,
    /// Where the sensor listens on [`MIRROR`].
    pub sensor: Namespace,
    /// Where the ports are.
    pub switch: Namespace,
    /// The hosts.
    pub hosts: Vec<Host>,
}

/// The sensor's end of the mirror port.
pub const MIRROR: &str = "mirror0";

/// The hosts' first addresses: the router has `.1` in each.
pub const SEGMENTS: [[u8; 3]; 4] = [[10, 10, 10], [10, 10, 20], [10, 10, 30], [10, 10, 40]];

/// The network of the servers outside; documentation range (RFC 5737).
pub const OUTSIDE: [u8; 3] = [198, 51, 100];

impl Network {
    /// Builds it with these hosts; they have wires, but no addresses yet.
    ///
    /// # Errors
    /// When the kernel lacks a part or `ip` fails.
    pub fn new(places: &[Place]) -> io::Result<Self> {
        let network = Network {
            dir: tempfile::Builder::new().prefix("ringfence-lab-").tempdir()?,
            router: Namespace::new()?,
            internet: Namespace::new()?,
            sensor: Namespace::new()?,
            switch: Namespace::new()?,
            hosts: places.iter().map(|place| Ok(Host { place: *place, namespace: Namespace::new()? })).collect::<io::Result<_>>()?,
        };
        // Without ageing the bridge forgets every address at once, so it floods: each port, the mirror among them, sees all frames.
        network.switch.ip(&["link add br0 type bridge ageing_time 0 stp_state 0 mcast_snooping 0", "link set br0 up"])?;
        network.plug(&network.sensor, "p-mirror", MIRROR, None)?;
        network.sensor.ip(&[format!("link set {MIRROR} arp off promisc on up")])?;
        for (number, host) in network.hosts.iter().enumerate() {
            network.plug(&host.namespace, &format!("p-{number}"), "eth0", Some(host.place.mac))?;
            host.namespace.ip(&["link set eth0 up"])?;
        }
        network.route()?;
        Ok(network)
    }

    fn plug(&self, far: &Namespace, port: &str, name: &str, mac: Option<Mac>) -> io::Result<()> {
        let address = mac.map(|m| format!("address {m} ")).unwrap_or_default();
        self.switch.ip(&[
            format!("link add {port} type veth peer name {name} {address}netns {}", far.path()),
            format!("link set {port} master br0 up"),
        ])
    }

    fn route(&self) -> io::Result<()> {
        self.plug(&self.router, "p-router", "lan0", Some(Mac([0, 0, 0x5e, 0, 0x53, 1])))?;
        let leg = |net: &[u8; 3]| format!("addr add {}.{}.{}.1/24 dev lan0", net[0], net[1], net[2]);
        self.router.ip(&SEGMENTS.iter().map(leg).collect::<Vec<_>>())?;
        let [a, b, c] = OUTSIDE;
        self.router.ip(&[
            format!("link add wan0 type veth peer name wan0 netns {}", self.internet.path()),
            format!("addr add {a}.{b}.{c}.1/24 dev wan0"),
            "link set lan0 up".into(),
            "link set wan0 up".into(),
        ])?;
        self.router.sysctl("net/ipv4/ip_forward", "1")?;
        // One wire carries four networks: nobody shall be told of a shorter way.
        self.router.sysctl("net/ipv4/conf/all/send_redirects", "0")?;
        self.router.sysctl("net/ipv4/conf/lan0/send_redirects", "0")?;
        let server = |last: u8| format!("addr add {a}.{b}.{c}.{last}/24 dev wan0");
        self.internet.ip(&(10..=80).step_by(10).map(server).collect::<Vec<_>>())?;
        self.internet.ip(&["link set wan0 up".to_string(), format!("route add default via {a}.{b}.{c}.1")])
    }

    /// A host by its name.
    ///
    /// # Panics
    /// When there is none.
    pub fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|h| h.place.name == name).unwrap_or_else(|| panic!("no host is called {name}"))
    }

    /// The folder of everything that runs here.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// The address of a server outside.
pub const fn outside(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(OUTSIDE[0], OUTSIDE[1], OUTSIDE[2], last)
}
