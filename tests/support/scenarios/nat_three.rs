//! A guest's travel router with three installations behind it.

use super::{LINUX, app, at, documented, host, surf};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::GUEST;

/// The story.
pub fn tell(lab: &mut Lab) {
    let mut router = host("travel-router-2", LINUX, documented(0x78), GUEST, 128, 0);
    router.boot(lab);
    router.ttl = 63;
    for (index, device) in ["android-33", "iOS17.2", "android-27"].into_iter().enumerate() {
        let installation = Installation::new(device, &mut router.rng);
        for minute in [5 + index as u64, 40 + index as u64] {
            at(&mut router, minute);
            app(&mut router, lab, &installation);
        }
    }
    at(&mut router, 90);
    surf(&mut router, lab);
}
