//! Why a value matches what it matches, and what it only comes close to. For people: looks at every pattern.

use crate::field::{Field, FieldKind, Value};

use super::indicator::IndicatorId;
use super::pattern::{NamePattern, Pattern, TextHow};
use super::set::RuleSet;

/// How many near misses are shown.
const NEAR_MAX: usize = 8;

/// What became of a value on a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The field.
    pub field: &'static Field,
    /// The local suffix that was left out to find the match.
    pub stripped: Option<String>,
    /// What fires.
    pub fires: Vec<Outcome>,
    /// What does not, although one might think so; most telling first.
    pub near: Vec<Near>,
}

/// An indicator that fires, with the pattern that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The indicator.
    pub id: IndicatorId,
    /// Its pattern.
    pub pattern: String,
}

/// An indicator that does not fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The indicator.
    pub id: IndicatorId,
    /// Its pattern.
    pub pattern: String,
    /// Why not.
    pub reason: Reason,
}

/// Why a pattern that is near does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It matches, but a longer pattern matches too.
    Overridden,
    /// Another part of the value rules it out.
    Excluded(String),
    /// It is the end of the name, but in the middle of a label: `notweixin.qq.com`.
    LabelBoundary,
    /// It stands in the name, but not at its end: `weixin.qq.com.evil.example`.
    NotAtEnd,
    /// It means exactly this name, not names below it.
    NotBelow,
    /// It is written almost like the value.
    Similar,
}

impl Reason {
    /// One sentence for operators.
    pub fn words(&self) -> String {
        match self {
            Reason::Overridden => "a longer pattern matches, and the longest wins".into(),
            Reason::Excluded(part) => format!("ruled out: the value also contains `{part}`"),
            Reason::LabelBoundary => "only whole labels count".into(),
            Reason::NotAtEnd => "it must be the end of the name: whoever owns the end owns the name".into(),
            Reason::NotBelow => "it means this one name, not names below it".into(),
            Reason::Similar => "looks alike, but is another name".into(),
        }
    }
}

impl RuleSet {
    /// Explains one value on one field.
    pub fn explain(&self, field: &'static Field, value: Value<'_>) -> Explanation {
        let mut ids = Vec::new();
        self.matches(field, value, &mut |id| ids.push(id));
        let mut near = Vec::new();
        let mut fires: Vec<Outcome> = Vec::new();
        let (forms, stripped) = self.forms(field, value);
        for (id, _) in self.indicators().filter(|(id, _)| self.fields_of(*id).contains(&field)) {
            for pattern in self.patterns_of(id) {
                match forms.iter().find_map(|form| compare(pattern, form, value)) {
                    Some(Ok(())) => fires.push(Outcome { id, pattern: pattern.to_string() }),
                    Some(Err(reason)) => near.push(Near { id, pattern: pattern.to_string(), reason }),
                    None => {}
                }
            }
        }
        // Of all that fit, the matcher has chosen; of one indicator's patterns the longest is the one that did it.
        let (mut winners, losers): (Vec<_>, Vec<_>) = fires.into_iter().partition(|f| ids.contains(&f.id));
        if matches!(field.kind, FieldKind::Name | FieldKind::Address) {
            winners.sort_by_key(|w| std::cmp::Reverse(specific(&w.pattern)));
            let others = winners.split_off(winners.len().min(1));
            near.extend(others.into_iter().chain(losers).map(|o| Near { id: o.id, pattern: o.pattern, reason: Reason::Overridden }));
        }
        near.sort_by(|a, b| (&a.reason, std::cmp::Reverse(a.pattern.len())).cmp(&(&b.reason, std::cmp::Reverse(b.pattern.len()))));
        near.truncate(NEAR_MAX);
        let by_stripping = |w: &Outcome| forms.first().is_some_and(|whole| !fits(&w.pattern, whole));
        let stripped = stripped.filter(|_| field.kind == FieldKind::Name && winners.first().is_none_or(by_stripping));
        Explanation { field, stripped, fires: winners, near }
    }

    /// The value as text: as it is, and without its local suffix.
    fn forms(&self, field: &Field, value: Value<'_>) -> (Vec<String>, Option<String>) {
        let text = match value {
            Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Token(word) => word.to_string(),
            Value::List(items) => items.first().map_or(String::new(), |i| String::from_utf8_lossy(i).into_owned()),
            Value::Number(number) => number.to_string(),
            Value::Address(addr) => addr.to_canonical().to_string(),
        };
        if field.kind != FieldKind::Name {
            return (vec![text], None);
        }
        let name = text.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name).to_string();
        let stripped = self.suffixes().strip(name.as_bytes()).map(|(rest, suffix)| (rest.len(), suffix.to_string()));
        match stripped {
            Some((len, suffix)) => (vec![name.clone(), name.get(..len).unwrap_or("").to_string()], Some(suffix)),
            None => (vec![name], None),
        }
    }
}

/// How specific a pattern is: labels or prefix bits, then letters.
fn specific(pattern: &str) -> (usize, bool, usize) {
    let bits = pattern.split_once('/').and_then(|(_, len)| len.parse().ok());
    let labels = pattern.trim_start_matches('.').split('.').count();
    (bits.unwrap_or(labels), !pattern.starts_with('.') && !pattern.contains('*'), pattern.len())
}

/// Whether a pattern matches, and if not, whether it is near.
fn compare(pattern: &Pattern, form: &str, value: Value<'_>) -> Option<Result<(), Reason>> {
    match pattern {
        Pattern::Name(name) => compare_name(name, form),
        Pattern::Number(number) => (*number.to_string() == *form).then_some(Ok(())),
        Pattern::Network(prefix) => match value {
            Value::Address(addr) => prefix.contains(addr.to_canonical()).then_some(Ok(())),
            _ => None,
        },
        Pattern::Text { how, text, but_not } => {
            let found = match how {
                TextHow::Equals => form == &**text,
                TextHow::Prefix => form.starts_with(&**text),
                TextHow::Contains => form.contains(&**text),
            };
            let excluded = but_not.iter().find(|part| form.contains(&***part));
            match (found, excluded) {
                (true, None) => Some(Ok(())),
                (true, Some(part)) => Some(Err(Reason::Excluded(part.to_string()))),
                (false, _) => None,
            }
        }
    }
}

fn compare_name(pattern: &NamePattern, name: &str) -> Option<Result<(), Reason>> {
    if fits(pattern.text(), name) {
        return Some(Ok(()));
    }
    let labels = pattern.labels();
    if pattern.wildcard().is_some() {
        return None;
    }
    let below = name.strip_suffix(labels);
    let reason = match below {
        Some(rest) if rest.ends_with('.') => Reason::NotBelow,
        Some(_) => Reason::LabelBoundary,
        None if format!(".{name}").contains(&format!(".{labels}.")) => Reason::NotAtEnd,
        None if labels.len() >= 8 && strsim::osa_distance(labels, name) <= 2 => Reason::Similar,
        None => return None,
    };
    Some(Err(reason))
}

/// Whether a pattern (as written) matches a name in lower case.
fn fits(pattern: &str, name: &str) -> bool {
    let (below, labels) = pattern.strip_prefix('.').map_or((false, pattern), |labels| (true, labels));
    let depth = labels.split('.').count();
    let own: Vec<&str> = name.split('.').collect();
    let Some(start) = own.len().checked_sub(depth).filter(|start| *start == 0 || below) else { return false };
    labels.split('.').zip(&own[start..]).all(|(want, have)| match want.split_once('*') {
        None => want == *have,
        Some((before, behind)) => {
            have.len() >= before.len() + behind.len() && !have.is_empty() && have.starts_with(before) && have.ends_with(behind)
        }
    })
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
