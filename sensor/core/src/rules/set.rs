//! All rules together: which indicators a value matches.
//!
//! Cloning is cheap: the tables are shared, only the local suffixes are each clone's own.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Severity, nearest};
use crate::field::{Field, FieldKind, Value};
use crate::net::Prefix;

use super::file::{Draft, Layer, Parsed, RuleFile, Spot, read, report};
use super::indicator::{Indicator, IndicatorId};
use super::names::{FieldBits, GLOBS_MAX, NameEntry, NameTable, Suffixes, find_local};
use super::pattern::Pattern;
use super::prefixes::PrefixTable;
use super::selftest::{Expect, RuleTest};
use super::texts::TextTable;

/// What a rule file says about its app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    /// `wechat`.
    pub id: Box<str>,
    /// `WeChat`.
    pub name: Box<str>,
    /// One sentence.
    pub about: Box<str>,
}

/// A set of rules, ready to match.
#[derive(Clone, Debug)]
pub struct RuleSet {
    tables: Arc<Tables>,
    suffixes: Suffixes,
}

#[derive(Debug)]
pub(super) struct Tables {
    indicators: Vec<Indicator>,
    looks: Vec<Looks>,
    fields: Vec<FieldTable>,
    names: NameTable,
    apps: Vec<AppInfo>,
    tests: Vec<RuleTest>,
}

/// What one indicator looks for.
#[derive(Debug)]
struct Looks {
    fields: Box<[&'static Field]>,
    patterns: Box<[Pattern]>,
    layer: Layer,
}

#[derive(Debug)]
struct FieldTable {
    field: &'static Field,
    bit: FieldBits,
    texts: TextTable,
    networks: PrefixTable,
}

impl RuleSet {
    /// Builds from files in the order of their layers. A site's indicator replaces a shipped one of the same id, and a site's
    /// name or prefix a shipped one that reads the same; inside one layer both are errors. What is wrong goes to
    /// `diagnostics`; with errors in it the set is incomplete and must not be used.
    pub fn build(files: &[RuleFile], fields: &[&'static Field], diagnostics: &mut Diagnostics) -> RuleSet {
        let mut found = Diagnostics::default();
        let mut parsed: Vec<Parsed> = files.iter().enumerate().map(|(i, file)| read(file, i, fields, &mut found)).collect();
        let mut build = Build { files, diagnostics: &mut found };
        let drafts = build.merge(&mut parsed);
        let drafts = build.switch_off(drafts, &parsed);
        let tables = build.tables(drafts, fields, parsed);
        without_repeats(found, diagnostics);
        RuleSet { tables: Arc::new(tables), suffixes: Suffixes::default() }
    }

    /// An indicator of this set.
    ///
    /// # Panics
    /// When `id` comes from another set.
    pub fn indicator(&self, id: IndicatorId) -> &Indicator {
        &self.tables.indicators[id.0 as usize]
    }

    /// All indicators, in the order of files and lines.
    pub fn indicators(&self) -> impl Iterator<Item = (IndicatorId, &Indicator)> {
        (0..).map(IndicatorId).zip(&self.tables.indicators)
    }

    /// How many indicators there are.
    pub fn len(&self) -> usize {
        self.tables.indicators.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tables.indicators.is_empty()
    }

    /// The indicator with an id as written in its file.
    pub fn find(&self, id: &str) -> Option<IndicatorId> {
        self.indicators().find(|(_, i)| *i.id == *id).map(|(id, _)| id)
    }

    /// The id that was probably meant.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.tables.indicators.iter().map(|i| &*i.id))
    }

    /// The apps that the files are about, in the order of the files.
    pub fn apps(&self) -> &[AppInfo] {
        &self.tables.apps
    }

    /// The tests of all files.
    pub fn tests(&self) -> &[RuleTest] {
        &self.tables.tests
    }

    /// What an indicator looks for, as its author wrote it.
    pub fn patterns_of(&self, id: IndicatorId) -> &[Pattern] {
        &self.tables.looks[id.0 as usize].patterns
    }

    /// The fields on which it looks.
    pub fn fields_of(&self, id: IndicatorId) -> &[&'static Field] {
        &self.tables.looks[id.0 as usize].fields
    }

    /// Who wrote it.
    pub fn layer_of(&self, id: IndicatorId) -> Layer {
        self.tables.looks[id.0 as usize].layer
    }

    /// Whether any rule looks at `field`.
    pub fn wants(&self, field: &Field) -> bool {
        self.table(field).is_some()
    }

    /// Adds a suffix that the local network appends to names; `false` when it is refused or known.
    pub fn add_suffix(&mut self, suffix: &[u8]) -> bool {
        self.suffixes.add(suffix)
    }

    /// The local suffixes in force.
    pub fn suffixes(&self) -> &Suffixes {
        &self.suffixes
    }

    /// Shows every indicator that `value` matches: of names and prefixes only the longest match, of everything else all.
    pub fn matches(&self, field: &'static Field, value: Value<'_>, hit: &mut dyn FnMut(IndicatorId)) {
        let Some(table) = self.table(field) else { return };
        match value {
            Value::Text(text) => self.match_text(table, text, hit),
            Value::Token(word) => table.texts.text(word.as_bytes(), hit),
            Value::Number(number) => table.texts.number(number, hit),
            Value::Address(addr) => {
                if let Some(id) = table.networks.find(addr) {
                    hit(id);
                }
            }
            Value::List(items) => {
                let mut seen = Vec::new();
                for item in items {
                    self.match_text(table, item, &mut |id| {
                        if !seen.contains(&id) {
                            seen.push(id);
                            hit(id);
                        }
                    });
                }
            }
        }
    }

    fn match_text(&self, table: &FieldTable, text: &[u8], hit: &mut dyn FnMut(IndicatorId)) {
        if table.field.kind != FieldKind::Name {
            table.texts.text(text, hit);
        } else if let Some(found) = find_local(&self.tables.names, &self.suffixes, text, table.bit) {
            hit(found.id);
        }
    }

    fn table(&self, field: &Field) -> Option<&FieldTable> {
        let fields = &self.tables.fields;
        fields.iter().find(|t| std::ptr::eq(t.field, field)).or_else(|| fields.iter().find(|t| t.field.name == field.name))
    }
}

struct Build<'b> {
    files: &'b [RuleFile],
    diagnostics: &'b mut Diagnostics,
}

impl Build<'_> {
    fn error(&mut self, spot: Spot, key: &str, message: String, help: Option<String>) {
        report(self.files, spot, Severity::Error, key, message, help, self.diagnostics);
    }

    fn place(&self, draft: &Draft) -> String {
        format!("{}:{}", draft.indicator.file, draft.indicator.line)
    }

    /// One draft per id: the site's, where it has one.
    fn merge(&mut self, parsed: &mut [Parsed]) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut by_id: HashMap<Box<str>, usize> = HashMap::new();
        for draft in parsed.iter_mut().flat_map(|p| std::mem::take(&mut p.drafts)) {
            let Some(at) = by_id.get(&draft.indicator.id).copied() else {
                by_id.insert(draft.indicator.id.clone(), drafts.len());
                drafts.push(draft);
                continue;
            };
            let first = &drafts[at];
            if draft.layer == first.layer {
                let message = format!("`{}` is defined twice", draft.indicator.id);
                let help = format!("the other one is in {}: give one of them another id", self.place(first));
                self.error(draft.spot, "id", message, Some(help));
            } else if draft.layer > first.layer {
                drafts[at] = draft;
            }
        }
        drafts
    }

    /// Leaves out what the site has switched off.
    fn switch_off(&mut self, drafts: Vec<Draft>, parsed: &[Parsed]) -> Vec<Draft> {
        let off: Vec<&(Box<str>, Spot)> = parsed.iter().flat_map(|p| &p.disable).collect();
        for (id, spot) in &off {
            if drafts.iter().all(|d| d.indicator.id != *id) {
                let near = nearest(id, drafts.iter().map(|d| &*d.indicator.id));
                let help = near.map_or("`ringfence rules list` lists every indicator".into(), |near| format!("did you mean `{near}`?"));
                self.error(*spot, "disable", format!("there is no indicator `{id}`"), Some(help));
            }
        }
        drafts.into_iter().filter(|d| off.iter().all(|(id, _)| *id != d.indicator.id)).collect()
    }

    fn tables(&mut self, mut drafts: Vec<Draft>, fields: &[&'static Field], parsed: Vec<Parsed>) -> Tables {
        self.settle_same(&mut drafts);
        let wanted = |field: &Field| drafts.iter().any(|d| !d.patterns.is_empty() && d.fields.iter().any(|f| **f == *field));
        let wanted: Vec<&'static Field> = fields.iter().copied().filter(|f| wanted(f)).collect();
        let bit_of = |field: &Field| wanted.iter().position(|f| **f == *field).map_or(0, |i| 1u64.checked_shl(i as u32).unwrap_or(0));
        let mut names = Vec::new();
        for (draft, id) in drafts.iter().zip((0..).map(IndicatorId)) {
            let bits = draft.fields.iter().fold(0, |bits, field| bits | bit_of(field));
            for (pattern, _) in &draft.patterns {
                if let Pattern::Name(name) = pattern {
                    names.push(NameEntry { pattern: name.clone(), fields: bits, id });
                }
            }
        }
        self.check_globs(&drafts);
        let tables = wanted.iter().map(|field| field_table(field, bit_of(field), &drafts)).collect();
        let apps = apps_of(&parsed);
        let tests = self.tests(parsed, &drafts);
        let (indicators, looks) = drafts.into_iter().map(split).unzip();
        Tables { indicators, looks, fields: tables, names: NameTable::build(&names), apps, tests }
    }

    /// The same name or prefix twice on one field: an error inside a layer; across layers the site's stays.
    fn settle_same(&mut self, drafts: &mut [Draft]) {
        let mut known: HashMap<String, Vec<(usize, Spot)>> = HashMap::new();
        let mut dropped: Vec<Spot> = Vec::new();
        let mut errors = Vec::new();
        for (at, draft) in drafts.iter().enumerate() {
            for (pattern, spot) in draft.patterns.iter().filter(|(p, _)| matches!(p, Pattern::Name(_) | Pattern::Network(_))) {
                let same = known.entry(pattern.to_string()).or_default();
                for (other_at, other_spot) in same.iter() {
                    let other = &drafts[*other_at];
                    if !other.fields.iter().any(|f| draft.fields.contains(f)) {
                        continue;
                    }
                    match draft.layer.cmp(&other.layer) {
                        std::cmp::Ordering::Greater => dropped.push(*other_spot),
                        std::cmp::Ordering::Less => dropped.push(*spot),
                        std::cmp::Ordering::Equal => errors.push((*spot, at, *other_at, pattern.to_string())),
                    }
                }
                same.push((at, *spot));
            }
        }
        for (spot, at, other, pattern) in errors {
            let other = &drafts[other];
            let help =
                format!("it already belongs to `{}` ({}): a value has one longest match only", other.indicator.id, self.place(other));
            let key = drafts[at].indicator.id.clone();
            self.error(spot, &key, format!("`{pattern}` stands here a second time"), Some(help));
        }
        drafts.iter_mut().for_each(|d| d.patterns.retain(|(_, spot)| !dropped.contains(spot)));
    }

    fn check_globs(&mut self, drafts: &[Draft]) {
        let mut by_parent: HashMap<&str, usize> = HashMap::new();
        for draft in drafts {
            for (pattern, spot) in &draft.patterns {
                let Pattern::Name(name) = pattern else { continue };
                let Some((_, _, parent)) = name.wildcard() else { continue };
                let count = by_parent.entry(parent).or_default();
                *count += 1;
                if *count == GLOBS_MAX + 1 {
                    let message = format!("more than {GLOBS_MAX} wildcards below `{parent}`");
                    let help = format!("each costs time on every name below it: use whole names, or `.{parent}`");
                    self.error(*spot, &draft.indicator.id, message, Some(help));
                }
            }
        }
    }

    /// The tests, with the indicators that they name looked up.
    fn tests(&mut self, parsed: Vec<Parsed>, drafts: &[Draft]) -> Vec<RuleTest> {
        let disabled: Vec<Box<str>> = parsed.iter().flat_map(|p| p.disable.iter().map(|(id, _)| id.clone())).collect();
        let mut tests = Vec::new();
        for test in parsed.into_iter().flat_map(|p| p.tests) {
            let expected = if let Expect::Indicator(id) = &test.expect { Some(id) } else { None };
            let mut good = true;
            for id in expected.into_iter().chain(test.not.iter()) {
                if drafts.iter().any(|d| d.indicator.id == *id) {
                    continue;
                }
                good = false;
                if !disabled.contains(id) {
                    let near = nearest(id, drafts.iter().map(|d| &*d.indicator.id).chain(["none"]));
                    let help = near.map_or("an id, or `none`".into(), |near| format!("did you mean `{near}`?"));
                    self.error(test.spot, "test", format!("there is no indicator `{id}`"), Some(help));
                }
            }
            if good {
                tests.push(test);
            }
        }
        tests
    }
}

fn field_table(field: &'static Field, bit: FieldBits, drafts: &[Draft]) -> FieldTable {
    let mut texts = TextTable::default();
    let mut networks: Vec<(Prefix, IndicatorId)> = Vec::new();
    for (draft, id) in drafts.iter().zip((0..).map(IndicatorId)).filter(|(d, _)| d.fields.contains(&field)) {
        for (pattern, _) in &draft.patterns {
            match pattern {
                Pattern::Network(prefix) => networks.push((*prefix, id)),
                pattern => texts.add(pattern, id),
            }
        }
    }
    FieldTable { field, bit, texts, networks: PrefixTable::build(&networks) }
}

fn split(draft: Draft) -> (Indicator, Looks) {
    let patterns = draft.patterns.into_iter().map(|(p, _)| p).collect();
    (draft.indicator, Looks { fields: draft.fields.into(), patterns, layer: draft.layer })
}

fn apps_of(parsed: &[Parsed]) -> Vec<AppInfo> {
    let mut apps: Vec<AppInfo> = Vec::new();
    for file in parsed.iter().filter(|p| !p.app.is_empty()) {
        if apps.iter().all(|a| a.id != file.app) {
            apps.push(AppInfo { id: file.app.clone(), name: file.app_name.clone(), about: file.about.clone() });
        }
    }
    apps
}

/// Table defaults are read once for each indicator, so what is wrong with them was found many times.
fn without_repeats(found: Diagnostics, out: &mut Diagnostics) {
    let mut last: Option<&crate::diagnostic::Problem> = None;
    for problem in found.problems() {
        if last != Some(problem) {
            out.push(problem.clone());
        }
        last = Some(problem);
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
