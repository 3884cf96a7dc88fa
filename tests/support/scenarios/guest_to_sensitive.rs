//! A phone with the app on guest Wi-Fi, later silent in the sensitive VLAN.

use super::{ANDROID, app, at, host, random, surf};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::{GUEST, SERVERS};

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut phone = host("Mate-of-a-guest", ANDROID, random(21), GUEST, 125, 0);
    let installation = Installation::new("android-34", &mut phone.rng);
    phone.boot(lab);
    at(&mut phone, 6);
    app(&mut phone, lab, &installation);
    at(&mut phone, 70);
    phone.roam(lab, SERVERS, 78);
    surf(&mut phone, lab);
    // Another guest moves the same way and never had the app.
    let mut quiet = host("Pixel-of-a-guest", ANDROID, random(22), GUEST, 126, 0);
    quiet.boot(lab);
    surf(&mut quiet, lab);
    at(&mut quiet, 71);
    quiet.roam(lab, SERVERS, 79);
    surf(&mut quiet, lab);
}
