//! Two phones with the same name, one after the other: a different system, so not a rotation.

use super::{ANDROID, LINUX, app, at, host, random};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::GUEST;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut phone = host("tester-phone", ANDROID, random(13), GUEST, 123, 0);
    let installation = Installation::new("android-34", &mut phone.rng);
    phone.boot(lab);
    at(&mut phone, 4);
    app(&mut phone, lab, &installation);
    // The same name and vendor class, but it asks for other options.
    let mut other = host("tester-phone", (ANDROID.0, LINUX.1), random(14), GUEST, 124, 60);
    let installation = Installation::new("android-35", &mut other.rng);
    other.boot(lab);
    at(&mut other, 62);
    app(&mut other, lab, &installation);
}
