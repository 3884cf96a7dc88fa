//! The tests inside rule files, and which indicators have none.

use std::net::IpAddr;

use crate::field::{Field, FieldKind, Value};

use super::file::{Layer, Spot};
use super::indicator::IndicatorId;
use super::set::RuleSet;

/// What a test expects of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No indicator fires.
    Nothing,
    /// This one fires.
    Indicator(Box<str>),
}

/// One test of a rule file.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// The fields on which the values are tried.
    pub fields: Vec<&'static Field>,
    /// The values.
    pub values: Vec<Box<str>>,
    /// What must happen.
    pub expect: Expect,
    /// Indicators that the values come close to and that must not fire.
    pub not: Vec<Box<str>>,
    /// Why.
    pub note: Box<str>,
    /// The file.
    pub file: Box<str>,
    /// The line.
    pub line: usize,
    /// Who wrote it.
    pub layer: Layer,
    pub(super) spot: Spot,
}

/// How one value of a test did on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// As expected.
    Passed,
    /// A shipped test meets an indicator of the site instead, which is what a site's indicator is for.
    Overridden(IndicatorId),
    /// Something else fired, or nothing.
    Failed(Vec<IndicatorId>),
}

/// One value of a test on one field.
#[derive(Clone, Debug)]
pub struct TestRun<'r> {
    /// The test.
    pub test: &'r RuleTest,
    /// The field.
    pub field: &'static Field,
    /// The value.
    pub value: &'r str,
    /// How it did.
    pub outcome: TestOutcome,
}

/// An indicator without a test that shows it firing, or without one that shows it staying silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untested {
    /// The indicator.
    pub id: IndicatorId,
    /// No test expects it.
    pub positive: bool,
    /// No test names it under `not`.
    pub negative: bool,
}

impl RuleSet {
    /// Runs every test on every of its fields.
    pub fn run_tests(&self) -> Vec<TestRun<'_>> {
        let mut runs = Vec::new();
        for test in self.tests() {
            for value in &test.values {
                for field in &test.fields {
                    runs.push(TestRun { test, field, value, outcome: self.run(test, field, value) });
                }
            }
        }
        runs
    }

    fn run(&self, test: &RuleTest, field: &'static Field, value: &str) -> TestOutcome {
        let mut hits = Vec::new();
        with_value(field, value, |value| self.matches(field, value, &mut |id| hits.push(id)));
        let fires = |id: &str| hits.iter().any(|hit| *self.indicator(*hit).id == *id);
        let expected = match &test.expect {
            Expect::Nothing => hits.is_empty(),
            Expect::Indicator(id) => fires(id),
        };
        if expected && !test.not.iter().any(|id| fires(id)) {
            return TestOutcome::Passed;
        }
        let of_site = hits.iter().find(|hit| self.layer_of(**hit) > test.layer);
        of_site.map_or(TestOutcome::Failed(hits.clone()), |hit| TestOutcome::Overridden(*hit))
    }

    /// Every indicator that lacks a positive or a negative test.
    pub fn untested(&self) -> Vec<Untested> {
        let expects = |id: &str| self.tests().iter().any(|t| t.expect == Expect::Indicator(id.into()));
        let denies = |id: &str| self.tests().iter().any(|t| t.not.iter().any(|n| **n == *id));
        let all = self.indicators().map(|(id, i)| Untested { id, positive: !expects(&i.id), negative: !denies(&i.id) });
        all.filter(|u| u.positive || u.negative).collect()
    }
}

/// Calls `with` with `text` as a value of `field`; `false` when it cannot be one.
pub fn with_value(field: &'static Field, text: &str, with: impl FnOnce(Value<'_>)) -> bool {
    match field.kind {
        FieldKind::Name | FieldKind::Text | FieldKind::Hash => with(Value::Text(text.as_bytes())),
        FieldKind::List => with(Value::List(&[text.as_bytes()])),
        FieldKind::Token(words) => match words.iter().find(|word| **word == text) {
            Some(word) => with(Value::Token(word)),
            None => return false,
        },
        FieldKind::Number => match text.parse() {
            Ok(number) => with(Value::Number(number)),
            Err(_) => return false,
        },
        FieldKind::Address => match text.parse::<IpAddr>() {
            Ok(addr) => with(Value::Address(addr)),
            Err(_) => return false,
        },
    }
    true
}
