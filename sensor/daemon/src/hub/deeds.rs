//! What operators do to the running sensor: each kind of deed in a file of its own. A deed is on disk, and in the audit log, before it
//! is answered.

mod acknowledge;
mod devices;
mod erase;
pub(super) mod resolve;
mod waivers;

use super::Hub;
use crate::control::Refusal;

/// Characters of a note or a reason.
const TEXT_MAX: usize = 500;

impl Hub {
    /// Writes what a deed changed. What is not on disk has not been done.
    fn commit(&mut self) -> Result<(), Refusal> {
        self.settle();
        if self.store_view.problem.is_empty() { Ok(()) } else { Err(Refusal::Unavailable(self.store_view.problem.clone())) }
    }
}

/// What an operator wrote, as long as it is of sensible length and without control characters.
fn text(what: &str, given: &str) -> Result<String, Refusal> {
    let given = given.trim();
    if given.chars().count() > TEXT_MAX {
        return Err(Refusal::Invalid(vec![format!("the {what} has more than {TEXT_MAX} characters")]));
    }
    if given.chars().any(char::is_control) {
        return Err(Refusal::Invalid(vec![format!("the {what} has control characters in it")]));
    }
    Ok(given.to_string())
}
