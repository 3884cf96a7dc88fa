//! A laptop without IPv4 that takes a new temporary address every half hour.

use super::{WINDOWS, at, documented, host, surf, web};
use crate::host::Lab;
use crate::office::OFFICE;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut laptop = host("laptop-six", WINDOWS, documented(0x76), OFFICE, 76, 0);
    laptop.v6_only = true;
    laptop.boot(lab);
    at(&mut laptop, 2);
    surf(&mut laptop, lab);
    for minute in [10, 40, 70, 100] {
        at(&mut laptop, minute);
        laptop.take_temporary_address(lab);
        web(&mut laptop, lab);
    }
    // A neighbour does the same without the app.
    let mut quiet = host("laptop-six-b", WINDOWS, documented(0x77), OFFICE, 77, 1);
    quiet.v6_only = true;
    quiet.boot(lab);
    for minute in [12, 42, 72] {
        at(&mut quiet, minute);
        quiet.take_temporary_address(lab);
        surf(&mut quiet, lab);
    }
}
