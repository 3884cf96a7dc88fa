//! A waiver that is taken back while it runs.

use super::{WINDOWS, at, documented, host, web};
use crate::host::Lab;
use crate::office::OFFICE;

/// The story.
pub fn tell(lab: &mut Lab) {
    for (name, last, minutes) in [("laptop-pr-32", 0x74, [20, 80]), ("laptop-pr-33", 0x75, [10, 30])] {
        let mut laptop = host(name, WINDOWS, documented(last), OFFICE, last, 0);
        laptop.boot(lab);
        for minute in minutes {
            at(&mut laptop, minute);
            web(&mut laptop, lab);
        }
    }
}
