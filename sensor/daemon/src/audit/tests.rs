//! Whatever is changed in a log is found: every byte of every column, every order, every length.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use ringfence_core::time::Timestamp;
use rusqlite::Connection;

use super::read::{Log, entry_line, head_line, read};
use super::*;
use crate::store::{self, Audit, Changes, Store};

fn acts(n: u64) -> Vec<Audit> {
    let at = Timestamp::from_secs_nanos(1_795_434_420 + n, 5);
    let one = |by: &str, action, detail: &str| Audit { at, by: by.into(), action, detail: detail.into() };
    vec![one("sensor", "alarm", "loss mirror0: 3 %"), one("API", "reload", "segments: 1 added\n\"quoted\" \u{1b} ümlaut")]
}

/// A log of 20 entries in 10 writes.
fn filled(dir: &Path) -> Log {
    let mut store = Store::open(dir).expect("opens");
    (0..10).for_each(|n| store.write(&Changes { audit: acts(n), ..Changes::default() }).expect("written"));
    read(&dir.join(store::FILE)).expect("readable")
}

fn key(dir: &Path) -> PublicKey {
    PublicKey::from_pem(&fs::read_to_string(dir.join(signer::PUBLIC)).expect("there")).expect("a key")
}

fn anchored(dir: &Path) -> Vec<Head> {
    let text = fs::read_to_string(dir.join(anchor::FILE)).expect("there");
    anchor::heads(&text).into_iter().map(|(_, head)| head.expect("a head")).collect()
}

fn faults(log: Log, anchored: &[Head], key: &PublicKey) -> Vec<Broken> {
    verify(log.entries, &log.heads, anchored, key).broken
}

fn copy(log: &Log) -> Log {
    Log { entries: log.entries.clone(), heads: log.heads.clone() }
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let log = filled(dir.path());
    assert_eq!((log.entries.len(), log.heads.len()), (20, 10));
    let anchored = anchored(dir.path());
    assert_eq!(anchored.iter().map(|h| h.seq).collect::<Vec<_>>(), [2, 18], "the first one, and one after sixteen");
    let checked = verify(log.entries, &log.heads, &anchored, &key(dir.path()));
    assert_eq!((checked.broken, checked.first, checked.anchored_to), (vec![], 1, 18));
    // The next run goes on with the same chain and the same key.
    let mut store = Store::open(dir.path()).expect("opens");
    store.write(&Changes { audit: acts(11), ..Changes::default() }).expect("written");
    let log = read(&dir.path().join(store::FILE)).expect("readable");
    assert_eq!(log.entries.len(), 22);
    assert_eq!(faults(log, &self::anchored(dir.path()), &key(dir.path())), []);
}

/// Flips one bit so that the text stays one.
fn flip(text: &str, at: &Index) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = at.index(chars.len());
    chars[at] = char::from_u32(chars[at] as u32 ^ 1).expect("a neighbour");
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_flipped_byte_is_found_in_every_column(row in any::<Index>(), at in any::<Index>()) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (log, key) = (filled(dir.path()), key(dir.path()));
        let path = dir.path().join(store::FILE);
        let tables: [(&str, &[&str], u64); 2] = [("audit", &["at", "who", "action", "detail", "hash"], 20), ("audit_heads", &["at", "hash", "signature"], 10)];
        for (table, columns, rows) in tables {
            for column in columns {
                let rowid = 1 + row.index(rows as usize) as u64;
                let connection = Connection::open(&path).expect("opens");
                let was: String = connection.query_row(&format!("SELECT {column} FROM {table} WHERE rowid = {rowid}"), [], |r| r.get(0)).expect("a text");
                let set = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = {rowid}");
                connection.execute(&set, [flip(&was, &at)]).expect("written");
                let found = faults(read(&path).expect("readable"), &[], &key);
                prop_assert!(!found.is_empty(), "{table} {column} {rowid}");
                connection.execute(&set, [was]).expect("put back");
            }
        }
        prop_assert_eq!(faults(read(&path).expect("readable"), &[], &key), faults(log, &[], &key));
    }
}

#[test]
fn every_byte_of_an_export_counts() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (log, key) = (filled(dir.path()), key(dir.path()));
    let lines = log.entries.into_iter().take(2).map(entry_line).chain(log.heads.into_iter().take(1).map(head_line));
    let text: String = lines.map(|l| l + "\n").collect();
    let path = dir.path().join("export.jsonl");
    fs::write(&path, &text).expect("written");
    assert_eq!(faults(read(&path).expect("readable"), &[], &key), []);
    for at in 0..text.len() {
        for bit in [0, 5, 7] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).expect("written");
            let found = read(&path).map_or(true, |log| !faults(log, &[], &key).is_empty());
            assert!(found, "bit {bit} of byte {at}: {}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn every_byte_of_an_anchor_counts() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (log, key) = (filled(dir.path()), key(dir.path()));
    let text = fs::read_to_string(dir.path().join(anchor::FILE)).expect("there");
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let heads: Result<Vec<Head>, &str> = anchor::heads(&text).into_iter().map(|(_, head)| head).collect();
        assert!(heads.is_err() || !faults(copy(&log), &heads.unwrap_or_default(), &key).is_empty(), "byte {at}");
    }
}

#[test]
fn an_anchor_that_was_torn_is_no_fault_and_is_mended() {
    let dir = tempfile::tempdir().expect("temporary folder");
    filled(dir.path());
    let path = dir.path().join(anchor::FILE);
    let whole = fs::read(&path).expect("there");
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).expect("written");
        assert!(anchored(dir.path()).iter().all(|h| key(dir.path()).holds(h)), "cut at {len}");
    }
    let mut store = Store::open(dir.path()).expect("opens");
    store.write(&Changes { audit: acts(11), ..Changes::default() }).expect("written");
    assert_eq!(anchored(dir.path()).iter().map(|h| h.seq).collect::<Vec<_>>(), [2, 22]);
}

#[test]
fn what_was_taken_out_put_in_or_moved_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (log, key, anchored) = (filled(dir.path()), key(dir.path()), anchored(dir.path()));
    let said = |change: &dyn Fn(&mut Log)| {
        let mut log = copy(&log);
        change(&mut log);
        faults(log, &anchored, &key).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let check = |change: &dyn Fn(&mut Log), expect: &str| {
        let said = said(change);
        assert!(said.contains(expect), "{said}");
    };
    check(&|l| drop(l.entries.remove(7)), "entry 9: stands where entry 8 should be");
    check(&|l| l.entries.swap(3, 4), "entry 5: stands where entry 4 should be");
    check(&|l| l.entries.insert(5, l.entries[5].clone()), "entry 6: stands where entry 7 should be");
    check(&|l| l.entries[9].seq = 11, "entry 11: stands where entry 10 should be");
    check(&|l| drop(l.entries.drain(..4)), "no entry says that older ones were removed");
    check(&|l| drop(l.entries.drain(16..)), "the log ends at entry 16");
    check(&|l| drop((l.entries.drain(16..), l.heads.drain(8..))), "entry 18: was there when its anchored head was made");
    check(&|l| *l = Log::default(), "entry 18: was there when its anchored head was made");
    check(&|l| drop(l.heads.pop()), "entry 19: and all after it, up to 20, are signed by nobody");
}

/// Who can write the store, but has not got the key, makes every hash anew: the signatures stand against it.
#[test]
fn hashes_made_anew_do_not_help() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (mut log, key) = (filled(dir.path()), key(dir.path()));
    log.entries[19].detail = "nothing happened".into();
    let before = log.entries[18].hash.clone();
    log.entries[19].hash = log.entries[19].hash_after(&before);
    assert_eq!(faults(copy(&log), &[], &key)[0].to_string(), "entry 20: is not the one that its signed head was made for");
    let other = tempfile::tempdir().expect("temporary folder");
    let forger = Signer::open(other.path()).expect("a key");
    *log.heads.last_mut().expect("ten") = forger.sign(20, &log.entries[19].hash, "2026-11-23T00:00:00Z");
    assert_eq!(faults(log, &[], &key)[0].to_string(), "entry 20: the signature of its signed head does not hold");
}

#[test]
fn entries_from_before_the_chain_are_chained() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join(store::FILE);
    let first = Connection::open(&path).expect("opens");
    first.execute_batch(store::FIRST).expect("tables of the first version");
    first.execute_batch("PRAGMA user_version = 1; INSERT INTO audit (at, action, detail) VALUES ('2026-11-23T00:00:00Z', 'start', 'x'), ('2026-11-23T00:00:01Z', 'stop', 'y')").expect("rows");
    drop(first);
    let mut store = Store::open(dir.path()).expect("upgraded");
    store.write(&Changes { audit: acts(0), ..Changes::default() }).expect("written");
    let log = read(&path).expect("readable");
    assert_eq!(
        log.entries.iter().map(|e| (e.seq, &*e.by, &*e.action)).collect::<Vec<_>>()[..3],
        [(1, "sensor", "start"), (2, "sensor", "stop"), (3, "sensor", "alarm")]
    );
    assert_eq!(faults(log, &anchored(dir.path()), &key(dir.path())), []);
    // Once it was signed, hashes that are missing are not made again.
    let connection = Connection::open(&path).expect("opens");
    connection.execute("UPDATE audit SET hash = '', detail = 'z'", []).expect("written");
    drop(Store::open(dir.path()).expect("opens"));
    assert!(!faults(read(&path).expect("readable"), &[], &key(dir.path())).is_empty());
}

/// The same bytes by other programs: `docs/audit.md` shows how.
#[test]
fn a_known_answer() {
    let entry = Entry {
        seq: 1,
        at: "2026-11-23T00:00:00Z".into(),
        by: "sensor".into(),
        action: "start".into(),
        detail: "ü".into(),
        hash: String::new(),
    };
    assert_eq!(entry.hash_after(chain::GENESIS), "56b6a8a5cf1c3a4326d44e102f57fa51cab5f24aade94bfd7d91bfe10af4272a");
}

#[test]
fn a_patrol_tells_a_whole_log_from_a_broken_one() {
    let dir = tempfile::tempdir().expect("temporary folder");
    filled(dir.path());
    let file = dir.path().join(store::FILE);
    let round = || patrol::round(&file, &key(dir.path()));
    let whole = round();
    assert_eq!((whole.entries, whole.broken, whole.at.is_some()), (20, None, true));
    // The daemon that writes the log and the patrol are one process: the writer goes on after a round.
    let mut writer = Store::open(dir.path()).expect("opens");
    assert_eq!(round().broken, None);
    writer.write(&Changes { audit: acts(12), ..Changes::default() }).expect("written");
    assert_eq!((round().entries, round().broken), (22, None));
    Connection::open(&file).expect("opens").execute("UPDATE audit SET detail = 'nothing' WHERE seq = 7", []).expect("changed");
    assert!(round().broken.is_some_and(|why| why.starts_with("entry 7: ")));
    fs::write(dir.path().join(anchor::FILE), "no head\n").expect("written");
    assert_eq!(round().broken, Some("audit.heads: line 1 is no head".to_string()));
}
