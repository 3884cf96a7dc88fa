//! A whole worker under fuzzing: frames of any link type, cut or whole, seconds or hours apart.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::decode::Frame;
use crate::diagnostic::Diagnostics;
use crate::dissect;
use crate::evidence::{Evidence, HIT_VALUE_MAX};
use crate::rules::{RuleFile, RuleSet, SERVER};
use crate::time::Timestamp;
use crate::worker::{Output, RecordContext, Worker};

/// Link types of the pcap registry that are decoded, and one that is not.
const LINK_TYPES: [u16; 20] = [1, 0, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 119, 127, 163, 204, 228, 229, 276, 999];

/// Steps of time between two frames, in seconds.
const STEPS: [u64; 4] = [0, 1, 61, 1_000];

/// Rules that look at names of every kind.
const RULES: &str = r#"
app = "fuzz"
title = "Fuzz"
source = "nowhere"

[[names]]
id = "fuzz.name"
class = "api"
confidence = "high"
surface = "app"
names = [".example.org", ".qq.com"]
maturity = "stable"
hits = ["a.example.org"]
misses = ["example.net"]
"#;

/// Statements that one frame may cause: a message of 256 answers, each with a few indicators, and what it evicts.
const EVIDENCE_PER_FRAME: usize = 4_096;

/// `data`: for each frame a byte (link type in the low 5 bits, a step of time in the high 2, bit 5 says that it was cut), its
/// length in two bytes, and its bytes.
pub(super) fn run(data: &[u8]) {
    let mut worker = Worker::new(0, rules(), 7);
    let mut output = Checked::default();
    let mut now = Timestamp::from_secs_nanos(1_700_000_000, 0);
    let mut rest = data;
    let mut frames = 0usize;
    while let Some(([how, high, low], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, next) = after.split_at(length.min(after.len()));
        rest = next;
        now = now.after(Duration::from_secs(STEPS[usize::from(how >> 6)]));
        let link_type = LINK_TYPES[usize::from(how & 0x1f) % LINK_TYPES.len()];
        let wire_len = bytes.len() as u32 + if how & 0x20 == 0 { 0 } else { 100 };
        worker.frame(&Frame { ts: now, link_type, interface: 0, bytes, wire_len, vlan: None }, &mut output);
        frames += 1;
    }
    worker.finish(&mut output);
    let tally = worker.tally();
    assert_eq!(tally.frames, frames as u64);
    assert_eq!(tally.held(), 0, "bytes are held by flows that are gone");
    assert!(tally.dissected <= tally.flows + tally.frames * 4);
    assert!(output.statements <= (frames + 1) * EVIDENCE_PER_FRAME, "{} statements of {frames} frames", output.statements);
}

fn rules() -> Arc<RuleSet> {
    static RULE_SET: OnceLock<Arc<RuleSet>> = OnceLock::new();
    let build = || {
        let fields: Vec<_> = dissect::fields().chain([&SERVER]).collect();
        let mut found = Diagnostics::default();
        let file = RuleFile::parse("fuzz.toml", RULES, &fields, &mut found);
        let set = RuleSet::build(&[vec![file]], &fields, &mut found);
        assert!(!found.has_errors(), "{found:?}");
        Arc::new(set)
    };
    Arc::clone(RULE_SET.get_or_init(build))
}

/// Checks every statement.
#[derive(Default)]
struct Checked {
    statements: usize,
}

fn printable(text: &str) -> bool {
    text.len() <= HIT_VALUE_MAX + 8 && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

impl Output for Checked {
    fn evidence(&mut self, evidence: Evidence) {
        self.statements += 1;
        match evidence {
            Evidence::Sign(sign) => {
                assert!(sign.hits.iter().all(|h| printable(&h.value)), "{:?}", sign.hits);
                assert!(sign.beside.iter().all(|(_, v)| printable(v)), "{:?}", sign.beside);
            }
            Evidence::Bound(bound) => {
                assert!([&bound.name, &bound.vendor_class].into_iter().flatten().all(|t| printable(t)), "{bound:?}");
            }
            Evidence::Suffix(suffix) => assert!(suffix.len() <= 1_024, "a suffix of {} bytes", suffix.len()),
            _ => {}
        }
    }

    fn record(&mut self, context: &RecordContext, _record: &dyn crate::record::Record) {
        assert!(context.ts >= Timestamp::ZERO);
    }

    fn wants_records(&self) -> bool {
        true
    }
}
