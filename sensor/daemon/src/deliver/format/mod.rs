//! The forms in which an event leaves: each in a file of its own, all in one table. A form must not know how it is carried.

pub mod cef;
pub mod ecs;
pub mod eve;
pub mod json;
pub mod ocsf;
pub mod text;

use super::Event;

/// Makes one line, without its end, of an event.
pub type Render = fn(&Event) -> String;

/// A form.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The word in the configuration.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Makes it.
    pub render: Render,
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const fn format(name: &'static str, about: &'static str, render: Render) -> Format {
    Format { name, about, render }
}

/// Every form.
pub static FORMATS: &[Format] = &[
    format("json", "our own: everything that there is (docs/schema/event.json)", json::line),
    format("eve", "Suricata's EVE, event type alert (docs/schema/eve.json)", eve::line),
    format("ecs", "Elastic Common Schema 8.17 (docs/schema/ecs.json)", ecs::line),
    format("ocsf", "OCSF 1.6.0, Compliance Finding and Detection Finding (docs/schema/ocsf.json)", ocsf::line),
    format("cef", "Common Event Format 0", cef::line),
    format("text", "one sentence for people; over syslog with structured data", text::line),
];

/// The form of a name.
pub fn named(name: &str) -> Option<Format> {
    FORMATS.iter().find(|f| f.name == name).copied()
}

/// Keys whose values have more than so many characters.
pub(super) fn cut(pairs: &[(&'static str, String)], max: usize) -> Vec<&'static str> {
    pairs.iter().filter(|(_, text)| text.chars().nth(max).is_some()).map(|(key, _)| *key).collect()
}

/// At most so many characters of a text, with a sign where some are missing.
pub(super) fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_string(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
pub(super) mod tests;
