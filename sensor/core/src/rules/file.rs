//! One rule file: text in, rules and every problem out.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostics, Document, Item, Node, Section, nearest};
use crate::field::{Family, Field, FieldKind};
use crate::fold::Folded;
use crate::net::Prefix;

use super::indicator::{Effect, Indicator, Maturity, Surface, Teaches};
use super::name_list::NameList;
use super::name_pattern;
use super::scale::{Confidence, WEB_CLIENT, weights};

/// A pattern on one kind of field other than host names.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
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
    /// Host name patterns that it looks for: exact, `.suffix`, `*label`.
    pub names: NameList,
    /// What else it looks for.
    pub patterns: Vec<Pattern>,
    /// Values that must hit it.
    pub hits: Vec<Box<str>>,
    /// Values that must not.
    pub misses: Vec<Box<str>>,
    /// Stands in a site's own file.
    pub site: bool,
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
    /// Indicators of an earlier layer that it switches off, each with its line.
    pub disable: Vec<(Box<str>, usize)>,
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
        let disable = root.texts("disable").unwrap_or_default().iter().map(|id| (id.value.into(), doc.line_of(id.span.start))).collect();
        root.finish();
        diagnostics.extend(doc.finish());
        RuleFile { name: name.to_string(), title, rules, disable }
    }
}

fn valid_word(doc: &Document<'_>, item: &Item<'_, &str>) -> bool {
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
        rule.names = self.patterns(&listed);
        rule.fields = self.name_fields(&section);
        self.check_web_client(&section, &rule.indicator);
        section.finish();
        (!rule.names.is_empty()).then_some(rule)
    }

    /// The names of a list that are well formed.
    fn patterns(&self, listed: &[Item<'d, &'d str>]) -> NameList {
        let mut known: HashSet<&str, Folded> = HashSet::with_capacity_and_hasher(listed.len(), Folded::default());
        let good = |item: &&Item<'d, &'d str>| match name_pattern::validate(item.value) {
            Ok(()) if !known.insert(item.value) => {
                self.doc.error(item, format!("`{}` stands here twice", item.value), Some("remove one of them".into()));
                false
            }
            Ok(()) => {
                self.doubt_star(item);
                true
            }
            Err(bad) => {
                self.doc.error(item, format!("`{}` {}", item.value.escape_debug(), bad.what), Some(bad.help));
                false
            }
        };
        listed.iter().filter(good).map(|item| item.value).collect()
    }

    /// `*.example.org` is one label more than `example.org`, which is seldom what was meant.
    fn doubt_star(&self, item: &Item<'_, &str>) {
        if let Some(below) = item.value.strip_prefix('*').filter(|rest| rest.starts_with('.')) {
            let help = format!("for the name and all below it write `{below}`");
            self.doc.warn(item, format!("`{}` is exactly one label more than `{}`", item.value, &below[1..]), Some(help));
        }
    }

    /// A browser client is no sign of the installed app: on surface app its names would weigh as much as the app's own.
    fn check_web_client(&self, section: &Section<'d>, indicator: &Indicator) {
        if &*indicator.class == WEB_CLIENT && indicator.surface != Surface::Web && indicator.effect == Effect::Evidence {
            let problem = Item { value: (), ..section.here() };
            self.doc.error(&problem, format!("class `{WEB_CLIENT}` is of surface `web`"), Some("add `surface = \"web\"`".into()));
        }
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
        let given: Vec<Node<'d>> = ["is", "prefix", "contains", "without", "cidr"].iter().filter_map(|k| section.node(k)).collect();
        if let Some(field) = field {
            given.iter().for_each(|node| self.check_how(field, node));
        }
        if given.iter().all(|node| node.key.name() == "without") {
            let problem = Item { value: (), ..section.here() };
            self.doc.error(&problem, "has no pattern", Some("give one of: is, prefix, contains, cidr".into()));
        }
        section.finish();
        (!rule.patterns.is_empty()).then_some(rule)
    }

    /// Whether a field's values can be compared in this way: a pattern that can never fire is an error.
    fn check_how(&self, field: &'static Field, node: &Node<'d>) {
        let how = node.key.name();
        let (holds, right): (&str, &[&str]) = match field.kind {
            FieldKind::Name => ("host names", &[]),
            FieldKind::Address => ("addresses", &["cidr"]),
            FieldKind::Text | FieldKind::List => ("text", &["is", "prefix", "contains", "without"]),
            FieldKind::Token(_) => ("words that are compared whole", &["is"]),
            FieldKind::Hash => ("fingerprints that are compared whole", &["is"]),
            FieldKind::Number => ("numbers that are compared whole", &["is"]),
        };
        if right.contains(&how) {
            return;
        }
        let (message, help) = match how {
            "cidr" => (format!("{} holds no addresses, so `cidr` can never match", field.name), None),
            _ => (format!("{} holds {holds}, so `{how}` can never match", field.name), right.first().map(|r| format!("use `{r}`"))),
        };
        let help = help.or_else(|| (field.kind == FieldKind::Name).then(|| "write it under [[names]], with `names`".to_string()));
        self.doc.error(node, message, help);
    }

    /// Whether a text can tell anything at all.
    fn telling(&self, item: &Item<'_, &str>, least: usize) -> bool {
        if item.value.len() < least {
            let help = format!("at least {least} character{}", if least == 1 { "" } else { "s" });
            self.doc.error(item, format!("`{}` is in almost every value", item.value.escape_debug()), Some(help));
        }
        item.value.len() >= least
    }

    /// Whether a whole value can ever be a value of the field.
    fn possible(&self, field: &'static Field, item: &Item<'_, &str>) -> bool {
        let (ok, what, help) = match field.kind {
            FieldKind::Hash => {
                let ok = item.value.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                (ok, "is no fingerprint", format!("fingerprints are lower case: `{}`", item.value.to_ascii_lowercase().escape_debug()))
            }
            FieldKind::Number => (item.value.parse::<u64>().is_ok(), "is no number", "write it in decimal, in quotes".into()),
            _ => return true,
        };
        if !ok {
            self.doc.error(item, format!("`{}` {what}", item.value.escape_debug()), Some(help));
        }
        ok
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
            if self.telling(&item, 1) && self.possible(field, &item) {
                rule.patterns.push(Pattern::Is(item.value.into()));
            }
        }
        let prefixes = section.texts("prefix").unwrap_or_default();
        rule.patterns.extend(prefixes.iter().filter(|p| self.telling(p, 3)).map(|p| Pattern::Prefix(p.value.into())));
        let without: Vec<Box<str>> = section.texts("without").unwrap_or_default().iter().map(|w| w.value.into()).collect();
        let contains = section.texts("contains").unwrap_or_default();
        let contains = contains.iter().filter(|c| self.telling(c, 3));
        rule.patterns.extend(contains.map(|c| Pattern::Contains(c.value.into(), without.clone())));
        for item in section.texts("cidr").unwrap_or_default() {
            match item.value.parse::<Prefix>() {
                Ok(prefix) if prefix.len < if prefix.addr.is_ipv4() { 8 } else { 16 } => {
                    let help = "at least /8, for IPv6 /16".to_string();
                    self.doc.error(&item, format!("`{prefix}` is too much of the internet to mean anything"), Some(help));
                }
                Ok(prefix) => rule.patterns.push(Pattern::Cidr(prefix)),
                Err(()) => {
                    let message = format!("`{}` is no address prefix", item.value.escape_debug());
                    self.doc.error(&item, message, Some(prefix_help(item.value)));
                }
            }
        }
    }

    fn field(&self, item: &Item<'_, &str>) -> Option<&'static Field> {
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

    /// The host name fields that a group of names is limited to; none: all of them.
    fn name_fields(&self, section: &Section<'d>) -> Vec<&'static Field> {
        let named = section.texts("fields").unwrap_or_default();
        let known = named.iter().filter_map(|item| self.field(item).map(|field| (item, field)));
        let (names, others): (Vec<_>, Vec<_>) = known.partition(|(_, field)| field.kind == FieldKind::Name);
        for (item, field) in others {
            self.doc.error(item, format!("{} holds no host names", field.name), Some("write it under [[sign]]".into()));
        }
        names.into_iter().map(|(_, field)| field).collect()
    }

    /// What every rule has.
    fn common(&self, section: &Section<'d>, confidence: Option<Confidence>) -> Option<Rule> {
        let id = section.required_text("id").filter(|id| valid_word(self.doc, id));
        let class = section.required_text("class").filter(|c| valid_word(self.doc, c)).map_or("", |c| c.value);
        let effect = section.choice("effect", &EFFECTS).map_or(Effect::Evidence, |e| e.value);
        let surface = section.choice("surface", &Surface::WORDS).map_or(Surface::App, |s| s.value);
        let (weight, dns_weight) = self.weights(section, confidence, class, effect);
        let low = section.flag("low").map_or(confidence == Some(Confidence::Low), |l| l.value) && effect == Effect::Evidence;
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
        let names = NameList::default();
        Some(Rule {
            indicator,
            fields: Vec::new(),
            names,
            patterns: Vec::new(),
            hits: listed("hits"),
            misses: listed("misses"),
            site: false,
        })
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
            if let Some(node) = section.node("weight").filter(|_| weight.is_some_and(|w| w > 0.0)) {
                self.doc.error(&node, "only evidence has a weight", Some("leave out `weight`, or `effect`".into()));
            }
            return (0.0, 0.0);
        }
        if weight.is_none() && by_scale.is_none() && section.node("weight").is_none() {
            section.missing("weight");
        }
        let weight_or = weight.or(by_scale.map(|s| s.0)).unwrap_or(0.0);
        (weight_or, dns.or(weight).or(by_scale.map(|s| s.1)).unwrap_or(weight_or))
    }
}

fn prefix_help(text: &str) -> String {
    let masked = text.split_once('/').and_then(|(addr, len)| Prefix::new(addr.parse().ok()?, len.parse().ok()?));
    masked.map_or("write 203.0.113.0/24, host bits zero".into(), |p| format!("host bits are set: did you mean `{p}`?"))
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
