//! A laptop whose lease is not renewed: it comes back with another address.

use super::{WINDOWS, at, documented, host, surf, web};
use crate::host::Lab;
use crate::office::OFFICE;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut laptop = host("laptop-new-21", WINDOWS, documented(0x61), OFFICE, 61, 0);
    laptop.boot(lab);
    at(&mut laptop, 10);
    web(&mut laptop, lab);
    at(&mut laptop, 60);
    laptop.release(lab);
    laptop.roam(lab, OFFICE, 62);
    surf(&mut laptop, lab);
    at(&mut laptop, 75);
    web(&mut laptop, lab);
    // Somebody else gets the first address, and does nothing.
    let mut other = host("laptop-quiet-22", WINDOWS, documented(0x62), OFFICE, 61, 65);
    other.boot(lab);
    surf(&mut other, lab);
}
