//! A phone that makes a new hardware address for the afternoon, and keeps its name.

use super::{ANDROID, app, at, host, random};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::GUEST;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut phone = host("Pixel-of-a-guest", ANDROID, random(11), GUEST, 121, 0);
    let installation = Installation::new("android-34", &mut phone.rng);
    phone.boot(lab);
    at(&mut phone, 4);
    app(&mut phone, lab, &installation);
    // Gone for half an hour; the network is joined anew with another address.
    phone.mac = random(12);
    at(&mut phone, 60);
    phone.roam(lab, GUEST, 122);
    at(&mut phone, 62);
    app(&mut phone, lab, &installation);
}
