//! One rule file: text in, rules and every problem out.

use crate::diagnostic::{Diagnostics, Document, Item, Section, nearest};
use crate::field::{Family, Field, FieldKind};
use crate::net::Prefix;

use super::indicator::{Effect, Indicator, Maturity, Surface, Teaches};
use super::names::{self, BadName};
use super::scale::{Confidence, weights};

/// A pattern on one kind of field.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// A host name pattern: exact, `.suffix`, `*label`.
    Name(Box<str>),
    /// The whole text, token or fingerprint.
    Is(Box<str>),
    /// The text begins so.
    Prefix(Box<str>),
    /// The text holds the first and none of the others.
    Contains(Box<str>, Vec<Box<str>>),
    /// The address lies in it.
    Cidr(Prefix),
}

/// An indicator, its patterns, and the tests beside it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it means.
    pub indicator: Indicator,
    /// Fields that it looks at; empty for every host name field.
    pub fields: Vec<&'static Field>,
    /// What it looks for.
    pub patterns: Vec<Pattern>,
    /// Values that must hit it.
    pub hits: Vec<Box<str>>,
    /// Values that must not.
    pub misses: Vec<Box<str>>,
}

/// A rule file that was read.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// Its name in messages.
    pub name: String,
    /// The app, for people.
    pub title: String,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

const EFFECTS: [(&str, Effect); 3] = [("evidence", Effect::Evidence), ("disguise", Effect::Disguise), ("context", Effect::Context)];

const TEACHES: [(&str, Teaches); 4] =
    [("sensor", Teaches::Sensor), ("client", Teaches::Client), ("confirmed-web", Teaches::ConfirmedWeb), ("nobody", Teaches::Nobody)];

const FAMILIES: [(&str, Family); 5] =
    [("S", Family::Structure), ("H", Family::Http), ("D", Family::Dns), ("T", Family::Tls), ("A", Family::Address)];

/// Signal names are part of the outputs' vocabulary, so they come from a list.
const SIGNALS: [(&str, &str); 10] = [
    ("mmtls-longlink", "mmtls-longlink"),
    ("mmtls-longlink-midstream", "mmtls-longlink-midstream"),
    ("mmtls-shortlink", "mmtls-shortlink"),
    ("mmtls-hello-stale-ts", "mmtls-hello-stale-ts"),
    ("newgetdns", "newgetdns"),
    ("legacy-shortlink", "legacy-shortlink"),
    ("qq-msf", "qq-msf"),
    ("qq-oicq", "qq-oicq"),
    ("disguise", "disguise"),
    ("user-agent", "user-agent"),
];

impl RuleFile {
    /// Reads a rule file. Everything that is wrong goes to `diagnostics`; what is right is kept.
    pub fn parse(name: &str, text: &str, fields: &[&'static Field], diagnostics: &mut Diagnostics) -> RuleFile {
        let doc = Document::new(name, text);
        let table = doc.parse();
        let root = doc.root(&table);
        let app = root.required_text("app").filter(|a| valid_word(&doc, a));
        let title = root.text("title").map_or(String::new(), |t| t.value.to_string());
        let source = root.text("source").map_or("", |s| s.value);
        let reader = Reader { doc: &doc, file: name, app: app.as_ref().map_or("", |a| a.value), source, fields };
        let mut rules = Vec::new();
        rules.extend(root.sections("names").into_iter().filter_map(|s| reader.names(s)));
        rules.extend(root.sections("sign").into_iter().filter_map(|s| reader.sign(s)));
        root.finish();
        diagnostics.extend(doc.finish());
        RuleFile { name: name.to_string(), title, rules }
    }
}

fn valid_word(doc: &Document<'_>, item: &Item<&str>) -> bool {
    let ok = !item.value.is_empty()
        && item.value.len() <= 64
        && item.value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_'));
    if !ok {
        doc.error(item, format!("`{}` must be made of lower-case letters, digits, `-`, `_` and `.`", item.value.escape_debug()), None);
    }
    ok
}

struct Reader<'d> {
    doc: &'d Document<'d>,
    file: &'d str,
    app: &'d str,
    source: &'d str,
    fields: &'d [&'static Field],
}

impl<'d> Reader<'d> {
    /// `[[names]]`: host names with a class and a confidence.
    fn names(&self, section: Section<'d>) -> Option<Rule> {
        let confidence = section.choice("confidence", &Confidence::WORDS);
        if confidence.is_none() && section.node("confidence").is_none() {
            section.missing("confidence");
        }
        let confidence = confidence.map_or(Confidence::Low, |c| c.value);
        let mut rule = self.common(&section, Some(confidence))?;
        let listed = section.texts("names").unwrap_or_default();
        if listed.is_empty() {
            section.missing("names");
        }
        for item in listed {
            match names::validate(item.value) {
                Ok(()) => rule.patterns.push(Pattern::Name(item.value.into())),
                Err(bad) => self.bad_name(&item, bad),
            }
        }
        rule.fields = self.field_list(&section);
        section.finish();
        (!rule.patterns.is_empty()).then_some(rule)
    }

    fn bad_name(&self, item: &Item<&str>, bad: BadName) {
        let (what, help) = match bad {
            BadName::Malformed => {
                ("is no host name pattern", Some("write `name.example`, `.example` for a name and all below it, or `*end.example`"))
            }
            BadName::Star => ("may have one `*`, in its first label only", Some("write `*long.weixin.qq.com`")),
            BadName::TooShort => ("would match a whole top-level domain", Some("name at least two labels")),
            BadName::Case => ("must be in lower case", Some("names are compared without regard to case")),
        };
        self.doc.error(item, format!("`{}` {what}", item.value.escape_debug()), help.map(str::to_string));
    }

    /// `[[sign]]`: any other pattern on one field.
    fn sign(&self, section: Section<'d>) -> Option<Rule> {
        let mut rule = self.common(&section, None)?;
        let field = section.required_text("field").and_then(|f| self.field(&f));
        let family = section.choice("family", &FAMILIES).map(|f| f.value);
        rule.indicator.family = family;
        rule.indicator.signal = section.choice("signal", &SIGNALS).map(|s| s.value);
        if let Some(field) = field {
            rule.fields = vec![field];
            self.sign_patterns(&section, field, &mut rule);
        }
        let has_pattern = ["is", "prefix", "contains", "cidr"].iter().any(|k| section.node(k).is_some());
        if !has_pattern {
            let problem = Item { value: (), ..section.here() };
            self.doc.error(&problem, "has no pattern", Some("give one of: is, prefix, contains, cidr".into()));
        }
        section.finish();
        (!rule.patterns.is_empty()).then_some(rule)
    }

    fn sign_patterns(&self, section: &Section<'d>, field: &'static Field, rule: &mut Rule) {
        for item in section.texts("is").unwrap_or_default() {
            if let FieldKind::Token(words) = field.kind
                && !words.contains(&item.value)
            {
                let help = nearest(item.value, words.iter().copied())
                    .map_or_else(|| format!("one of: {}", words.join(", ")), |n| format!("did you mean `{n}`?"));
                self.doc.error(&item, format!("{} never is `{}`", field.name, item.value.escape_debug()), Some(help));
                continue;
            }
            rule.patterns.push(Pattern::Is(item.value.into()));
        }
        rule.patterns.extend(section.texts("prefix").unwrap_or_default().iter().map(|p| Pattern::Prefix(p.value.into())));
        let without: Vec<Box<str>> = section.texts("without").unwrap_or_default().iter().map(|w| w.value.into()).collect();
        let contains = section.texts("contains").unwrap_or_default();
        rule.patterns.extend(contains.iter().map(|c| Pattern::Contains(c.value.into(), without.clone())));
        for item in section.texts("cidr").unwrap_or_default() {
            match item.value.parse::<Prefix>() {
                Ok(prefix) => rule.patterns.push(Pattern::Cidr(prefix)),
                Err(()) => self.doc.error(
                    &item,
                    format!("`{}` is no address prefix", item.value.escape_debug()),
                    Some("write 203.0.113.0/24, host bits zero".into()),
                ),
            }
        }
        if field.kind != FieldKind::Address && rule.patterns.iter().any(|p| matches!(p, Pattern::Cidr(_))) {
            let problem = Item { value: (), ..section.here() };
            self.doc.error(&problem, format!("{} holds no addresses, so `cidr` can never match", field.name), None);
        }
    }

    fn field(&self, item: &Item<&str>) -> Option<&'static Field> {
        let found = self.fields.iter().copied().find(|f| f.name == item.value);
        if found.is_none() {
            let help = nearest(item.value, self.fields.iter().map(|f| f.name)).map(|n| format!("did you mean `{n}`?"));
            self.doc.error(
                item,
                format!("there is no field `{}`", item.value.escape_debug()),
                help.or(Some("see `ringfence fields`".into())),
            );
        }
        found
    }

    fn field_list(&self, section: &Section<'d>) -> Vec<&'static Field> {
        section.texts("fields").unwrap_or_default().iter().filter_map(|f| self.field(f)).collect()
    }

    /// What every rule has.
    fn common(&self, section: &Section<'d>, confidence: Option<Confidence>) -> Option<Rule> {
        let id = section.required_text("id").filter(|id| valid_word(self.doc, id));
        let class = section.required_text("class").filter(|c| valid_word(self.doc, c)).map_or("", |c| c.value);
        let effect = section.choice("effect", &EFFECTS).map_or(Effect::Evidence, |e| e.value);
        let surface = section.choice("surface", &Surface::WORDS).map_or(Surface::App, |s| s.value);
        let (weight, dns_weight) = self.weights(section, confidence, class, effect);
        let low = confidence == Some(Confidence::Low);
        let teaches = section.choice("teaches", &TEACHES).map_or_else(|| default_teaches(effect, surface, low, weight), |t| t.value);
        let starts = section.flag("starts").map_or(effect == Effect::Evidence && !low, |s| s.value);
        let source = section.text("source").map_or(self.source, |s| s.value);
        if source.is_empty() {
            section.missing("source");
        }
        let listed = |key| section.texts(key).unwrap_or_default().iter().map(|t| Box::from(t.value)).collect();
        let app = section.text("app").map_or(self.app, |a| a.value);
        let indicator = Indicator {
            id: id.as_ref()?.value.into(),
            app: app.into(),
            surface,
            class: class.into(),
            region: section.text("region").map_or("", |r| r.value).into(),
            weight,
            dns_weight,
            family: None,
            signal: None,
            starts,
            low,
            teaches,
            effect,
            source: source.into(),
            false_alarms: section.text("false_alarms").map_or("", |f| f.value).into(),
            maturity: section.choice("maturity", &Maturity::WORDS).map_or(Maturity::Incubating, |m| m.value),
            file: self.file.into(),
            line: self.doc.line_of(section.span.start),
        };
        Some(Rule { indicator, fields: Vec::new(), patterns: Vec::new(), hits: listed("hits"), misses: listed("misses") })
    }

    fn weights(&self, section: &Section<'d>, confidence: Option<Confidence>, class: &str, effect: Effect) -> (f64, f64) {
        let read = |key: &str| {
            let item = section.float(key)?;
            if (0.0..=1.0).contains(&item.value) {
                return Some(item.value);
            }
            self.doc.error(&item, format!("{} is no weight", item.value), Some("a weight lies between 0 and 1".into()));
            None
        };
        let by_scale = confidence.map(|c| weights(c, class));
        let (weight, dns) = (read("weight"), read("dns_weight"));
        if effect != Effect::Evidence {
            return (0.0, 0.0);
        }
        if weight.is_none() && by_scale.is_none() && section.node("weight").is_none() {
            section.missing("weight");
        }
        let weight_or = weight.or(by_scale.map(|s| s.0)).unwrap_or(0.0);
        (weight_or, dns.or(weight).or(by_scale.map(|s| s.1)).unwrap_or(weight_or))
    }
}

/// App signs teach the whole sensor, web signs the same client, low signs only what is confirmed already.
fn default_teaches(effect: Effect, surface: Surface, low: bool, weight: f64) -> Teaches {
    match (effect, surface, low) {
        (Effect::Disguise | Effect::Context | Effect::WorkService, ..) => Teaches::Nobody,
        (_, Surface::Web, true) => Teaches::ConfirmedWeb,
        (_, _, true) => Teaches::Nobody,
        (_, Surface::Web, false) => Teaches::Client,
        _ if weight >= 0.80 => Teaches::Sensor,
        _ => Teaches::Nobody,
    }
}
