//! A laptop with two NICs in the register: by cable at its desk, by radio as a guest.

use super::{WINDOWS, at, documented, host, web};
use crate::host::Lab;
use crate::office::{GUEST, OFFICE};

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut cable = host("laptop-two-01", WINDOWS, documented(0x71), OFFICE, 71, 0);
    cable.boot(lab);
    at(&mut cable, 5);
    web(&mut cable, lab);
    let mut radio = host("laptop-two-01", WINDOWS, documented(0x72), GUEST, 72, 1);
    radio.boot(lab);
    at(&mut radio, 40);
    web(&mut radio, lab);
}
