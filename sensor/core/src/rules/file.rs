//! The text of one rule file: its indicators and their tests, with every problem in it.
//!
//! Must not know how patterns are matched, nor what other files say. The format is described in `rules/README.md`.

use std::str::FromStr;

use crate::diagnostic::{Diagnostics, Document, Item, Section, Severity, choose, nearest};
use crate::field::{Family, Field, FieldKind};
use crate::net::Prefix;

use super::indicator::{Effect, Indicator, Maturity, Surface};
use super::pattern::{NamePattern, Pattern, TextHow};
use super::scale::{Confidence, SIGNALS, Weights, teaches};
use super::selftest::{Expect, RuleTest};

/// Who wrote a rule file. Where both speak about the same indicator or the same name, the site is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Comes with the product.
    Shipped,
    /// The organisation's own.
    Site,
}

/// A rule file as it was read.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// The name for messages: `apps/wechat.toml`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Who wrote it.
    pub layer: Layer,
}

/// Where something stands: the index of the file, and the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub file: usize,
    pub at: usize,
}

/// An indicator with what it looks for.
#[derive(Debug)]
pub struct Draft {
    pub indicator: Indicator,
    pub layer: Layer,
    pub fields: Vec<&'static Field>,
    pub patterns: Vec<(Pattern, Spot)>,
    pub spot: Spot,
}

/// What one file says.
#[derive(Debug, Default)]
pub struct Parsed {
    pub app: Box<str>,
    pub app_name: Box<str>,
    pub about: Box<str>,
    pub drafts: Vec<Draft>,
    pub tests: Vec<RuleTest>,
    /// Ids of shipped indicators that the site does not want.
    pub disable: Vec<(Box<str>, Spot)>,
}

/// Reports a problem at a spot.
pub fn report(files: &[RuleFile], spot: Spot, severity: Severity, key: &str, message: String, help: Option<String>, out: &mut Diagnostics) {
    if let Some(file) = files.get(spot.file) {
        let doc = Document::new(&file.name, &file.text);
        doc.problem(severity, spot.at..spot.at, key, message, help);
        out.extend(doc.finish());
    }
}

/// Reads one file.
pub fn read(file: &RuleFile, index: usize, known: &[&'static Field], diagnostics: &mut Diagnostics) -> Parsed {
    let doc = Document::new(&file.name, &file.text);
    let table = doc.parse();
    let root = doc.root(&table);
    let mut parsed = Parsed::default();
    let Some(app) = read_app(&root, &mut parsed) else {
        diagnostics.extend(doc.finish());
        return parsed;
    };
    let defaults = root.section("defaults");
    {
        let reader = Reader { doc: &doc, file, index, known, app: &app, defaults: defaults.as_ref() };
        for block in ["names", "sign", "networks"] {
            for section in root.sections(block) {
                if let Some(draft) = reader.draft(&section, block) {
                    parsed.drafts.push(draft);
                }
                section.finish();
            }
        }
        for section in root.sections("test") {
            parsed.tests.extend(reader.test(&section));
            section.finish();
        }
        for id in root.texts("disable").unwrap_or_default() {
            if file.layer == Layer::Site {
                parsed.disable.push((id.value.into(), Spot { file: index, at: id.span.start }));
            } else {
                doc.error(&id, "only a site's own files may switch indicators off", None);
            }
        }
        reader.finish_defaults();
    }
    if let Some(section) = defaults {
        section.finish();
    }
    root.finish();
    parsed.drafts.sort_by_key(|d| d.spot.at);
    diagnostics.extend(doc.finish());
    parsed
}

fn read_app(root: &Section<'_>, parsed: &mut Parsed) -> Option<Box<str>> {
    let Some(section) = root.section("app") else {
        root.missing("app.id");
        return None;
    };
    let id = section.required_text("id").filter(|id| {
        let good = is_id(id.value) && !id.value.contains('.');
        if !good {
            section.document().error(id, format!("`{}` is no app id", id.value), Some("lower-case letters, digits and `-`".into()));
        }
        good
    });
    parsed.app_name = section.text("name").map_or("", |t| t.value).into();
    parsed.about = section.text("about").map_or("", |t| t.value).into();
    section.finish();
    parsed.app = id?.value.into();
    Some(parsed.app.clone())
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 80
        && text.split('.').all(|part| !part.is_empty())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

/// What an indicator looks for, and on which fields.
type Looks = (Vec<&'static Field>, Vec<(Pattern, usize)>);

struct Reader<'r, 'd> {
    doc: &'r Document<'d>,
    file: &'r RuleFile,
    index: usize,
    known: &'r [&'static Field],
    app: &'r str,
    defaults: Option<&'r Section<'r>>,
}

impl Reader<'_, '_> {
    /// The table `[defaults]` may say these, whether or not an indicator asks.
    fn finish_defaults(&self) {
        if let Some(defaults) = self.defaults {
            for key in ["class", "confidence", "surface", "region", "source", "false_alarms", "maturity", "effect", "teaches"] {
                defaults.node(key);
            }
        }
    }

    fn text<'s>(&'s self, section: &Section<'s>, key: &str) -> Option<Item<&'s str>> {
        section.text(key).or_else(|| self.defaults.and_then(|d| d.text(key)))
    }

    fn choice<'s, T: Copy>(&'s self, section: &Section<'s>, key: &str, words: &[(&str, T)]) -> Option<T> {
        let item = self.text(section, key)?;
        choose(self.doc, &item, words).map(|item| item.value)
    }

    fn draft<'s>(&'s self, section: &Section<'s>, block: &str) -> Option<Draft> {
        let id = section.required_text("id").filter(|id| self.good_id(id));
        let (fields, patterns) = match block {
            "names" => self.names(section),
            "sign" => self.sign(section),
            _ => self.networks(section),
        };
        let indicator = self.indicator(section, id.as_ref().map_or("", |id| id.value), &fields);
        let spot = Spot { file: self.index, at: id.as_ref()?.span.start };
        let patterns = patterns.into_iter().map(|(p, at)| (p, Spot { file: self.index, at })).collect();
        Some(Draft { indicator: indicator?, layer: self.file.layer, fields, patterns, spot })
    }

    fn good_id(&self, id: &Item<&str>) -> bool {
        let prefix = format!("{}.", self.app);
        if !is_id(id.value) {
            self.doc.error(id, format!("`{}` is no id", id.value), Some("lower-case letters, digits, `-` and `.` between parts".into()));
        } else if !id.value.starts_with(&prefix) {
            let help = format!("this file is about `{}`: write `{prefix}{}`", self.app, id.value.rsplit('.').next().unwrap_or("name"));
            self.doc.error(id, format!("`{}` does not begin with the app's id", id.value), Some(help));
        } else {
            return true;
        }
        false
    }

    /// Everything but the patterns.
    fn indicator<'s>(&'s self, section: &Section<'s>, id: &str, fields: &[&'static Field]) -> Option<Indicator> {
        let before = self.problems();
        let effect = self.choice(section, "effect", &Effect::WORDS).unwrap_or(Effect::Evidence);
        let surface = self.choice(section, "surface", &Surface::WORDS).unwrap_or(Surface::App);
        let confidence = self.choice(section, "confidence", &Confidence::WORDS);
        let class = self.text(section, "class").map_or("", |t| t.value);
        if class.is_empty() {
            section.missing("class");
        }
        let weights = self.weights(section, effect, confidence, class, surface);
        let low = section.flag("low").map_or(confidence == Some(Confidence::Low), |f| f.value) && effect == Effect::Evidence;
        let source = self.text(section, "source").map_or("", |t| t.value);
        if source.is_empty() {
            section.missing("source");
        }
        let taught = match confidence {
            Some(confidence) if fields.iter().any(|f| f.kind == FieldKind::Name) => teaches(confidence, surface, effect),
            _ => super::Teaches::Nobody,
        };
        let starts = section.flag("starts").map_or(true, |f| f.value) && !low && effect == Effect::Evidence && weights.weight > 0.0;
        let indicator = Indicator {
            id: id.into(),
            app: self.app.into(),
            surface,
            class: class.into(),
            region: self.text(section, "region").map_or("", |t| t.value).into(),
            weight: weights.weight,
            dns_weight: weights.dns,
            family: section.choice("family", &Family::ALL.map(|f| (f.letter(), f))).map(|f| f.value),
            signal: section.choice("signal", &SIGNALS.map(|s| (s, s))).map(|s| s.value),
            starts,
            low,
            teaches: self.choice(section, "teaches", &super::Teaches::WORDS).unwrap_or(taught),
            effect,
            source: source.into(),
            false_alarms: self.text(section, "false_alarms").map_or("", |t| t.value).into(),
            maturity: self.choice(section, "maturity", &Maturity::WORDS).unwrap_or(Maturity::Incubating),
            file: self.file.name.as_str().into(),
            line: self.doc.line_of(section.span.start),
        };
        (self.problems() == before && !id.is_empty()).then_some(indicator)
    }

    /// How many errors there are so far: an indicator with one of its own is not built.
    fn problems(&self) -> usize {
        self.doc.error_count()
    }

    fn weights<'s>(
        &'s self,
        section: &Section<'s>,
        effect: Effect,
        confidence: Option<Confidence>,
        class: &str,
        surface: Surface,
    ) -> Weights {
        let in_range = |item: Item<f64>| {
            if (0.0..=1.0).contains(&item.value) {
                return Some(item.value);
            }
            self.doc.error(&item, format!("{} is no weight", item.value), Some("a weight lies between 0 and 1".into()));
            None
        };
        let (stated, dns) = (section.float("weight").and_then(in_range), section.float("dns_weight").and_then(in_range));
        if effect != Effect::Evidence {
            if let Some(item) = section.float("weight").filter(|w| w.value > 0.0) {
                self.doc.error(&item, "only evidence has a weight", Some("leave `weight` out, or `effect`".into()));
            }
            return Weights { weight: 0.0, dns: 0.0 };
        }
        let weights = match (stated, confidence) {
            (Some(weight), _) => Weights::strong(weight),
            (None, Some(confidence)) => Weights::of(confidence, class, surface),
            (None, None) => {
                if section.node("weight").is_none() && section.node("confidence").is_none() {
                    let help = "say `confidence = \"high\"`, \"medium\" or \"low\", or a `weight`".to_string();
                    self.doc.problem(
                        Severity::Error,
                        section.span.clone(),
                        &format!("{}.confidence", section.key),
                        "is missing".into(),
                        Some(help),
                    );
                }
                Weights { weight: 0.0, dns: 0.0 }
            }
        };
        Weights { dns: dns.unwrap_or(weights.dns), ..weights }
    }

    /// A declared field by its name, or a problem.
    fn field(&self, name: &Item<&str>) -> Option<&'static Field> {
        let found = self.known.iter().copied().find(|f| f.name == name.value);
        if found.is_none() {
            let help = nearest(name.value, self.known.iter().map(|f| f.name)).map_or_else(
                || "`ringfence fields` lists every field".to_string(),
                |near| format!("did you mean `{near}`? `ringfence fields` lists every field"),
            );
            self.doc.error(name, format!("there is no field `{}`", name.value), Some(help));
        }
        found
    }

    /// The fields that an indicator names, all of one kind; or, where it names none, all that can be evidence.
    fn fields_of(&self, section: &Section<'_>, kind: FieldKind, instead: &str) -> Vec<&'static Field> {
        let Some(names) = section.texts("fields") else {
            return self.known.iter().copied().filter(|f| f.kind == kind && f.family.is_some()).collect();
        };
        let fields: Vec<_> = names.iter().filter_map(|name| self.field(name).map(|f| (name, f))).collect();
        for (name, field) in &fields {
            if field.kind != kind {
                let message = format!("`{}` holds {}", field.name, kind_words(field.kind));
                self.doc.error(*name, message, Some(format!("write it under {instead}")));
            }
        }
        fields.into_iter().filter(|(_, f)| f.kind == kind).map(|(_, f)| f).collect()
    }

    /// `[[names]]`: host names on every name field.
    fn names(&self, section: &Section<'_>) -> Looks {
        let fields = self.fields_of(section, FieldKind::Name, "[[sign]], or [[networks]] for addresses");
        let Some(items) = self.list(section, "names") else { return (fields, Vec::new()) };
        let work = section.text("effect").is_some_and(|e| e.value == "work-service");
        let mut patterns = Vec::new();
        for item in items {
            match NamePattern::parse(item.value) {
                Ok(name) if name.below() && name.depth() == 1 && !work => {
                    let message = format!("`{name}` is every name under a top-level domain");
                    self.doc.error(&item, message, Some("name the domain as well: `.example.com`".into()));
                }
                Ok(name) => {
                    if item.value.starts_with("*.") {
                        let help = format!("for the name and all below it write `{}`", &item.value[1..]);
                        self.doc.warn(&item, format!("`{name}` is exactly one label more than `{}`", &item.value[2..]), Some(help));
                    }
                    patterns.push((Pattern::Name(name), item.span.start));
                }
                Err(problem) => self.doc.error(&item, problem.message, Some(problem.help)),
            }
        }
        (fields, patterns)
    }

    /// `[[networks]]`: prefixes on every address field.
    fn networks(&self, section: &Section<'_>) -> Looks {
        let fields = self.fields_of(section, FieldKind::Address, "[[names]] for names, [[sign]] for the rest");
        let Some(items) = self.list(section, "prefixes") else { return (fields, Vec::new()) };
        let mut patterns = Vec::new();
        for item in items {
            match Prefix::from_str(item.value) {
                Ok(prefix) if prefix.len < if prefix.addr.is_ipv4() { 8 } else { 16 } => {
                    let message = format!("`{prefix}` is too much of the internet to mean anything");
                    self.doc.error(&item, message, Some("at least /8, for IPv6 /16".into()));
                }
                Ok(prefix) => patterns.push((Pattern::Network(prefix), item.span.start)),
                Err(()) => self.doc.error(&item, format!("`{}` is no prefix", item.value), Some(prefix_help(item.value))),
            }
        }
        (fields, patterns)
    }

    fn list<'s>(&self, section: &Section<'s>, key: &str) -> Option<Vec<Item<&'s str>>> {
        let items = section.texts(key);
        if section.node(key).is_none() {
            section.missing(key);
        } else if items.as_ref().is_some_and(Vec::is_empty) {
            let node = section.node(key)?;
            self.doc.error(&node, "is empty: the indicator would never fire", None);
        }
        items
    }

    /// `[[sign]]`: one field, compared as its kind allows.
    fn sign(&self, section: &Section<'_>) -> Looks {
        let Some(name) = section.required_text("field") else { return (Vec::new(), Vec::new()) };
        let Some(field) = self.field(&name) else {
            for key in ["equals", "prefix", "contains", "not_contains"] {
                section.node(key);
            }
            return (Vec::new(), Vec::new());
        };
        let instead = match field.kind {
            FieldKind::Name => Some("[[names]]"),
            FieldKind::Address => Some("[[networks]]"),
            _ => None,
        };
        if let Some(instead) = instead {
            self.doc.error(&name, format!("`{}` holds {}", field.name, kind_words(field.kind)), Some(format!("write it under {instead}")));
            return (Vec::new(), Vec::new());
        }
        let patterns = if field.kind == FieldKind::Number { self.numbers(section) } else { self.texts(section, field) };
        if patterns.is_empty() && ["equals", "prefix", "contains"].iter().all(|key| section.node(key).is_none()) {
            section.missing("equals");
        }
        (vec![field], patterns)
    }

    fn numbers(&self, section: &Section<'_>) -> Vec<(Pattern, usize)> {
        let numbers = section.numbers("equals").unwrap_or_default();
        numbers.into_iter().map(|n| (Pattern::Number(n.value), n.span.start)).collect()
    }

    fn texts(&self, section: &Section<'_>, field: &'static Field) -> Vec<(Pattern, usize)> {
        let but_not: Box<[Box<str>]> = section.texts("not_contains").unwrap_or_default().iter().map(|t| t.value.into()).collect();
        let mut patterns = Vec::new();
        for (key, how) in [("equals", TextHow::Equals), ("prefix", TextHow::Prefix), ("contains", TextHow::Contains)] {
            for item in section.texts(key).unwrap_or_default() {
                if let Some(text) = self.checked_text(field, how, &item) {
                    patterns.push((Pattern::Text { how, text: text.into(), but_not: but_not.clone() }, item.span.start));
                }
            }
        }
        patterns
    }

    /// What is compared, if the field's kind allows it.
    fn checked_text(&self, field: &'static Field, how: TextHow, item: &Item<&str>) -> Option<String> {
        if how != TextHow::Equals && field.kind != FieldKind::Text {
            let message = format!("`{}` holds {}, which is compared whole", field.name, kind_words(field.kind));
            self.doc.error(item, message, Some("use `equals`".into()));
            return None;
        }
        if item.value.len() < if how == TextHow::Equals { 1 } else { 3 } {
            self.doc.error(item, format!("`{}` is in almost every value", item.value), Some("at least three characters".into()));
            return None;
        }
        match field.kind {
            FieldKind::Token(words) => {
                let words: Vec<(&str, &str)> = words.iter().map(|w| (*w, *w)).collect();
                choose(self.doc, item, &words).map(|word| word.value.to_string())
            }
            FieldKind::Hash => {
                let good = item.value.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                if !good {
                    let help = format!("fingerprints are lower case: `{}`", item.value.to_ascii_lowercase());
                    self.doc.error(item, format!("`{}` is no fingerprint", item.value), Some(help));
                }
                good.then(|| item.value.to_string())
            }
            _ => Some(item.value.to_string()),
        }
    }

    /// `[[test]]`: what a value must, or must not, mean.
    fn test(&self, section: &Section<'_>) -> Option<RuleTest> {
        let fields = section.texts("field").map(|names| names.iter().filter_map(|n| self.field(n)).collect::<Vec<_>>());
        let fields = fields.unwrap_or_else(|| {
            let evidence = |f: &&'static Field| f.kind == FieldKind::Name && f.family.is_some();
            self.known.iter().copied().filter(evidence).collect()
        });
        let values = self.list(section, "value");
        let expect = section.required_text("expect")?;
        let not = section.texts("not").unwrap_or_default();
        let note = section.text("note").map_or("", |t| t.value);
        let owned = |items: &[Item<&str>]| items.iter().map(|i| i.value.into()).collect();
        Some(RuleTest {
            fields,
            values: owned(&values?),
            expect: if expect.value == "none" { Expect::Nothing } else { Expect::Indicator(expect.value.into()) },
            not: owned(&not),
            note: note.into(),
            file: self.file.name.as_str().into(),
            line: self.doc.line_of(section.span.start),
            layer: self.file.layer,
            spot: Spot { file: self.index, at: expect.span.start },
        })
    }
}

fn kind_words(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Name => "names",
        FieldKind::Text => "free text",
        FieldKind::Token(_) => "words of its own",
        FieldKind::Hash => "fingerprints",
        FieldKind::Number => "numbers",
        FieldKind::Address => "addresses",
        FieldKind::List => "lists of texts",
    }
}

fn prefix_help(text: &str) -> String {
    let masked = text.split_once('/').and_then(|(addr, len)| Prefix::new(addr.parse().ok()?, len.parse().ok()?));
    masked.map_or("write it like `192.0.2.0/24` or `2001:db8::/32`".into(), |p| format!("host bits are set: did you mean `{p}`?"))
}
