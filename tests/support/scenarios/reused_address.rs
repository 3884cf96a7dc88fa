//! Two phones have the same address, an hour apart.

use super::{ANDROID, app, at, host, random, surf};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::GUEST;
use crate::office::names::QQ;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut first = host("Pixel-first", ANDROID, random(1), GUEST, 120, 0);
    let installation = Installation::new("android-34", &mut first.rng);
    first.boot(lab);
    at(&mut first, 3);
    app(&mut first, lab, &installation);
    at(&mut first, 30);
    first.release(lab);
    let mut second = host("Redmi-second", ANDROID, random(2), GUEST, 120, 60);
    second.boot(lab);
    surf(&mut second, lab);
    at(&mut second, 64);
    second.oicq(lab, lab.find(QQ[2]).v4, 1_444_000_321, 6);
    second.call(lab, QQ[1]);
}
