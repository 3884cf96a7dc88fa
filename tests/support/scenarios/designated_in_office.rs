//! Two designated devices in the office: one is silent, one uses the app there.

use super::{ANDROID, app, at, documented, host, surf};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::OFFICE;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut silent = host("tablet-travel-02", ANDROID, documented(0x42), OFFICE, 42, 0);
    silent.boot(lab);
    at(&mut silent, 5);
    surf(&mut silent, lab);
    let mut talking = host("phone-press-01", ANDROID, documented(0x41), OFFICE, 41, 1);
    let installation = Installation::new("android-34", &mut talking.rng);
    talking.boot(lab);
    at(&mut talking, 20);
    app(&mut talking, lab, &installation);
}
