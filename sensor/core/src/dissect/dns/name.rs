//! Domain names: from the wire, with compression, to text.

use super::wire::{u8_at, u16_at};

/// Octets of a name on the wire without the final zero (RFC 1035 section 2.3.4: 255 with it).
const WIRE_MAX: usize = 254;

/// Compression pointers that are followed in one name. Each leads further back; real messages use one or two.
const JUMPS_MAX: usize = 16;

/// Octets that a text is made in, looked at some at a time.
const ROOM: usize = 256;
const PIECE: usize = 32;

/// The longest label.
const LABEL_MAX: u8 = 63;

/// From here on an octet in a label's place is the first of a pointer.
const POINTER: u8 = 0xc0;

/// A domain name where it stands in its message, in the case in which it was sent. It was read to its end once, so that its labels are
/// there and its pointers lead back; nothing of it is copied.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
    /// Octets of all labels with their length octets.
    len: u8,
    /// All of them lie here: no pointer leads from one to the next.
    straight: bool,
}

impl<'a> Name<'a> {
    /// Reads the name at `at`; with it comes the offset behind it. Pointers may only lead back, before the start of what was read
    /// last (RFC 1035 section 4.1.4: "a prior occurrence"), so that no chain of them can go round.
    #[inline]
    pub fn read(message: &'a [u8], at: usize) -> Option<(Name<'a>, usize)> {
        let (mut len, mut here, mut start) = (0, at, at);
        let mut behind = None;
        for _ in 0..=JUMPS_MAX {
            let end = labels_end(message, here, &mut len)?;
            if u8_at(message, end)? == 0 {
                let name = Name { message, at, len: u8::try_from(len).ok()?, straight: behind.is_none() };
                return Some((name, behind.unwrap_or(end.checked_add(1)?)));
            }
            let target = pointer(message, end)?;
            behind = behind.or(end.checked_add(2));
            if target >= start {
                return None;
            }
            (here, start) = (target, target);
        }
        None
    }

    /// Whether it is the root.
    pub const fn is_root(&self) -> bool {
        self.len == 0
    }

    /// The labels, leftmost first.
    #[inline]
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let Name { message, mut at, len, .. } = *self;
        let mut left = usize::from(len);
        std::iter::from_fn(move || {
            // The octet behind the last label is not looked at: it may lead to others.
            left.checked_sub(1)?;
            let mut octet = u8_at(message, at)?;
            while octet >= POINTER {
                at = pointer(message, at).filter(|target| *target < at)?;
                octet = u8_at(message, at)?;
            }
            let label = message.get(at.checked_add(1)?..)?.get(..usize::from(octet))?;
            at = at.checked_add(1)?.checked_add(label.len())?;
            left = left.checked_sub(1)?.checked_sub(label.len())?;
            Some(label)
        })
    }

    /// Whether both are the same name; case of ASCII letters does not count (RFC 4343).
    pub fn same(&self, other: &Name<'_>) -> bool {
        let (mut ours, mut theirs) = (self.labels(), other.labels());
        // Those of the same length have labels of the same lengths, or differ in one.
        self.len == other.len
            && std::iter::from_fn(|| Some((ours.next()?, theirs.next()?))).all(|(a, b)| a.len() == b.len() && a.eq_ignore_ascii_case(b))
    }

    /// Shows the presentation form (RFC 1035 section 5.1) without the final dot; the root is `.`. A dot or backslash inside a label has
    /// a backslash before it, control characters are `\DDD`; octets from 0x80 on (UTF-8 in mDNS and LLMNR) stay as they are.
    pub fn with_text<T>(&self, see: impl FnOnce(&[u8]) -> T) -> T {
        match self.plain(&mut [b' '; ROOM]) {
            Some(text) => see(text),
            None => see(&self.escaped()),
        }
    }

    /// The presentation form where no pointer is followed and nothing has to be escaped, as in nearly every name that is asked for.
    #[inline]
    fn plain<'r>(&self, room: &'r mut [u8; ROOM]) -> Option<&'r [u8]> {
        let len = usize::from(self.len);
        let wire = self.message.get(self.at..)?.get(..len).filter(|_| self.straight)?;
        room.get_mut(..len)?.copy_from_slice(wire);
        let (mut at, mut labels) = (0, 0);
        while let Some(octet) = room.get_mut(at).filter(|_| at < len) {
            at += usize::from(*octet) + 1;
            *octet = b'.';
            labels += 1;
        }
        let (mut dots, mut special) = (0, 0);
        // Without a branch, so that many octets are looked at in one step.
        for piece in room.as_chunks::<PIECE>().0.iter().take(len.div_ceil(PIECE)) {
            dots += piece.iter().map(|byte| u8::from(*byte == b'.')).sum::<u8>();
            special |= piece.iter().map(|b| u8::from(*b < b' ') | u8::from(*b == b'\\') | u8::from(*b == 0x7f)).fold(0, |a, b| a | b);
        }
        // A dot more than there are labels stands inside one.
        room.get(1..len).filter(|_| special == 0 && dots == labels)
    }

    #[cold]
    fn escaped(&self) -> Vec<u8> {
        if self.is_root() {
            return b".".to_vec();
        }
        let mut out = Vec::with_capacity(usize::from(self.len));
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
        out
    }

    /// Presentation form as bytes of its own.
    pub fn text(&self) -> Vec<u8> {
        self.with_text(<[u8]>::to_vec)
    }
}

/// Steps over plain labels up to a zero or a pointer, adding what they take to `len`; the offset of that octet.
#[inline]
fn labels_end(message: &[u8], mut at: usize, len: &mut usize) -> Option<usize> {
    loop {
        let octet = u8_at(message, at)?;
        if !matches!(octet, 1..=LABEL_MAX) {
            // 01 and 10: extended and unknown label types (RFC 6891 section 5).
            return (octet == 0 || octet >= POINTER).then_some(at);
        }
        let taken = usize::from(octet) + 1;
        (at, *len) = (at + taken, *len + taken);
        if *len > WIRE_MAX {
            return None;
        }
    }
}

/// Where the pointer at an offset leads.
#[inline]
fn pointer(message: &[u8], at: usize) -> Option<usize> {
    u16_at(message, at).map(|octets| usize::from(octets & 0x3fff))
}

impl std::fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.text().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        fn read(bytes: &[u8]) -> Name<'_> {
            Name::read(bytes, 0).expect("valid").0
        }
        assert!(read(b"\x01A\x01b\x00").same(&read(b"\x01a\x01B\x00")));
        assert!(!read(b"\x01a\x01b\x00").same(&read(b"\x03a.b\x00")));
        assert_eq!(text(b"\x03wEi\x00", 0).as_deref(), Some("wEi"));
    }

    /// The naive model: labels copied out one by one, and the offset behind the name.
    fn copied(message: &[u8], at: usize) -> Option<(Vec<Vec<u8>>, usize)> {
        let (mut labels, mut behind, mut at, mut start) = (Vec::new(), None, at, at);
        let mut jumps = 0;
        loop {
            match usize::from(*message.get(at)?) {
                0 => return Some((labels, behind.unwrap_or(at + 1))),
                len @ 1..=63 => {
                    labels.push(message.get(at + 1..at + 1 + len)?.to_vec());
                    at += 1 + len;
                    if labels.iter().map(|l| l.len() + 1).sum::<usize>() > WIRE_MAX {
                        return None;
                    }
                }
                192.. => {
                    let target = (usize::from(message[at]) & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                    behind = behind.or(Some(at + 2));
                    jumps += 1;
                    if target >= start || jumps > JUMPS_MAX {
                        return None;
                    }
                    (at, start) = (target, target);
                }
                _ => return None,
            }
        }
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let label = proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'A'), Just(b'.'), Just(0), any::<u8>()], 0..6);
        let piece = prop_oneof![
            4 => label.prop_map(|label| [&[label.len() as u8], &label[..]].concat()),
            3 => (0u8..80).prop_map(|to| vec![POINTER, to]),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
        ];
        proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn agrees_with_the_naive_model(message in octets()) {
            let all: Vec<_> = (0..=message.len()).map(|at| (Name::read(&message, at), copied(&message, at))).collect();
            for (read, copied) in &all {
                let labels = read.map(|(name, behind)| (name.labels().map(<[u8]>::to_vec).collect::<Vec<_>>(), behind));
                prop_assert_eq!(&labels, copied);
            }
            let sound: Vec<_> = all.iter().filter_map(|(read, copied)| Some((read.as_ref()?.0, &copied.as_ref()?.0))).collect();
            for (name, labels) in sound.iter().take(12) {
                prop_assert_eq!(name.text(), name.escaped());
                prop_assert_eq!(name.is_root(), labels.is_empty());
                for (other, theirs) in sound.iter().rev().take(12) {
                    prop_assert_eq!(name.same(other), labels.concat().eq_ignore_ascii_case(&theirs.concat()) && labels.len() == theirs.len()
                        && labels.iter().zip(*theirs).all(|(a, b)| a.len() == b.len()));
                }
            }
        }
    }
}
