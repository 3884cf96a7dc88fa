//! Places in configuration files: problems that show only when everything is read are told where they stand.

use std::ops::Range;

use ringfence_core::diagnostic::{Document, Item, Section, Severity, nearest};

/// A place in a file.
#[derive(Clone, Debug)]
pub(super) struct Place<'d> {
    doc: &'d Document<'d>,
    span: Range<usize>,
    key: String,
}

/// A text and where it stands.
pub(super) type Text<'d> = (String, Place<'d>);

impl<'d> Place<'d> {
    pub(super) fn new(doc: &'d Document<'d>, span: Range<usize>, key: impl Into<String>) -> Self {
        Place { doc, span, key: key.into() }
    }

    pub(super) fn of<T>(doc: &'d Document<'d>, item: &Item<'_, T>) -> Self {
        Place::new(doc, item.span.clone(), item.key.to_string())
    }

    pub(super) fn error(&self, message: impl Into<String>, help: impl Into<String>) {
        self.doc.problem(Severity::Error, self.span.clone(), &self.key, message.into(), Some(help.into()));
    }

    pub(super) fn warn(&self, message: impl Into<String>, help: impl Into<String>) {
        self.doc.problem(Severity::Warning, self.span.clone(), &self.key, message.into(), Some(help.into()));
    }

    /// The place as somebody at `reader` would call it: `line 12`, or `segments.toml:12` where that is another file.
    pub(super) fn seen_from(&self, reader: &Place<'_>) -> String {
        let line = self.doc.line_of(self.span.start);
        if std::ptr::eq(self.doc, reader.doc) { format!("line {line}") } else { format!("{}:{line}", self.doc.file()) }
    }

    /// Reports that nothing of this name exists, with the nearest that does, or `otherwise`.
    pub(super) fn unknown<'c>(&self, what: &str, name: &str, known: impl IntoIterator<Item = &'c str>, otherwise: &str) {
        let help = nearest(name, known).map_or_else(|| otherwise.to_string(), |near| format!("did you mean `{near}`?"));
        self.error(format!("there is no {what} `{}`", name.escape_debug()), help);
    }

    /// Whether a name is fit for outputs and labels; reports it when it is not.
    pub(super) fn is_name(&self, name: &str) -> bool {
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let good = (1..=64).contains(&name.len()) && name.chars().all(fit);
        if !good {
            self.error(
                format!("`{}` cannot be used as a name", name.escape_debug()),
                "1 to 64 letters of a-z and A-Z, digits, `.`, `_` or `-`",
            );
        }
        good
    }
}

/// The texts of an array, with their places.
pub(super) fn texts<'d>(section: &Section<'d>, key: &str) -> Vec<Text<'d>> {
    let doc = section.document();
    section.texts(key).unwrap_or_default().iter().map(|i| (i.value.to_string(), Place::of(doc, i))).collect()
}

/// A text and its place.
pub(super) fn text<'d>(section: &Section<'d>, key: &str) -> Option<Text<'d>> {
    section.text(key).map(|i| (i.value.to_string(), Place::of(section.document(), &i)))
}

/// A text that must be there and say something.
pub(super) fn required<'d>(section: &Section<'d>, key: &str) -> Option<Text<'d>> {
    let item = section.required_text(key)?;
    let place = Place::of(section.document(), &item);
    if item.value.trim().is_empty() {
        place.error("is empty", "say it in a few words");
        return None;
    }
    Some((item.value.to_string(), place))
}

/// One of a few words that must be there.
pub(super) fn required_choice<T: Copy>(section: &Section<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    let chosen = section.choice(key, words);
    if chosen.is_none() && section.node(key).is_none() {
        section.missing(key);
    }
    chosen.map(|c| c.value)
}
