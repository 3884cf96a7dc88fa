//! NewDNS in the clear: the app asks `newgetdns` for the addresses of its own names, in place of DNS.
//!
//! Seen in Citizen Lab's capture (2023). The request carries the account number and the reply the user's public address:
//! neither leaves this file.

use std::net::IpAddr;

use miniz_oxide::inflate::{self, TINFLStatus};

use crate::field::{Family, Field, FieldKind, Value};
use crate::limits::INFLATE_MAX;
use crate::record::{Answer, Detail, Record, Role};

/// `http.newgetdns`: the app's own name service.
pub static NEWGETDNS: Field = Field {
    name: "http.newgetdns",
    key: "newgetdns",
    kind: FieldKind::Token(&["request", "reply"]),
    family: Some(Family::Http),
    signal: Some("newgetdns"),
    personal: false,
    meaning: "The app asks its own name service, with account, client version and device type in the query; or the reply to that.",
    source: "Citizen Lab, MMTLS captures (2023)",
};

/// Bytes of a reply that are kept: real ones are a few KiB.
pub(crate) const REPLY_BYTES_MAX: usize = 64 * 1024;

/// Addresses that are taken from one reply: real ones have about 76 names with a few addresses each.
const ANSWERS_MAX: usize = 1_024;

const PATH: &[u8] = b"/cgi-bin/micromsg-bin/newgetdns";
const PARAMETERS: [&[u8]; 3] = [b"uin", b"clientversion", b"devicetype"];

/// Whether path and query are those of a request, with each of the parameters that the app sends.
pub(crate) fn is_request(path: &[u8], query: &[u8]) -> bool {
    let has = |name: &[u8]| {
        query.split(|b| *b == b'&').any(|p| p.strip_prefix(name).is_some_and(|rest| rest.len() > 1 && rest.starts_with(b"=")))
    };
    path == PATH && PARAMETERS.into_iter().all(has)
}

/// Why a reply gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It inflates to more than is read.
    TooLarge,
    /// It is not in a form that is known.
    Unknown,
}

/// Undoes the compression, whatever `Content-Encoding` said: the app's servers call raw deflate `deflate`.
pub(crate) fn plain(body: &[u8]) -> Result<Vec<u8>, Unread> {
    let text = body.trim_ascii_start();
    if text.starts_with(b"<") {
        return if text.len() <= INFLATE_MAX { Ok(text.to_vec()) } else { Err(Unread::TooLarge) };
    }
    if let Some(deflated) = gzip(body) {
        return inflated(inflate::decompress_to_vec_with_limit(deflated, INFLATE_MAX));
    }
    match inflated(inflate::decompress_to_vec_with_limit(body, INFLATE_MAX)) {
        Err(Unread::Unknown) => inflated(inflate::decompress_to_vec_zlib_with_limit(body, INFLATE_MAX)),
        done => done,
    }
}

fn inflated(done: Result<Vec<u8>, inflate::DecompressError>) -> Result<Vec<u8>, Unread> {
    done.map_err(|e| if e.status == TINFLStatus::HasMoreOutput { Unread::TooLarge } else { Unread::Unknown })
}

/// What follows a gzip header without a file name or extra fields (RFC 1952 section 2.3), as servers send it.
fn gzip(body: &[u8]) -> Option<&[u8]> {
    body.strip_prefix(&[0x1f, 0x8b, 8, 0]).and_then(|rest| rest.get(6..))
}

/// A reply in clear XML.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    xml: &'a [u8],
}

impl<'a> Reply<'a> {
    /// `None` if it does not say anything about a name.
    pub(crate) fn new(xml: &'a [u8]) -> Option<Self> {
        let reply = Reply { xml };
        let mut any = false;
        after(xml, b"<dns>")?;
        reply.answers(&mut |_| any = true);
        any.then_some(reply)
    }
}

impl Record for Reply<'_> {
    fn dissector(&self) -> &'static str {
        "http"
    }

    fn kind(&self) -> &'static str {
        "newgetdns"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Server)
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&NEWGETDNS, Value::Token("reply"));
    }

    /// `<domain name="n" timeout="t"><ip>a</ip>...</domain>`; addresses outside a domain (the user's own) are passed over.
    fn answers(&self, see: &mut dyn FnMut(Answer<'_>)) {
        let mut left = ANSWERS_MAX;
        let mut rest = self.xml;
        while let Some(start) = after(rest, b"<domain ") {
            let Some((tag, inside)) = split(start, b">") else { return };
            let Some((inside, behind)) = split(inside, b"</domain>") else { return };
            rest = behind;
            let Some(name) = attribute(tag, b"name").filter(|n| is_host(n)) else { continue };
            let ttl_secs = attribute(tag, b"timeout").and_then(number).unwrap_or(0);
            let mut addresses = inside;
            while let Some((_, text)) = split(addresses, b"<ip>") {
                let Some((text, behind)) = split(text, b"</ip>") else { break };
                addresses = behind;
                let Some(addr) = address(text) else { continue };
                let Some(fewer) = left.checked_sub(1) else { return };
                left = fewer;
                see(Answer { name, addr, ttl_secs });
            }
        }
    }
}

/// What stands before and behind the first `mark`.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|w| w == mark)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(mark.len()..)?))
}

fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    split(text, mark).map(|(_, behind)| behind)
}

/// The value of `name="..."` in the inside of a tag.
fn attribute<'a>(tag: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    tag.split(|b| b.is_ascii_whitespace()).find_map(|word| {
        let mut parts = word.strip_prefix(name)?.strip_prefix(b"=\"")?.split(|b| *b == b'"');
        let value = parts.next()?;
        parts.next().map(|_| value)
    })
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

fn is_host(name: &[u8]) -> bool {
    (1..=253).contains(&name.len()) && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<dns>\n<retcode>0</retcode>\n<domainlist>\n\
        <domain name=\"sgshort.wechat.com\" timeout=\"1860\">\n<ip>198.51.100.13</ip>\n<ip>2001:db8::13</ip>\n</domain>\n\
        <domain name=\"sglong.wechat.com\" timeout=\"1860\">\n<ip>198.51.100.10</ip>\n</domain>\n</domainlist>\n\
        <builtiniplist>\n<ip>198.51.100.15</ip>\n</builtiniplist>\n<clientip>203.0.113.77</clientip>\n</dns>\n";

    const WANT: [&str; 3] =
        ["sgshort.wechat.com 198.51.100.13 1860", "sgshort.wechat.com 2001:db8::13 1860", "sglong.wechat.com 198.51.100.10 1860"];

    fn answers(xml: &[u8]) -> Vec<String> {
        let mut list = Vec::new();
        if let Some(reply) = Reply::new(xml) {
            reply.answers(&mut |a| list.push(format!("{} {} {}", String::from_utf8_lossy(a.name), a.addr, a.ttl_secs)));
        }
        list
    }

    #[test]
    fn requests_need_path_and_every_parameter() {
        let query = b"uin=1000000001&clientversion=671094583&scene=0&net=1&devicetype=android-34&lan=en";
        assert!(is_request(PATH, query));
        assert!(!is_request(b"/cgi-bin/micromsg-bin/newgetdns2", query));
        for gone in PARAMETERS {
            let less: Vec<&[u8]> = query.split(|b| *b == b'&').filter(|p| !p.starts_with(gone)).collect();
            assert!(!is_request(PATH, &less.join(&b'&')));
            let empty: Vec<&[u8]> = query.split(|b| *b == b'&').map(|p| if p.starts_with(gone) { &p[..=gone.len()] } else { p }).collect();
            assert!(!is_request(PATH, &empty.join(&b'&')));
        }
        assert!(!is_request(PATH, b"xuin=1&clientversion=2&devicetype=3"));
    }

    #[test]
    fn every_form_of_a_reply() {
        let raw = miniz_oxide::deflate::compress_to_vec(XML.as_bytes(), 6);
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(XML.as_bytes(), 6);
        let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &raw, &[0; 8]].concat();
        for body in [XML.as_bytes(), &raw, &zlib, &gzip] {
            assert_eq!(answers(&plain(body).expect("readable")), WANT);
        }
        assert_eq!(plain(b"\x07 neither of them"), Err(Unread::Unknown));
        assert_eq!(plain(b""), Err(Unread::Unknown));
    }

    #[test]
    fn a_bomb_is_cut() {
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![b'<'; 64 * 1024 * 1024], 9);
        assert!(bomb.len() < REPLY_BYTES_MAX * 2);
        assert_eq!(plain(&bomb), Err(Unread::TooLarge));
        assert_eq!(plain(&vec![b'<'; INFLATE_MAX + 1]), Err(Unread::TooLarge));
    }

    #[test]
    fn cut_at_every_byte_never_invents() {
        for cut in 0..XML.len() {
            let some = answers(&XML.as_bytes()[..cut]);
            assert_eq!(some, WANT[..some.len()], "{cut}");
        }
        let raw = miniz_oxide::deflate::compress_to_vec(XML.as_bytes(), 6);
        for cut in 0..raw.len() {
            assert!(plain(&raw[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn odd_names_and_addresses_are_passed_over() {
        let odd = "<dns><domain name=\"a b\" timeout=\"1\"><ip>192.0.2.1</ip></domain><domain name=\"\x1b[31m.com\"><ip>192.0.2.2</ip></domain>\
            <domain timeout=\"1\"><ip>192.0.2.3</ip></domain><domain name=\"x.example\" timeout=\"-7\"><ip>192.0.2.999</ip><ip> 192.0.2.4 </ip></domain>";
        assert_eq!(answers(odd.as_bytes()), ["x.example 192.0.2.4 0"]);
        let many = format!("<dns><domain name=\"x.example\">{}</domain>", "<ip>192.0.2.1</ip>".repeat(5_000));
        assert_eq!(answers(many.as_bytes()).len(), ANSWERS_MAX);
    }
}
