//! What each minute added to the coverage of its hour. It must not know who watches, or who keeps it.

use std::collections::BTreeMap;

use ringfence_core::time::Timestamp;

use crate::state::{Ring, Segment, Status};
use crate::store::{Counts, Covered, Piece, Watched};

/// The figures at the end of the last piece.
#[derive(Debug, Default)]
pub struct Hours {
    at: Option<Timestamp>,
    rings: BTreeMap<(String, u16), Ring>,
    segments: BTreeMap<String, Segment>,
}

impl Hours {
    /// What has been added since the last call. Figures only grow while the process lives.
    pub fn piece(&mut self, status: &Status) -> Piece {
        let before = self.at.replace(status.at).unwrap_or(status.started);
        let seconds = status.at.since(before).as_secs_f64();
        let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
        for ring in &status.rings {
            let old = self.rings.insert((ring.interface.clone(), ring.ring), ring.clone()).unwrap_or_default();
            let row = watched.entry(ring.interface.clone()).or_insert_with(|| Watched {
                interface: ring.interface.clone(),
                seconds,
                ..Watched::default()
            });
            row.blind_seconds += (ring.blind_secs - old.blind_secs).max(0.0);
            row.frames += ring.frames.saturating_sub(old.frames);
            row.bytes += ring.bytes.saturating_sub(old.bytes);
            grown(&mut row.lost, &ring.lost, &old.lost);
            let evidence = [("evidence", ring.evidence_lost)].into();
            grown(&mut row.lost, &evidence, &[("evidence", old.evidence_lost)].into());
        }
        let covered = status.segments.iter().filter_map(|segment| self.covered(segment)).collect();
        Piece { at: status.at, watched: watched.into_values().collect(), covered }
    }

    /// `None` when nothing was added.
    fn covered(&mut self, now: &Segment) -> Option<Covered> {
        let old = self.segments.insert(now.name.clone(), now.clone()).unwrap_or_default();
        let mut row = Covered {
            segment: now.name.clone(),
            class: now.class.to_string(),
            flows: now.flows.saturating_sub(old.flows),
            frames: now.frames.saturating_sub(old.frames),
            bytes: now.bytes.saturating_sub(old.bytes),
            truncated: now.truncated.saturating_sub(old.truncated),
            ..Covered::default()
        };
        grown(&mut row.unjudgeable, &now.blind, &old.blind);
        grown(&mut row.limits, &now.limits, &old.limits);
        (row.frames > 0 || row.flows > 0 || !row.unjudgeable.is_empty()).then_some(row)
    }
}

fn grown(sum: &mut Counts, now: &BTreeMap<&'static str, u64>, old: &BTreeMap<&'static str, u64>) {
    for (name, n) in now {
        let more = n.saturating_sub(old.get(name).copied().unwrap_or(0));
        if more > 0 {
            *sum.entry((*name).to_string()).or_default() += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up_to_the_whole() {
        let at = |secs| Timestamp::from_secs_nanos(1_800_000_000 + secs, 0);
        let status = |secs: u64, frames: u64, lost: u64| Status {
            at: at(secs),
            started: at(0),
            rings: (0..2)
                .map(|ring| Ring {
                    interface: "span0".into(),
                    ring,
                    frames,
                    blind_secs: 0.5 * secs as f64,
                    lost: [("kernel", lost)].into(),
                    ..Ring::default()
                })
                .collect(),
            segments: vec![Segment {
                name: "lab".into(),
                class: "sensitive",
                frames,
                blind: [("one-way", lost)].into(),
                ..Segment::default()
            }],
            ..Status::default()
        };
        let mut hours = Hours::default();
        let pieces = [hours.piece(&status(60, 100, 0)), hours.piece(&status(120, 100, 0)), hours.piece(&status(180, 130, 7))];
        assert_eq!((pieces[0].watched[0].seconds, pieces[0].watched[0].frames, pieces[0].covered.len()), (60.0, 200, 1));
        assert_eq!((pieces[1].watched[0].frames, pieces[1].covered.len(), pieces[1].watched[0].blind_seconds), (0, 0, 60.0));
        assert_eq!((pieces[2].watched[0].frames, pieces[2].watched[0].lost["kernel"]), (60, 14));
        assert_eq!((pieces[2].covered[0].frames, pieces[2].covered[0].unjudgeable["one-way"]), (30, 7));
    }
}
