//! The tests that stand inside rule files: values that must hit an indicator, and values that must not.

use crate::field::{Field, FieldKind, Value};

use super::file::Rule;
use super::indicator::IndicatorId;
use super::set::RuleSet;

/// A test in a rule file that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFailure {
    /// The rule file.
    pub file: String,
    /// The line of the rule.
    pub line: usize,
    /// The indicator's id.
    pub indicator: String,
    /// The value.
    pub value: String,
    /// What happened instead.
    pub what: String,
}

/// How well a rule set is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Indicators.
    pub indicators: usize,
    /// Values held against them.
    pub tests: usize,
    /// Ids without a value that must hit.
    pub without_hits: Vec<String>,
    /// Ids without a value that must not.
    pub without_misses: Vec<String>,
}

impl RuleSet {
    /// Runs every test of every file. `fields` is the list that the set was built with.
    pub fn run_tests(&self, fields: &[&'static Field]) -> Vec<TestFailure> {
        let mut failures = Vec::new();
        for (id, rule) in self.rules() {
            for (values, wanted) in [(&rule.hits, true), (&rule.misses, false)] {
                for value in values {
                    let what = tried_on(rule, fields).into_iter().find_map(|field| self.test(id, rule, value, wanted, field));
                    if let Some(what) = what {
                        let i = &rule.indicator;
                        let (file, indicator) = (i.file.to_string(), i.id.to_string());
                        failures.push(TestFailure { file, line: i.line, indicator, value: value.to_string(), what });
                    }
                }
            }
        }
        failures
    }

    /// What is wrong with the outcome, if anything. Where a site's rule fires instead of a shipped one, nothing is: that is
    /// what it was written for.
    fn test(&self, id: IndicatorId, rule: &Rule, value: &str, wanted: bool, field: &'static Field) -> Option<String> {
        let value = match field.kind {
            FieldKind::Address => match value.parse() {
                Ok(addr) => Value::Address(addr),
                Err(_) => return Some("is no address".into()),
            },
            _ => Value::Text(value.as_bytes()),
        };
        let mut fired = Vec::new();
        self.matches(field, value, &mut |hit| fired.push(hit));
        let others: Vec<String> = fired.iter().map(|i| self.indicator(*i).id.to_string()).collect();
        match (fired.contains(&id), wanted) {
            (true, true) | (false, false) => None,
            (false, true) if !rule.site && fired.iter().any(|i| self.rule(*i).is_some_and(|r| r.site)) => None,
            (false, true) if others.is_empty() => Some("hits nothing".into()),
            (false, true) => Some(format!("hits {} instead", others.join(", "))),
            (true, false) => Some("hits it".into()),
        }
    }

    /// Which indicators lack a positive or a negative test.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        for (_, rule) in self.rules() {
            let id = || rule.indicator.id.to_string();
            coverage.indicators += 1;
            coverage.tests += rule.hits.len() + rule.misses.len();
            if rule.hits.is_empty() {
                coverage.without_hits.push(id());
            }
            if rule.misses.is_empty() {
                coverage.without_misses.push(id());
            }
        }
        coverage
    }
}

/// The fields on which a rule's values are tried: its own, or every one that holds host names.
fn tried_on(rule: &Rule, fields: &[&'static Field]) -> Vec<&'static Field> {
    if rule.fields.is_empty() { fields.iter().copied().filter(|f| f.kind == FieldKind::Name).collect() } else { rule.fields.clone() }
}
