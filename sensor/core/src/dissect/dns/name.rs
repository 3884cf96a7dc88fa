//! Domain names: from the wire, with compression, to text.

use super::wire::{u8_at, u16_at};

/// Octets of a name on the wire without the final zero (RFC 1035 section 2.3.4: 255 with it).
const WIRE_MAX: usize = 254;

/// Compression pointers that are followed in one name. Each leads further back; real messages use one or two.
const JUMPS_MAX: usize = 16;

/// A domain name as labels, in the case in which it was sent.
#[derive(Clone, Copy)]
pub struct Name {
    labels: [u8; WIRE_MAX],
    len: u8,
}

impl Name {
    /// The root.
    const ROOT: Name = Name { labels: [0; WIRE_MAX], len: 0 };

    /// Reads the name at `at`; with it comes the offset behind it. Pointers may only lead back, before the start of what was read
    /// last (RFC 1035 section 4.1.4: "a prior occurrence"), so that no chain of them can go round.
    pub fn read(message: &[u8], at: usize) -> Option<(Name, usize)> {
        let mut name = Name::ROOT;
        let mut behind = None;
        let (mut at, mut start) = (at, at);
        for _ in 0..=JUMPS_MAX {
            let end = name.read_labels(message, at)?;
            let len = u8_at(message, end)?;
            if len == 0 {
                return Some((name, behind.unwrap_or(end.checked_add(1)?)));
            }
            let target = usize::from(u16_at(message, end)? & 0x3fff);
            behind = behind.or(end.checked_add(2));
            if target >= start {
                return None;
            }
            (at, start) = (target, target);
        }
        None
    }

    /// Reads plain labels up to a zero or a pointer; the offset of that octet.
    fn read_labels(&mut self, message: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let len = u8_at(message, at)?;
            match len >> 6 {
                0 if len == 0 => return Some(at),
                3 => return Some(at),
                0 => {
                    let end = at.checked_add(1)?.checked_add(usize::from(len))?;
                    self.push(message.get(at..end)?)?;
                    at = end;
                }
                // 01 and 10: extended and unknown label types (RFC 6891 section 5).
                _ => return None,
            }
        }
    }

    /// Appends a label with its length octet.
    fn push(&mut self, label: &[u8]) -> Option<()> {
        let from = usize::from(self.len);
        let end = from.checked_add(label.len())?;
        self.labels.get_mut(from..end)?.copy_from_slice(label);
        self.len = u8::try_from(end).ok()?;
        Some(())
    }

    fn wire(&self) -> &[u8] {
        self.labels.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Whether it is the root.
    pub const fn is_root(&self) -> bool {
        self.len == 0
    }

    /// The labels, leftmost first.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.wire();
        std::iter::from_fn(move || {
            let (len, tail) = rest.split_first()?;
            let (label, tail) = tail.split_at_checked(usize::from(*len))?;
            rest = tail;
            Some(label)
        })
    }

    /// Whether both are the same name; case of ASCII letters does not count (RFC 4343). Length octets are below `A`.
    pub fn same(&self, other: &Name) -> bool {
        self.len == other.len && self.wire().eq_ignore_ascii_case(other.wire())
    }

    /// Presentation form (RFC 1035 section 5.1) without the final dot; the root is `.`. A dot or backslash inside a label has a
    /// backslash before it, control characters are `\DDD`; octets from 0x80 on (UTF-8 in mDNS and LLMNR) stay as they are.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        if self.is_root() {
            out.push(b'.');
        }
        for (i, label) in self.labels().enumerate() {
            if i > 0 {
                out.push(b'.');
            }
            for &byte in label {
                match byte {
                    b'.' | b'\\' => out.extend([b'\\', byte]),
                    0..=0x1f | 0x7f => out.extend([b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]),
                    _ => out.push(byte),
                }
            }
        }
    }

    /// Presentation form as bytes of its own.
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize::from(self.len));
        self.write_text(&mut out);
        out
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.text().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &[u8], at: usize) -> Option<String> {
        Name::read(message, at).map(|(n, _)| String::from_utf8_lossy(&n.text()).into_owned())
    }

    /// RFC 1035 section 4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92.
    fn rfc1035() -> Vec<u8> {
        let mut m = vec![0xff; 20];
        m.extend(b"\x01F\x03ISI\x04ARPA\x00");
        m.resize(40, 0xff);
        m.extend(b"\x03FOO\xc0\x14");
        m.resize(64, 0xff);
        m.extend(b"\xc0\x1a");
        m.resize(92, 0xff);
        m.push(0);
        m
    }

    #[test]
    fn the_example_of_rfc_1035() {
        let m = rfc1035();
        assert_eq!(text(&m, 20).as_deref(), Some("F.ISI.ARPA"));
        assert_eq!(text(&m, 40).as_deref(), Some("FOO.F.ISI.ARPA"));
        assert_eq!(text(&m, 64).as_deref(), Some("ARPA"));
        assert_eq!(text(&m, 92).as_deref(), Some("."));
        assert_eq!(Name::read(&m, 40).map(|n| n.1), Some(46));
        assert_eq!(Name::read(&m, 20).map(|n| n.1), Some(32));
    }

    #[test]
    fn pointers_only_lead_back() {
        for (bytes, why) in [
            (&b"\xc0\x00"[..], "to itself"),
            (b"\xc0\x02\xc0\x00", "forward, then back"),
            (b"\x01a\xc0\x00", "to its own start"),
            (b"\x01a\x01b\xc0\x02", "into itself"),
            (b"\xc0\xff", "beyond the end"),
            (b"\x41x\x00", "extended label type"),
            (b"\x81x\x00", "unknown label type"),
            (b"\x3fx", "label beyond the end"),
        ] {
            assert_eq!(text(bytes, 0), None, "{why}");
        }
        assert_eq!(text(b"\x01a\x00\xc0\x00\xc0\x03", 5).as_deref(), Some("a"));
    }

    #[test]
    fn long_chains_and_long_names_stop() {
        let mut chain = b"\x01a\x00".to_vec();
        for i in 0..64u8 {
            let back = if i == 0 { 0 } else { 3 + (i - 1) * 2 };
            chain.extend([0xc0, back]);
        }
        assert_eq!(text(&chain, 3 + 2 * 10).as_deref(), Some("a"));
        assert_eq!(text(&chain, 3 + 2 * 40), None);
        let mut long = Vec::new();
        for _ in 0..127 {
            long.extend(b"\x01a");
        }
        long.push(0);
        assert_eq!(text(&long, 0).map(|t| t.len()), Some(253));
        long.insert(0, b'b');
        long.insert(0, 1);
        assert_eq!(text(&long, 0), None);
    }

    #[test]
    fn text_is_unambiguous() {
        assert_eq!(text(b"\x03a.b\x01\\\x03c\"\n\x00", 0).as_deref(), Some(r#"a\.b.\\.c"\010"#));
        assert_eq!(text("\x06小佛\x00".as_bytes(), 0).as_deref(), Some("小佛"));
    }

    #[test]
    fn case_does_not_count() {
        let read = |b: &[u8]| Name::read(b, 0).expect("valid").0;
        assert!(read(b"\x01A\x01b\x00").same(&read(b"\x01a\x01B\x00")));
        assert!(!read(b"\x01a\x01b\x00").same(&read(b"\x03a.b\x00")));
        assert_eq!(text(b"\x03wEi\x00", 0).as_deref(), Some("wEi"));
    }
}
