//! What a dissector can say: fields, each with a name, a meaning and a source, and the values they take.
//!
//! Fields are the only vocabulary between dissectors and rules; neither knows the other.

use std::net::IpAddr;

/// An evidence family: signs of one family repeat each other, signs of different families support each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `S`: the structure of the bytes.
    Structure,
    /// `H`: clear HTTP.
    Http,
    /// `D`: DNS and NewDNS.
    Dns,
    /// `T`: a name in TLS or QUIC.
    Tls,
    /// `A`: a learned address.
    Address,
}

impl Family {
    /// Every family, in the order in which they are printed.
    pub const ALL: [Family; 5] = [Family::Structure, Family::Http, Family::Dns, Family::Tls, Family::Address];

    /// The one-letter name used in rules and outputs.
    pub const fn letter(self) -> &'static str {
        match self {
            Family::Structure => "S",
            Family::Http => "H",
            Family::Dns => "D",
            Family::Tls => "T",
            Family::Address => "A",
        }
    }

    /// What the letter stands for.
    pub const fn about(self) -> &'static str {
        match self {
            Family::Structure => "structure of the bytes",
            Family::Http => "HTTP",
            Family::Dns => "DNS",
            Family::Tls => "name in TLS or QUIC",
            Family::Address => "learned address",
        }
    }
}

/// What the values of a field look like, and so which patterns a rule may use on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A host name: exact, suffix on label boundary, wildcard label.
    Name,
    /// Free text: exact, prefix, contains.
    Text,
    /// One of a few words that the dissector itself defines: exact.
    Token(&'static [&'static str]),
    /// A hexadecimal fingerprint: exact.
    Hash,
    /// An unsigned number: exact.
    Number,
    /// An address: exact, CIDR.
    Address,
    /// Several texts, in wire order: exact on one of them.
    List,
}

/// One thing that a dissector can see. Declared once, as a `static`, beside the dissector that fills it.
#[derive(Debug)]
pub struct Field {
    /// The name in rules and documentation, `<dissector>.<what>`: `tls.sni`.
    pub name: &'static str,
    /// The key in `dissect` output: `sni`.
    pub key: &'static str,
    /// The shape of its values.
    pub kind: FieldKind,
    /// The evidence family of an indicator that fires on it; `None` where a field can never be evidence.
    pub family: Option<Family>,
    /// The name of the sign in a flow's list of signals; rules may give a more specific one.
    pub signal: Option<&'static str>,
    /// Personal data: may be matched or counted by keyed hash, never printed, stored or sent.
    pub personal: bool,
    /// One sentence for operators.
    pub meaning: &'static str,
    /// RFC section, paper or capture.
    pub source: &'static str,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.name == other.name
    }
}

impl Eq for Field {}

/// A value of a field, borrowed from the packet or from the record.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Bytes off the wire that ought to be text; may be anything.
    Text(&'a [u8]),
    /// A word that the dissector defines.
    Token(&'static str),
    /// A number.
    Number(u64),
    /// An address.
    Address(IpAddr),
    /// Texts in wire order.
    List(&'a [&'a [u8]]),
}
