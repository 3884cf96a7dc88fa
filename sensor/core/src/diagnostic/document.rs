//! Reading TOML so that nothing is missed: every unknown key, every wrong type, every missing value is a problem with its
//! line, and reading goes on.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::key_path::KeyPath;
use super::report::{Diagnostics, Problem, Severity, nearest};

/// A file's text, and the problems found in it.
#[derive(Debug)]
pub struct Document<'s> {
    file: &'s str,
    text: &'s str,
    found: RefCell<Diagnostics>,
    /// The place that was asked for last, and the number of line ends before it: what is asked for next lies mostly behind it.
    counted: Cell<(usize, usize)>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Item<'d, T> {
    /// The value.
    pub value: T,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
    /// The dotted key.
    pub key: KeyPath<'d>,
}

/// Something in the document: a table or a value with its place.
pub type Node<'d> = Item<'d, &'d DeValue<'d>>;

/// A table being read. Keys that were never asked for are reported by [`Section::finish`].
#[derive(Debug)]
pub struct Section<'d> {
    doc: &'d Document<'d>,
    table: &'d DeTable<'d>,
    /// The dotted key of the table; empty at the root.
    pub key: Rc<str>,
    /// Where the table stands.
    pub span: Range<usize>,
    asked: RefCell<Vec<Cow<'d, str>>>,
}

impl<'s> Document<'s> {
    /// A document with the name that messages shall use.
    pub fn new(file: &'s str, text: &'s str) -> Self {
        Document { file, text, found: RefCell::default(), counted: Cell::default() }
    }

    /// The name that messages use.
    pub fn file(&self) -> &'s str {
        self.file
    }

    /// Parses the text. Syntax errors are collected; what could be read comes back.
    pub fn parse(&self) -> Spanned<DeTable<'s>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.problem(Severity::Error, error.span().unwrap_or(0..0), "", error.message().to_string(), None);
        }
        table
    }

    /// The root table.
    pub fn root<'d>(&'d self, table: &'d Spanned<DeTable<'d>>) -> Section<'d> {
        Section { doc: self, table: table.get_ref(), key: "".into(), span: table.span(), asked: Section::asks() }
    }

    /// Reports a problem at a place.
    pub fn problem(&self, severity: Severity, span: Range<usize>, key: &str, message: String, help: Option<String>) {
        let (line, column, excerpt) = self.place(span.start);
        self.found.borrow_mut().push(Problem { severity, file: self.file.into(), line, column, key: key.into(), message, help, excerpt });
    }

    /// Reports an error about an item.
    pub fn error<T>(&self, item: &Item<'_, T>, message: impl Into<String>, help: Option<String>) {
        self.problem(Severity::Error, item.span.clone(), &item.key.to_string(), message.into(), help);
    }

    /// Reports a warning about an item.
    pub fn warn<T>(&self, item: &Item<'_, T>, message: impl Into<String>, help: Option<String>) {
        self.problem(Severity::Warning, item.span.clone(), &item.key.to_string(), message.into(), help);
    }

    /// Everything that was found, by line.
    pub fn finish(self) -> Diagnostics {
        let mut problems: Vec<Problem> = self.found.into_inner().problems().to_vec();
        problems.sort_by_key(|p| (p.line, p.column));
        // A table that is read for two purposes tells its problems once.
        problems.dedup();
        let mut sorted = Diagnostics::default();
        problems.into_iter().for_each(|p| sorted.push(p));
        sorted
    }

    /// The line (from 1) of a place.
    pub fn line_of(&self, at: usize) -> usize {
        self.ends_before(at.min(self.text.len())) + 1
    }

    /// Line ends before a place. They are counted on from the place before, or from the beginning.
    fn ends_before(&self, at: usize) -> usize {
        let (from, known) = Some(self.counted.get()).filter(|(from, _)| *from <= at).unwrap_or_default();
        let between = self.text.as_bytes().get(from..at).unwrap_or_default();
        let ends = known + between.iter().filter(|b| **b == b'\n').count();
        self.counted.set((at, ends));
        ends
    }

    fn place(&self, at: usize) -> (usize, usize, Option<String>) {
        let before = self.text.get(..at.min(self.text.len())).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let line = self.line_of(before.len());
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        let excerpt = self.text.get(line_start..).and_then(|rest| rest.lines().next()).map(str::to_string);
        (line, column, excerpt)
    }
}

impl<'d> Section<'d> {
    /// Room for the keys that are asked for: about two dozen, whether they are there or not.
    fn asks() -> RefCell<Vec<Cow<'d, str>>> {
        RefCell::new(Vec::with_capacity(32))
    }

    fn path(&self, key: &'d str) -> KeyPath<'d> {
        KeyPath::of_value(&self.key, key)
    }

    /// The document that it belongs to.
    pub fn document(&self) -> &'d Document<'d> {
        self.doc
    }

    /// Itself as an item, to report about.
    pub fn here(&self) -> Item<'d, ()> {
        Item { value: (), span: self.span.clone(), key: KeyPath::of_table(&self.key) }
    }

    /// The raw value of a key.
    pub fn node(&self, key: &str) -> Option<Node<'d>> {
        let Some((name, value)) = self.table.get_key_value(key) else {
            self.asked.borrow_mut().push(Cow::Owned(key.to_owned()));
            return None;
        };
        let name: &'d str = name.get_ref();
        self.asked.borrow_mut().push(Cow::Borrowed(name));
        Some(Item { value: value.get_ref(), span: value.span(), key: self.path(name) })
    }

    fn typed<T>(&self, key: &str, expected: &str, read: impl Fn(&'d DeValue<'d>) -> Option<T>) -> Option<Item<'d, T>> {
        let node = self.node(key)?;
        match read(node.value) {
            Some(value) => Some(Item { value, span: node.span, key: node.key }),
            None => {
                self.doc.error(&node, format!("must be {expected}, not {}", unlike(expected, node.value)), None);
                None
            }
        }
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<Item<'d, &'d str>> {
        self.typed(key, "a string", text_of)
    }

    /// A string that must be there.
    pub fn required_text(&self, key: &str) -> Option<Item<'d, &'d str>> {
        if !self.table.contains_key(key) {
            self.missing(key);
        }
        self.text(key)
    }

    /// Reports that a key is missing.
    pub fn missing(&self, key: &str) {
        self.asked.borrow_mut().push(Cow::Owned(key.to_owned()));
        let path = KeyPath::of_value(&self.key, key).to_string();
        self.doc.problem(Severity::Error, self.span.clone(), &path, "is missing".into(), None);
    }

    /// A string that is one of a few words, mapped to what it stands for.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<Item<'d, T>> {
        let item = self.text(key)?;
        choose(self.doc, &item, words)
    }

    /// A whole number from 0.
    pub fn number(&self, key: &str) -> Option<Item<'d, u64>> {
        self.typed(key, "a whole number from 0", |v| match v {
            DeValue::Integer(i) => u64::from_str_radix(i.as_str(), i.radix()).ok(),
            _ => None,
        })
    }

    /// A number.
    pub fn float(&self, key: &str) -> Option<Item<'d, f64>> {
        self.typed(key, "a number", |v| match v {
            DeValue::Float(f) => f.as_str().parse().ok(),
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            _ => None,
        })
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Option<Item<'d, bool>> {
        self.typed(key, "true or false", |v| if let DeValue::Boolean(b) = v { Some(*b) } else { None })
    }

    /// A string, a TOML date or a TOML date-time, as its text.
    pub fn moment(&self, key: &str) -> Option<Item<'d, String>> {
        self.typed(key, "a date or a date-time with its offset", |v| match v {
            DeValue::String(s) => Some(s.to_string()),
            DeValue::Datetime(d) => Some(d.to_string()),
            _ => None,
        })
    }

    /// An array of strings (a single string counts as an array of one). Wrong elements are reported one by one.
    pub fn texts(&self, key: &str) -> Option<Vec<Item<'d, &'d str>>> {
        let node = self.node(key)?;
        self.elements(&node, "a string", text_of)
    }

    /// An array of whole numbers (a single one counts as an array of one).
    pub fn numbers(&self, key: &str) -> Option<Vec<Item<'d, u64>>> {
        let node = self.node(key)?;
        self.elements(&node, "a whole number from 0", |v| match v {
            DeValue::Integer(i) => u64::from_str_radix(i.as_str(), i.radix()).ok(),
            _ => None,
        })
    }

    /// An array of strings and whole numbers, as text (a single one counts as an array of one).
    pub fn words(&self, key: &str) -> Option<Vec<Item<'d, String>>> {
        let node = self.node(key)?;
        self.elements(&node, "a whole number from 0 or a string", |v| match v {
            DeValue::String(s) => Some(s.to_string()),
            DeValue::Integer(i) => u64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i.to_string()),
            _ => None,
        })
    }

    fn elements<T>(&self, node: &Node<'d>, expected: &str, read: impl Fn(&'d DeValue<'d>) -> Option<T>) -> Option<Vec<Item<'d, T>>> {
        let DeValue::Array(array) = node.value else {
            return match read(node.value) {
                Some(value) => Some(vec![Item { value, span: node.span.clone(), key: node.key.clone() }]),
                None => {
                    self.doc.error(node, format!("must be {expected} or an array of them, not {}", unlike(expected, node.value)), None);
                    None
                }
            };
        };
        let mut items = Vec::new();
        for (i, element) in array.iter().enumerate() {
            let item = Item { value: element.get_ref(), span: element.span(), key: node.key.element(i) };
            match read(item.value) {
                Some(value) => items.push(Item { value, span: item.span, key: item.key }),
                None => self.doc.error(&item, format!("must be {expected}, not {}", unlike(expected, item.value)), None),
            }
        }
        Some(items)
    }

    /// A table below this one.
    pub fn section(&self, key: &str) -> Option<Section<'d>> {
        let node = self.node(key)?;
        self.section_of(node)
    }

    fn section_of(&self, node: Node<'d>) -> Option<Section<'d>> {
        match node.value {
            DeValue::Table(table) => {
                Some(Section { doc: self.doc, table, key: node.key.to_string().into(), span: node.span, asked: Section::asks() })
            }
            other => {
                self.doc.error(&node, format!("must be a table, not {}", describe(other)), None);
                None
            }
        }
    }

    /// An array of tables (`[[key]]`); empty when it is not there.
    pub fn sections(&self, key: &str) -> Vec<Section<'d>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let DeValue::Array(array) = node.value else {
            self.doc.error(
                &node,
                format!("must be an array of tables, not {}", describe(node.value)),
                Some(format!("write [[{}]]", node.key)),
            );
            return Vec::new();
        };
        let elements = array.iter().enumerate().map(|(i, v)| Item { value: v.get_ref(), span: v.span(), key: node.key.element(i) });
        elements.filter_map(|node| self.section_of(node)).collect()
    }

    /// Every key with a table below it, for tables whose keys are names (`[segments.office]`).
    pub fn named_sections(&self) -> Vec<(Item<'d, &'d str>, Section<'d>)> {
        let mut found = Vec::new();
        for (name, value) in self.table.iter() {
            let name_item: Item<'d, &'d str> = Item { value: name.get_ref(), span: name.span(), key: self.path(name.get_ref()) };
            self.asked.borrow_mut().push(Cow::Borrowed(name_item.value));
            let node = Item { value: value.get_ref(), span: value.span(), key: name_item.key.clone() };
            if let Some(section) = self.section_of(node) {
                found.push((name_item, section));
            }
        }
        found.sort_by_key(|(name, _)| name.span.start);
        found
    }

    /// Every key with its value, for tables whose keys are names and whose values are plain.
    pub fn named_nodes(&self) -> Vec<(Item<'d, &'d str>, Node<'d>)> {
        let mut found: Vec<_> = self
            .table
            .iter()
            .map(|(name, value)| {
                let key = self.path(name.get_ref());
                self.asked.borrow_mut().push(Cow::Borrowed(name.get_ref()));
                (
                    Item { value: name.get_ref().as_ref(), span: name.span(), key: key.clone() },
                    Item { value: value.get_ref(), span: value.span(), key },
                )
            })
            .collect();
        found.sort_by_key(|(name, _)| name.span.start);
        found
    }

    /// Reports every key that nobody asked for, with the nearest of those that somebody did.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        let unknown = self.table.iter().filter(|(name, _)| !asked.iter().any(|a| *a == **name.get_ref()));
        for (name, _) in unknown {
            let name: &Spanned<DeString<'_>> = name;
            let help = nearest(name.get_ref(), asked.iter().map(|a| &**a)).map_or_else(
                || {
                    let mut known: Vec<&str> = asked.iter().map(|a| &**a).collect();
                    known.sort_unstable();
                    known.dedup();
                    format!("known here: {}", known.join(", "))
                },
                |near| format!("did you mean `{near}`?"),
            );
            self.doc.problem(Severity::Error, name.span(), &self.path(name.get_ref()).to_string(), "unknown key".into(), Some(help));
        }
    }
}

/// Maps a word to what it stands for, or reports the nearest.
pub fn choose<'d, T: Copy>(doc: &Document<'_>, item: &Item<'d, &str>, words: &[(&str, T)]) -> Option<Item<'d, T>> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == item.value) {
        return Some(Item { value: *value, span: item.span.clone(), key: item.key.clone() });
    }
    let help = nearest(item.value, words.iter().map(|(w, _)| *w)).map_or_else(
        || format!("one of: {}", words.iter().map(|(w, _)| *w).collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    doc.error(item, format!("`{}` is not known here", item.value), Some(help));
    None
}

fn text_of<'d>(value: &'d DeValue<'d>) -> Option<&'d str> {
    if let DeValue::String(s) = value { Some(s.as_ref()) } else { None }
}

/// What a value is, in such words that it is not what was expected.
fn unlike(expected: &str, value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Integer(i) if expected.starts_with("a whole number") => {
            if i.as_str().starts_with('-') {
                "a negative one"
            } else {
                "one beyond 64 bits"
            }
        }
        _ => describe(value),
    }
}

fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_everything_at_once() {
        let text = "title = 3\n[segments.office]\nclas = \"standard\"\nvlan = [10, \"x\"]\nkind = \"gest\"\nbroken = = 1\n";
        let doc = Document::new("ringfence.toml", text);
        let table = doc.parse();
        let root = doc.root(&table);
        root.text("title");
        let segments = root.section("segments").expect("there");
        for (_, office) in segments.named_sections() {
            office.text("class");
            office.numbers("vlan");
            office.choice("kind", &[("guest", 1), ("standard", 2)]);
            office.missing("name");
            office.node("broken");
            office.finish();
        }
        segments.finish();
        root.finish();
        let found: Vec<String> = doc.finish().problems().iter().map(ToString::to_string).collect();
        assert_eq!(found[0], "ringfence.toml:1:9: error: title: must be a string, not a whole number");
        assert!(
            found.iter().any(|p| p.starts_with("ringfence.toml:3:1: error: segments.office.clas: unknown key (did you mean `class`?)")),
            "{found:#?}"
        );
        assert!(
            found.iter().any(|p| p == "ringfence.toml:4:13: error: segments.office.vlan[1]: must be a whole number from 0, not a string"),
            "{found:#?}"
        );
        assert!(
            found.iter().any(|p| p == "ringfence.toml:5:8: error: segments.office.kind: `gest` is not known here (did you mean `guest`?)"),
            "{found:#?}"
        );
        assert!(found.iter().any(|p| p.contains("segments.office.name: is missing")), "{found:#?}");
        assert!(found.iter().any(|p| p.starts_with("ringfence.toml:6:")), "{found:#?}");
    }

    #[test]
    fn lines_are_counted_in_any_order() {
        let text = "a = 1\n\nbb = \"\u{fc}\"\r\nc = 3";
        let doc = Document::new("x.toml", text);
        let naive = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        for at in (0..text.len() + 3).flat_map(|at| [at, text.len() - at.min(text.len()), at / 2]) {
            assert_eq!(doc.line_of(at), naive(at), "at {at}");
        }
    }
}
