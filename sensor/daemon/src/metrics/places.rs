//! What the families say that count by segment. Every series begins at 0 with its segment, so that its first step is seen.

use ringfence_core::coverage::Blind;

use super::scrape::{Samples, Scrape};

pub fn unjudgeable(scrape: &Scrape<'_>, out: &mut Samples) {
    for kind in Blind::ALL {
        out.add(&[kind.name()], scrape.status.blind.get(kind.name()).copied().unwrap_or(0) as f64);
    }
}

pub fn unjudgeable_by_segment(scrape: &Scrape<'_>, out: &mut Samples) {
    for segment in &scrape.status.segments {
        for kind in Blind::ALL {
            let count = segment.blind.get(kind.name()).copied().unwrap_or(0);
            out.add(&[scrape.segment(&segment.name), kind.name()], count as f64);
        }
    }
}

pub fn waivers(scrape: &Scrape<'_>, out: &mut Samples) {
    for view in &scrape.status.waivers {
        let (standing, named) = (view.standing.name(), &view.held.waiver.segments);
        named.iter().for_each(|segment| out.add(&[scrape.segment(segment), standing], 1.0));
    }
}
