//! DNS and HTTP names against tshark: every difference is of a kind that `tests/oracle/differences.toml` explains.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_tests::root;
use ringfence_tests::sensor::{Json, dissect};

use crate::oracle::{Pair, expectations, pairs};
use crate::shared;

/// What one capture gave: the pairs that only one side has, and our rows.
struct Capture {
    name: String,
    missed: Vec<Pair>,
    beside: Vec<Pair>,
    rows: Vec<Json>,
    /// The oracle looked at captures of this folder.
    covered: bool,
}

/// A kind of difference: whether a pair that only the oracle has, or one that only we have, is of it.
struct Kind {
    name: &'static str,
    missed: fn(&Pair, &Capture) -> bool,
    beside: fn(&Pair, &Capture) -> bool,
}

const fn never(_: &Pair, _: &Capture) -> bool {
    false
}

const KINDS: &[Kind] = &[
    Kind { name: "not-in-oracle", missed: never, beside: |_, c| !c.covered },
    Kind { name: "root", missed: |(_, name), _| name == "<root>", beside: never },
    Kind { name: "no-name", missed: |(_, name), _| matches!(&name[..], "<unknown extended label>" | "<name too long>"), beside: never },
    Kind {
        name: "escape",
        missed: |(flow, name), c| c.beside.iter().any(|(f, n)| f == flow && as_oracle(n) == *name),
        beside: |(flow, name), c| c.missed.iter().any(|(f, n)| f == flow && as_oracle(name) == *n),
    },
    Kind {
        name: "inner-address",
        missed: |pair, c| c.beside.iter().any(|other| inner(other, pair)),
        beside: |pair, c| c.missed.iter().any(|other| inner(pair, other)),
    },
    Kind { name: "connect", missed: never, beside: |pair, c| row(pair, c).any(|r| r["method"] == "CONNECT") },
    Kind { name: "cut-behind-name", missed: never, beside: |pair, c| row(pair, c).any(|r| r["kind"] == "dns" && r["qtype"].is_null()) },
    Kind {
        name: "cut-elsewhere",
        missed: |(flow, _), _| !ports(flow).iter().any(|p| matches!(p, 53 | 5_353 | 5_355 | 137)),
        beside: never,
    },
];

fn row<'c>((_, name): &'c Pair, capture: &'c Capture) -> impl Iterator<Item = &'c Json> {
    capture.rows.iter().filter(move |r| r["name"].as_str().is_some_and(|n| n.to_lowercase() == *name))
}

/// The ports of `addr.port-addr.port`.
fn ports(flow: &str) -> Vec<u16> {
    flow.split('-').filter_map(|end| end.rsplit('.').next()?.parse().ok()).collect()
}

/// The same name between the same ports, with IPv6 addresses here and IPv4 there.
fn inner((ours, name): &Pair, (theirs, other): &Pair) -> bool {
    let sorted = |flow| {
        let mut ports = ports(flow);
        ports.sort_unstable();
        ports
    };
    name == other && sorted(ours) == sorted(theirs) && ours.contains(':') && !theirs.contains(':')
}

/// A name of ours as tshark writes it: escapes undone, octets above 127 lost, control characters as in C.
fn as_oracle(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let number = |digits: Option<&[u8]>, radix| digits.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, radix).ok());
        (rest, _) = match (first, after) {
            (b'\\', [b'x', digits @ ..]) if number(digits.get(..2), 16).is_some() => {
                (&digits[2..], bytes.extend(number(digits.get(..2), 16)))
            }
            (b'\\', digits) if number(digits.get(..3), 10).is_some() => (&digits[3..], bytes.extend(number(digits.get(..3), 10))),
            (b'\\', [escaped, after @ ..]) => (after, bytes.push(*escaped)),
            _ => (after, bytes.push(*first)),
        };
    }
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            0..0x20 => text.push_str(&format!("\\{byte:03o}")),
            0x80.. => text.push('\u{fffd}'),
            _ => text.push(char::from(byte)),
        }
    }
    text
}

/// Every capture with a difference, and how many pairs there were: expected, found, ours.
fn compare(kind: &str) -> Option<(Vec<Capture>, [usize; 3])> {
    let captures = shared::captures()?;
    let mut differing = Vec::new();
    let mut sums = [0; 3];
    let all = expectations(&captures, "all.txt", "tshark");
    let folder = |name: &str| name.split('/').next().map(str::to_string);
    let covered: BTreeSet<_> = all.iter().filter(|(_, rows)| !rows.is_empty()).map(|(name, _)| folder(name)).collect();
    for (name, rows) in all {
        let expected = pairs(&rows, kind, "name");
        let rows = dissect(&captures.join(&name));
        let seen = pairs(&rows, kind, "name");
        let missed: Vec<Pair> = expected.keys().filter(|p| !seen.contains_key(*p)).cloned().collect();
        let beside: Vec<Pair> = seen.keys().filter(|p| !expected.contains_key(*p)).cloned().collect();
        for (sum, more) in sums.iter_mut().zip([expected.len(), expected.len() - missed.len(), seen.len()]) {
            *sum += more;
        }
        if !missed.is_empty() || !beside.is_empty() {
            let covered = covered.contains(&folder(&name));
            differing.push(Capture { name, missed, beside, rows, covered });
        }
    }
    Some((differing, sums))
}

/// What the file of differences says about one kind of name: missed and beside, by kind of difference.
fn explained(names: &str) -> BTreeMap<String, (usize, usize)> {
    let text = std::fs::read_to_string(root().join("tests/oracle/differences.toml")).expect("the file of differences");
    let table: toml::Table = text.parse().expect("TOML");
    let rows = table[names].as_array().expect("rows");
    let count = |row: &toml::Value, key: &str| row[key].as_integer().and_then(|n| usize::try_from(n).ok()).expect("a number");
    rows.iter()
        .map(|row| {
            assert!(row["why"].as_str().is_some_and(|why| why.len() > 20), "{row} says no reason");
            (row["kind"].as_str().expect("a kind").to_string(), (count(row, "missed"), count(row, "beside")))
        })
        .collect()
}

fn check(names: &str) {
    let Some((captures, [expected, found, ours])) = compare(names) else { return };
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for capture in &captures {
        for pair in &capture.missed {
            match KINDS.iter().find(|k| (k.missed)(pair, capture)) {
                Some(kind) => counts.entry(kind.name.into()).or_default().0 += 1,
                None => unexplained.push(format!("{}: missed {pair:?}", capture.name)),
            }
        }
        for pair in &capture.beside {
            match KINDS.iter().find(|k| (k.beside)(pair, capture)) {
                Some(kind) => counts.entry(kind.name.into()).or_default().1 += 1,
                None => unexplained.push(format!("{}: beside {pair:?}", capture.name)),
            }
        }
    }
    println!("{names}: {found} of {expected} found, {} beside; differences {counts:?}", ours - found);
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(counts, explained(names), "found, and what tests/oracle/differences.toml explains");
}

#[test]
fn names_asked_for() {
    check("dns");
}

#[test]
fn hosts_of_requests() {
    check("http");
}

#[test]
fn names_are_written_as_the_oracle_does() {
    assert_eq!(as_oracle(r"a\xf2b\013c\026d\\e\.f"), "a\u{fffd}b\\rc\\032d\\e.f");
    assert_eq!(ports("192.0.2.1.53-2001:db8::1.4000"), [53, 4_000]);
}
