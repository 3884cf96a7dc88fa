//! What a dissector hands on: a record of fields, what it teaches about addresses, and what it binds together.

use std::net::IpAddr;

use crate::coverage::Blind;
use crate::field::{Field, Value};
use crate::limits::Limit;
use crate::net::Mac;

/// How much of a record is wanted: work that only a hit needs is left to the second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only fields that cost nothing beyond the parse itself.
    Cheap,
    /// Everything, fingerprints included.
    Full,
}

/// Which end of the conversation said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that asks: its device is the one that is judged.
    Client,
    /// The end that answers.
    Server,
}

/// One answer of a name service: `name` is at `addr` for `ttl_secs`.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The name that was asked for (not the end of its CNAME chain).
    pub name: &'a [u8],
    /// The address.
    pub addr: IpAddr,
    /// Time to live in seconds, as sent.
    pub ttl_secs: u32,
}

/// How a binding was learned, weakest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingSource {
    /// A DHCP server's acknowledgement (RFC 2131, RFC 8415).
    Dhcp,
    /// A switch's or access point's accounting (RFC 2866).
    Radius,
    /// A DHCP client's request.
    DhcpRequest,
    /// Neighbour discovery (RFC 4861).
    Nd,
    /// ARP (RFC 826).
    Arp,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// NetBIOS name service (RFC 1002).
    Netbios,
    /// LLMNR (RFC 4795).
    Llmnr,
}

impl BindingSource {
    /// Every source, the best first.
    pub const ALL: [BindingSource; 8] = [
        BindingSource::Dhcp,
        BindingSource::Radius,
        BindingSource::DhcpRequest,
        BindingSource::Nd,
        BindingSource::Arp,
        BindingSource::Mdns,
        BindingSource::Netbios,
        BindingSource::Llmnr,
    ];

    /// The lower-case name used in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            BindingSource::Dhcp => "dhcp",
            BindingSource::Radius => "radius",
            BindingSource::DhcpRequest => "dhcp-request",
            BindingSource::Nd => "nd",
            BindingSource::Arp => "arp",
            BindingSource::Mdns => "mdns",
            BindingSource::Netbios => "netbios",
            BindingSource::Llmnr => "llmnr",
        }
    }
}

/// A statement that a MAC, an address and a host name belong to one device; any of them may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// How it was learned.
    pub source: BindingSource,
    /// The hardware address.
    pub mac: Option<Mac>,
    /// The network address.
    pub addr: Option<IpAddr>,
    /// The host name that the device gives itself.
    pub name: Option<&'a [u8]>,
    /// DHCP option 60: what kind of client it says it is.
    pub vendor_class: Option<&'a [u8]>,
    /// DHCP option 55, DHCPv6 option 6: what the client asks for, in its order. It tells operating systems apart; only its hash is kept.
    pub parameters: Option<&'a [u8]>,
    /// DHCP option 61 or the DUID, where it is not just the hardware address: stays with the system when NICs change; only its hash is kept.
    pub client_id: Option<&'a [u8]>,
    /// Said in DHCPv6, whose options are numbered differently.
    pub v6: bool,
    /// How long it holds, in seconds (a DHCP lease).
    pub lifetime_secs: Option<u32>,
    /// The DHCP relay (giaddr): the binding is about a device behind it.
    pub relay: Option<IpAddr>,
    /// The address is given up (DHCP release, decline).
    pub released: bool,
    /// The sender says that it is a router (RFC 4861 router advertisement, neighbour advertisement flag R).
    pub router: bool,
}

impl Binding<'_> {
    /// A binding that says nothing yet.
    pub const fn new(source: BindingSource) -> Self {
        Binding {
            source,
            mac: None,
            addr: None,
            name: None,
            vendor_class: None,
            parameters: None,
            client_id: None,
            v6: false,
            lifetime_secs: None,
            relay: None,
            released: false,
            router: false,
        }
    }
}

/// One thing that a dissector saw: a ClientHello, a DNS message, an HTTP request, an MMTLS hello.
pub trait Record {
    /// The name of the dissector, as in the `DISSECTORS` table.
    fn dissector(&self) -> &'static str;

    /// What it is, the `kind` in `dissect` output: `ch`, `sh`, `dns`, `http`, `mmtls` ...
    fn kind(&self) -> &'static str;

    /// Which end sent it, where the content tells.
    fn sender(&self) -> Option<Role> {
        None
    }

    /// Shows each field to `see`, in a fixed order; with [`Detail::Cheap`] only those that cost nothing.
    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>));

    /// Whether its fields are all that it says: it has no answers, bindings or suffixes.
    fn is_only_fields(&self) -> bool {
        false
    }

    /// Shows what it teaches about names and addresses.
    fn answers(&self, _see: &mut dyn FnMut(Answer<'_>)) {}

    /// Whether its answers stand under a name that is one of its fields: where no rule matches that, they teach nothing.
    fn answers_under_a_field(&self) -> bool {
        false
    }

    /// Shows what it binds together.
    fn bindings(&self, _see: &mut dyn FnMut(Binding<'_>)) {}

    /// Shows local DNS suffixes that it announces (DHCP options 15 and 119).
    fn suffixes(&self, _see: &mut dyn FnMut(&[u8])) {}

    /// Bytes that are distinct for each installation of an app (an MMTLS ticket): only ever counted by keyed hash.
    fn installation(&self) -> Option<&[u8]> {
        None
    }
}

/// Where a dissector puts what it saw.
pub trait Sink {
    /// Takes a record; it is borrowed, nothing of it may be kept unless a rule matches.
    fn emit(&mut self, record: &dyn Record);

    /// Counts that a limit was hit.
    fn limit(&mut self, limit: Limit);

    /// Counts something that could not be judged.
    fn blind(&mut self, blind: Blind);
}
