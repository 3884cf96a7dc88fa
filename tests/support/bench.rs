//! What the packet path costs: programs run in turn, their processor time and memory, and curves of how costs grow.
//!
//! Must not know how the product works inside: it sees files, output, processor time and memory.

pub mod checks;
pub mod compare;
pub mod growth;
pub mod program;
pub mod svg;

/// The middle of some figures, and half the distance between the quartiles beside it, as a share.
pub fn median(figures: &[f64]) -> (f64, f64) {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted.get(((sorted.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(0.0);
    let middle = at(0.5);
    (middle, if middle > 0.0 { (at(0.75) - at(0.25)) / 2.0 / middle } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_does_not_mind_one_that_is_far_off() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), (2.0, 0.25));
        assert_eq!(median(&[1.0, 1.0, 1.0, 1.0, 900.0]), (1.0, 0.0));
        assert_eq!(median(&[]), (0.0, 0.0));
    }
}
