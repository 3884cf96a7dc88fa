//! A docking station brings its own NIC: two laptops use it in turn, and the same address comes with it.

use super::{Kind, LINUX, WINDOWS, at, documented, host, surf, web};
use crate::host::{Host, Lab};
use crate::office::OFFICE;
use crate::office::names::WECOM;

/// The story.
pub fn tell(lab: &mut Lab) {
    let docked = |name, kind: Kind, minute| -> Host { host(name, kind, documented(0x86), OFFICE, 86, minute) };
    let mut morning = docked("laptop-dock-a", WINDOWS, 0);
    morning.boot(lab);
    at(&mut morning, 5);
    web(&mut morning, lab);
    let mut noon = docked("laptop-dock-b", LINUX, 40);
    noon.boot(lab);
    at(&mut noon, 45);
    noon.call(lab, WECOM[0]);
    surf(&mut noon, lab);
    let mut evening = docked("laptop-dock-a", WINDOWS, 80);
    evening.boot(lab);
    at(&mut evening, 85);
    web(&mut evening, lab);
}
