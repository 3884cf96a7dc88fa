//! Use that began under a waiver and went on after its end.

use super::{WINDOWS, at, documented, host, web};
use crate::host::Lab;
use crate::office::OFFICE;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut laptop = host("laptop-pr-31", WINDOWS, documented(0x73), OFFICE, 73, 0);
    laptop.boot(lab);
    for minute in [20, 80] {
        at(&mut laptop, minute);
        web(&mut laptop, lab);
    }
}
