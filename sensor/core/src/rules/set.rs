//! A rule set: every indicator of every file, compiled for matching.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Problem, Severity, nearest};
use crate::field::{Family, Field, FieldKind, Value};

use super::asked::{Asked, FieldAt, Fields, address};
use super::file::{Pattern, Rule, RuleFile};
use super::indicator::{Effect, Indicator, IndicatorId, Maturity, Surface, Teaches};
use super::name_table::NameTexts;
use super::names::Names;

/// The server's address of a flow on which something else matched: context for readers, never evidence by itself.
pub static SERVER: Field = Field {
    name: "flow.server",
    key: "server",
    kind: FieldKind::Address,
    family: Some(Family::Address),
    signal: Some("associated"),
    personal: false,
    meaning: "The server's address of a flow that has another sign.",
    source: "RFC 791, RFC 8200",
};

/// The indicator of the organisation's own services.
const WORK_SERVICE: &str = "site.work-service";

/// Wildcards below one name.
const STARS_MAX: usize = 32;

/// Indicators, compiled.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Arc<Vec<Rule>>,
    /// The text of every name, once.
    name_texts: Arc<NameTexts>,
    /// Names that every host name field is held against, unless a rule names its fields.
    names: Names,
    fields: Fields,
    fingerprints: bool,
}

impl RuleSet {
    /// Compiles rule files. A file of a later layer may replace an indicator of an earlier one by using its id; within one layer
    /// ids and patterns are unique. `layers` holds the files of each layer.
    pub fn build(layers: &[Vec<RuleFile>], fields: &[&'static Field], diagnostics: &mut Diagnostics) -> RuleSet {
        let rules = merge(layers, diagnostics);
        check_stars(&rules, diagnostics);
        RuleSet::compiled(rules, fields, diagnostics)
    }

    /// The same rules, numbered like those of `previous`: an indicator that both have keeps its number, and one that is gone keeps its
    /// place and means nothing. So evidence that was found under the previous rules is read rightly under these.
    pub fn over(self, previous: &RuleSet, fields: &[&'static Field]) -> RuleSet {
        let mut seats: Vec<Rule> = previous.rules.iter().map(Rule::gone).collect();
        let at: HashMap<Box<str>, usize> = seats.iter().enumerate().map(|(i, rule)| (rule.indicator.id.clone(), i)).collect();
        for rule in Arc::unwrap_or_clone(self.rules) {
            match at.get(&rule.indicator.id).and_then(|i| seats.get_mut(*i)) {
                Some(seat) => *seat = rule,
                None => seats.push(rule),
            }
        }
        RuleSet::compiled(seats, fields, &mut Diagnostics::default())
    }

    fn compiled(rules: Vec<Rule>, fields: &[&'static Field], diagnostics: &mut Diagnostics) -> RuleSet {
        let mut set = RuleSet::default();
        for i in filing_order(&rules) {
            let rule = &rules[i];
            let id = IndicatorId(u32::try_from(i).unwrap_or(u32::MAX));
            for pattern in &rule.patterns {
                if let Some(old) = set.compile(rule, pattern, id) {
                    let text = if let Pattern::Cidr(prefix) = pattern { prefix.to_string() } else { format!("{pattern:?}") };
                    shadowed(&rules[old.0 as usize], rule, &text, diagnostics);
                }
            }
        }
        for field in fields {
            let settled = set.fields.of_mut(address(field)).is_none_or(|asked| asked.texts.settle());
            if let (false, Some(rule)) = (settled, rules.first()) {
                let field = field.name;
                problem(&rule.indicator, format!("the texts for `{field}` are too many"), "use fewer `contains`".into(), diagnostics);
            }
        }
        set.rules = Arc::new(rules);
        set.file_names(diagnostics);
        set
    }

    /// Packs the names of all rules into one text, and files them anew.
    fn file_names(&mut self, diagnostics: &mut Diagnostics) {
        let order: Vec<usize> = filing_order(&self.rules).into_iter().filter(|i| !self.rules[*i].names.is_empty()).collect();
        let lists = order.iter().map(|i| (IndicatorId(u32::try_from(*i).unwrap_or(u32::MAX)), &self.rules[*i].names));
        let (texts, parts) = NameTexts::pack(lists);
        let rules = Arc::make_mut(&mut self.rules);
        for (id, part) in parts {
            rules[id.0 as usize].names = part;
        }
        self.name_texts = Arc::new(texts);
        let listed: Vec<&Rule> = order.iter().map(|i| &self.rules[*i]).collect();
        let everywhere = listed.iter().filter(|r| r.fields.is_empty()).map(|r| &r.names);
        let mut displaced = self.names.file(&self.name_texts, everywhere);
        let special: HashSet<FieldAt> = listed.iter().flat_map(|r| &r.fields).map(|f| address(f)).collect();
        for field in special {
            let names = listed.iter().filter(|r| r.fields.iter().any(|f| address(f) == field)).map(|r| &r.names);
            displaced.extend(self.fields.entry(field).names.get_or_insert_default().file(&self.name_texts, names));
        }
        displaced.sort_unstable();
        displaced.dedup();
        let rule = |at: u32| self.name_texts.owner(at).and_then(|id| self.rules.get(id.0 as usize));
        for (first, second) in displaced {
            let (Some(old), Some(new), Some(name)) = (rule(first), rule(second), self.name_texts.name(second)) else { continue };
            if old.indicator.id != new.indicator.id {
                shadowed(old, new, name, diagnostics);
            }
        }
    }

    /// Files one pattern; the indicator that it displaces, if any.
    fn compile(&mut self, rule: &Rule, pattern: &Pattern, id: IndicatorId) -> Option<IndicatorId> {
        let mut displaced = None;
        for field in &rule.fields {
            self.fingerprints |= field.kind == FieldKind::Hash;
            let Asked { texts, prefixes, .. } = self.fields.entry(address(field));
            match pattern {
                Pattern::Is(text) => texts.is(text, id),
                Pattern::Prefix(text) => texts.prefix(text, id),
                Pattern::Contains(text, without) => texts.contains(text, without, id),
                Pattern::Cidr(prefix) => displaced = displaced.or(prefixes.add(*prefix, id)),
            }
        }
        displaced.filter(|old| *old != id)
    }

    /// An indicator.
    pub fn indicator(&self, id: IndicatorId) -> &Indicator {
        match self.rules.get(id.0 as usize) {
            Some(rule) => &rule.indicator,
            None => unknown(),
        }
    }

    /// A rule with its patterns and tests.
    pub fn rule(&self, id: IndicatorId) -> Option<&Rule> {
        self.rules.get(id.0 as usize)
    }

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = (IndicatorId, &Rule)> {
        let all = self.rules.iter().enumerate().map(|(i, r)| (IndicatorId(i as u32), r));
        all.filter(|(_, r)| !r.is_gone())
    }

    /// Whether a rule looks at a fingerprint, so that they must be computed for every hello.
    pub fn wants_fingerprints(&self) -> bool {
        self.fingerprints
    }

    /// Adds the organisation's work services: names that are no sign of an app, but tell which device does the organisation's work.
    pub fn add_work_services(&mut self, names: &[String]) {
        let seat = self.rules.iter().position(|r| &*r.indicator.id == WORK_SERVICE).unwrap_or(self.rules.len());
        let indicator =
            Indicator { id: WORK_SERVICE.into(), effect: Effect::WorkService, class: "work-service".into(), ..unknown().clone() };
        let names = names.iter().map(String::as_str).collect();
        let rule = Rule { indicator, fields: Vec::new(), names, patterns: Vec::new(), hits: Vec::new(), misses: Vec::new(), site: true };
        let rules = Arc::make_mut(&mut self.rules);
        match rules.get_mut(seat) {
            Some(gone) => *gone = rule,
            None => rules.push(rule),
        }
        // Nobody is told: the organisation may call a shipped name its own.
        self.file_names(&mut Diagnostics::default());
    }

    /// Bytes of memory that the name patterns take: their text and their tables.
    pub fn held(&self) -> usize {
        let owners = size_of_val(&*self.name_texts.owners);
        self.name_texts.bytes.len() + owners + self.names.held() + self.fields.names().map(Names::held).sum::<usize>()
    }

    /// Strips one more local search suffix from names.
    pub fn add_local_suffix(&mut self, suffix: &str) {
        self.names.add_local(suffix);
        self.fields.names_mut().for_each(|n| n.add_local(suffix));
    }

    /// The local search suffix that a name ends in, where it has one.
    pub fn local_suffix(&self, name: &str) -> Option<&str> {
        self.names.local_suffix(name)
    }

    /// Shows every indicator that fires on a value; of names and prefixes only the longest match.
    #[inline]
    pub fn matches(&self, field: &'static Field, value: Value<'_>, hit: &mut dyn FnMut(IndicatorId)) {
        let asked = self.fields.of(address(field));
        if field.kind == FieldKind::Name {
            self.name(asked, value, hit);
        } else if let Some(asked) = asked {
            asked.show(value, hit);
        }
    }

    fn name(&self, asked: Option<&Asked>, value: Value<'_>, hit: &mut dyn FnMut(IndicatorId)) {
        match value {
            Value::Text(bytes) => {
                let special = asked.and_then(|asked| asked.names.as_ref()?.find(bytes));
                special.or_else(|| self.names.find(bytes)).into_iter().for_each(hit);
            }
            Value::List(items) => items.iter().for_each(|item| self.name(asked, Value::Text(item), hit)),
            other => asked.into_iter().for_each(|asked| asked.show(other, hit)),
        }
    }

    /// The part of a value that an indicator is about: of free text (a user agent tells the device, its build, its owner's number)
    /// only the word that the pattern is in.
    pub fn telling<'v>(&self, id: IndicatorId, field: &Field, value: Value<'v>) -> Value<'v> {
        let (Value::Text(bytes), FieldKind::Text) = (value, field.kind) else { return value };
        let needle = |pattern: &Pattern| match pattern {
            Pattern::Contains(text, _) | Pattern::Prefix(text) => {
                bytes.windows(text.len().max(1)).position(|w| w == text.as_bytes()).map(|at| (at, text.len()))
            }
            _ => None,
        };
        let Some((at, len)) = self.rule(id).and_then(|rule| rule.patterns.iter().find_map(needle)) else { return value };
        let (before, rest) = bytes.split_at(at);
        let start = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
        let end = rest.iter().skip(len).position(u8::is_ascii_whitespace).map_or(bytes.len(), |blank| at + len + blank);
        Value::Text(bytes.get(start..end).unwrap_or(bytes))
    }
}

impl Rule {
    /// What stays of a rule that is gone: its number.
    fn gone(&self) -> Rule {
        let indicator = Indicator { effect: Effect::Context, ..self.indicator.clone() };
        let (fields, names, patterns, hits, misses) = Default::default();
        Rule { indicator, fields, names, patterns, hits, misses, site: self.site }
    }

    /// Whether it looks for nothing any more.
    fn is_gone(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }
}

/// In which order rules are filed: a site's patterns displace the shipped ones wherever its rules stand, and those of the
/// organisation's own services all others.
fn filing_order(rules: &[Rule]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by_key(|i| (rules[*i].site, rules[*i].indicator.effect == Effect::WorkService));
    order
}

/// One rule for each id: that of the last layer that has it, unless a later one has switched it off.
fn merge(layers: &[Vec<RuleFile>], diagnostics: &mut Diagnostics) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut by_id: HashMap<Box<str>, usize> = HashMap::new();
    for (depth, layer) in layers.iter().enumerate() {
        let mut own: HashSet<&str> = HashSet::new();
        for rule in layer.iter().flat_map(|f| &f.rules) {
            let id = &rule.indicator.id;
            let rule = Rule { site: depth > 0, ..rule.clone() };
            match by_id.get(id).copied() {
                Some(at) if !own.insert(id) => duplicate(&rules[at].indicator, &rule.indicator, diagnostics),
                Some(at) => rules[at] = rule,
                None => {
                    own.insert(id);
                    by_id.insert(id.clone(), rules.len());
                    rules.push(rule);
                }
            }
        }
    }
    let off: HashSet<&str> = layers.iter().enumerate().flat_map(|(depth, layer)| switched_off(depth, layer, &by_id, diagnostics)).collect();
    rules.retain(|rule| !off.contains(&*rule.indicator.id));
    rules
}

/// The ids that the files of a layer switch off.
fn switched_off<'f>(depth: usize, layer: &'f [RuleFile], known: &HashMap<Box<str>, usize>, diagnostics: &mut Diagnostics) -> Vec<&'f str> {
    let mut off = Vec::new();
    for (file, (id, line)) in layer.iter().flat_map(|f| f.disable.iter().map(move |d| (f, d))) {
        let (message, help) = if depth == 0 {
            ("only a site's own files may switch indicators off".to_string(), "remove the rule instead".to_string())
        } else if known.contains_key(id) {
            off.push(&**id);
            continue;
        } else {
            let near = nearest(id, known.keys().map(|k| &**k));
            let help = near.map_or("see `ringfence rules list`".into(), |n| format!("did you mean `{n}`?"));
            (format!("there is no indicator `{}`", id.escape_debug()), help)
        };
        let (severity, file, help) = (Severity::Error, file.name.clone(), Some(help));
        diagnostics.push(Problem { severity, file, line: *line, column: 1, key: "disable".into(), message, help, excerpt: None });
    }
    off
}

/// Wildcards below one name are tried one by one, so there may not be many.
fn check_stars(rules: &[Rule], diagnostics: &mut Diagnostics) {
    let mut below: HashMap<&str, usize> = HashMap::new();
    for rule in rules {
        for name in rule.names.iter() {
            let Some((_, parent)) = name.split_once('.').filter(|(label, _)| label.contains('*')) else { continue };
            let count = below.entry(parent).or_default();
            *count += 1;
            if *count == STARS_MAX + 1 {
                let message = format!("there are more than {STARS_MAX} wildcards below `{parent}`");
                problem(&rule.indicator, message, format!("use whole names, or `.{parent}`"), diagnostics);
            }
        }
    }
}

/// What stands for an id of another set: it fires never and means nothing.
fn unknown() -> &'static Indicator {
    static UNKNOWN: std::sync::OnceLock<Indicator> = std::sync::OnceLock::new();
    UNKNOWN.get_or_init(|| Indicator {
        id: "unknown".into(),
        app: "".into(),
        surface: Surface::App,
        class: "".into(),
        region: "".into(),
        weight: 0.0,
        dns_weight: 0.0,
        family: None,
        signal: None,
        starts: false,
        low: false,
        teaches: Teaches::Nobody,
        effect: Effect::Context,
        source: "".into(),
        false_alarms: "".into(),
        maturity: Maturity::Sandbox,
        file: "".into(),
        line: 0,
    })
}

fn problem(indicator: &Indicator, message: String, help: String, diagnostics: &mut Diagnostics) {
    diagnostics.push(Problem {
        severity: Severity::Error,
        file: indicator.file.to_string(),
        line: indicator.line,
        column: 1,
        key: indicator.id.to_string(),
        message,
        help: Some(help),
        excerpt: None,
    });
}

fn duplicate(first: &Indicator, second: &Indicator, diagnostics: &mut Diagnostics) {
    let message = format!("the id is used twice, first at {}:{}", first.file, first.line);
    problem(second, message, "ids are unique within one folder; only a site folder may replace a shipped rule".into(), diagnostics);
}

fn shadowed(first: &Rule, second: &Rule, pattern: &str, diagnostics: &mut Diagnostics) {
    if first.site != second.site {
        return;
    }
    let message = format!("`{pattern}` belongs to {} already ({}:{})", first.indicator.id, first.indicator.file, first.indicator.line);
    problem(&second.indicator, message, "remove it from one of them".into(), diagnostics);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
