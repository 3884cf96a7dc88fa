//! Two laptops behind a router that speaks with a virtual hardware address (VRRP).

use ringfence_core::net::Mac;

use super::{LINUX, documented, host, web};
use crate::host::Lab;
use crate::office::OFFICE;

/// RFC 9568 section 7.3: virtual router 10.
const VRRP: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a]);

/// The story.
pub fn tell(lab: &mut Lab) {
    for (last, minute) in [(81, 5), (82, 35)] {
        let mut laptop = host("somebody", LINUX, documented(0xff), OFFICE, last, minute);
        laptop.behind = Some((VRRP, 99));
        web(&mut laptop, lab);
    }
}
