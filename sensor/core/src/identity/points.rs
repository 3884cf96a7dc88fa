//! Statements about an address, in the order of time: late ones fall into their place, and there are never many.

use std::time::Duration;

use super::host::Point;
use crate::time::Timestamp;

/// Statements of one MAC and source within this span count as one.
const POINT_SLOT: Duration = Duration::from_secs(10);

/// Statements newer than this are all kept, so that late ones fall into their place; of older ones only the changes.
const SETTLED: Duration = Duration::from_secs(15 * 60);

/// Statements kept per address and strength before the settled ones are thinned out, and at most.
const POINTS_SOFT: usize = 32;
const POINTS_MAX: usize = 256;

fn slot(point: &Point) -> u64 {
    point.ts.secs() / POINT_SLOT.as_secs()
}

/// Puts a statement into its place, or into the one that it repeats.
pub fn put(points: &mut Vec<Point>, point: Point) {
    let from = points.partition_point(|p| slot(p) < slot(&point));
    let near = points.iter_mut().skip(from).take_while(|p| slot(p) == slot(&point));
    let same = |p: &&mut Point| (p.mac, p.source, p.released) == (point.mac, point.source, point.released);
    if let Some(known) = near.filter(same).last() {
        known.ts = known.ts.min(point.ts);
        known.until = known.until.max(point.until);
        known.relayed |= point.relayed;
        points.sort_unstable();
    } else {
        let at = points.partition_point(|p| *p < point);
        points.insert(at, point);
    }
    thin(points);
}

/// Drops settled statements that change nothing; what they said is added to the one before.
fn thin(points: &mut Vec<Point>) {
    if points.len() <= POINTS_SOFT {
        return;
    }
    let settled = points.last().map_or(Timestamp::ZERO, |p| p.ts.before(SETTLED));
    let settled = points.partition_point(|p| p.ts < settled);
    let alike = |a: &Point, b: &Point| a.mac == b.mac && !a.released && !b.released;
    let changes_nothing = |three: &[Point]| three.windows(2).all(|pair| matches!(pair, [a, b] if alike(a, b)));
    let old = points.get(..settled).unwrap_or_default();
    // Mostly none or one has settled since the last call, so the others are not looked at.
    if old.windows(3).any(changes_nothing) {
        let mut kept: Vec<Point> = Vec::with_capacity(settled);
        for (i, point) in old.iter().enumerate() {
            match kept.last_mut() {
                Some(last) if alike(last, point) && old.get(i + 1).is_some_and(|next| alike(point, next)) => {
                    last.until = last.until.max(point.until);
                    last.source = last.source.min(point.source);
                    last.relayed |= point.relayed;
                }
                _ => kept.push(*point),
            }
        }
        points.splice(..settled, kept);
    }
    let excess = points.len().saturating_sub(POINTS_MAX);
    points.drain(..excess);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::Mac;
    use crate::record::BindingSource;

    /// The same, looking at all of them each time.
    fn put_naively(points: &mut Vec<Point>, point: Point) {
        let key = |p: &Point| (slot(p), p.mac, p.source, p.released);
        if let Some(known) = points.iter_mut().rev().find(|p| key(p) == key(&point)) {
            known.ts = known.ts.min(point.ts);
            known.until = known.until.max(point.until);
            known.relayed |= point.relayed;
            points.sort_unstable();
        } else {
            points.insert(points.partition_point(|p| *p < point), point);
        }
        if points.len() <= POINTS_SOFT {
            return;
        }
        let settled = points.last().map_or(Timestamp::ZERO, |p| p.ts.before(SETTLED));
        let mut kept: Vec<Point> = Vec::new();
        for (i, point) in points.iter().enumerate() {
            let next_same = points.get(i + 1).is_some_and(|n| n.mac == point.mac && !n.released && n.ts < settled);
            match kept.last_mut() {
                Some(last) if last.mac == point.mac && !last.released && !point.released && next_same => {
                    last.until = last.until.max(point.until);
                    last.source = last.source.min(point.source);
                    last.relayed |= point.relayed;
                }
                _ => kept.push(*point),
            }
        }
        kept.drain(..kept.len().saturating_sub(POINTS_MAX));
        *points = kept;
    }

    proptest! {
        #[test]
        fn it_is_what_a_full_look_finds(
            step in 1..40_u64,
            said in prop::collection::vec((0..60_u64, 0..3_u8, 0..3_usize, 0..40_u8, 1..90_u64, any::<bool>()), 0..700),
        ) {
            const SOURCES: [BindingSource; 3] = [BindingSource::Dhcp, BindingSource::Nd, BindingSource::Arp];
            let (mut points, mut naive) = (Vec::new(), Vec::new());
            for (n, (late, mac, source, released, holds, relayed)) in said.into_iter().enumerate() {
                let ts = Timestamp::from_secs_nanos((1_000 + n as u64 * step).saturating_sub(late * late), 0);
                let point = Point {
                    ts,
                    mac: Mac([2, 0, 0, 0, 0, mac]),
                    source: SOURCES[source],
                    until: ts.after(Duration::from_secs(holds * 60)),
                    released: released == 0,
                    relayed,
                };
                put(&mut points, point);
                put_naively(&mut naive, point);
                prop_assert_eq!(&points, &naive);
            }
        }
    }
}
