//! A router in front of two hundred devices, of which three use the app.

use super::{LINUX, app, at, documented, host, surf, web};
use crate::host::Lab;
use crate::mmtls::Installation;
use crate::office::OFFICE;

/// The VLAN between the router and the sensor; in no segment.
const TRANSIT: u16 = 99;

/// The story.
pub fn tell(lab: &mut Lab) {
    let router = documented(0x02);
    for last in 10..210_u8 {
        let mut host = host("somebody", LINUX, documented(0xff), OFFICE, last, u64::from(last) / 4);
        host.behind = Some((router, TRANSIT));
        match last {
            20 => web(&mut host, lab),
            77 | 150 => {
                let installation = Installation::new("android-34", &mut host.rng);
                app(&mut host, lab, &installation);
            }
            _ => surf(&mut host, lab),
        }
        at(&mut host, 110);
        if last == 20 {
            web(&mut host, lab);
        }
    }
}
