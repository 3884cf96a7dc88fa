//! Dashboards as Grafana reads them: panels, their queries, and what stands in the queries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::root;
use crate::sensor::Json;

/// A dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// The file's name without its end.
    pub stem: String,
    /// Everything.
    pub json: Json,
}

/// A query of a panel.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its letter.
    pub letter: String,
    /// The expression, with variables.
    pub expr: String,
    /// One value now, not a range of them.
    pub instant: bool,
}

/// Every dashboard that is shipped, by name.
///
/// # Panics
/// When one cannot be read.
pub fn all() -> Vec<Dashboard> {
    let dir = root().join("dashboards/grafana");
    let files = fs::read_dir(&dir).expect("dashboards").flatten().map(|entry| entry.path());
    let mut all: Vec<Dashboard> = files
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            Dashboard { stem: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), json }
        })
        .collect();
    all.sort_by(|a, b| a.stem.cmp(&b.stem));
    all
}

impl Dashboard {
    /// Its panels, rows among them.
    pub fn panels(&self) -> &[Json] {
        self.json["panels"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Names of its variables.
    pub fn variables(&self) -> BTreeSet<String> {
        let list = self.json["templating"]["list"].as_array().into_iter().flatten();
        list.filter_map(|v| v["name"].as_str().map(str::to_string)).collect()
    }

    /// What its variables list: the values of a label of a metric.
    pub fn lists(&self) -> Vec<(String, String)> {
        let list = self.json["templating"]["list"].as_array().into_iter().flatten();
        let inside = |v: &Json| Some(v["query"]["query"].as_str()?.strip_prefix("label_values(")?.strip_suffix(')')?.to_string());
        list.filter_map(inside).filter_map(|q| q.rsplit_once(", ").map(|(metric, label)| (metric.to_string(), label.to_string()))).collect()
    }

    /// Expressions of its annotations.
    pub fn annotations(&self) -> Vec<String> {
        let list = self.json["annotations"]["list"].as_array().into_iter().flatten();
        list.filter_map(|a| a["expr"].as_str().map(str::to_string)).collect()
    }
}

/// The queries of a panel.
pub fn targets(panel: &Json) -> Vec<Target> {
    let text = |t: &Json, key: &str| t[key].as_str().unwrap_or_default().to_string();
    let list = panel["targets"].as_array().into_iter().flatten();
    list.map(|t| Target { letter: text(t, "refId"), expr: text(t, "expr"), instant: t["instant"] == true }).collect()
}

/// What Grafana makes of the time that is shown and of the width of a panel.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Everything that is shown.
    pub range: String,
    /// Between two points of a curve.
    pub interval: String,
    /// Long enough for a rate.
    pub rate: String,
}

/// A query as Grafana would send it with "All" chosen everywhere.
pub fn filled(expr: &str, spans: &Spans) -> String {
    let Spans { range, interval, rate } = spans;
    let values = [
        ("$__rate_interval", rate.as_str()),
        ("$__interval", interval),
        ("$__range", range),
        ("$site", ".*"),
        ("$sensor", ".*"),
        ("$segment", ".*"),
        ("$app", ".*"),
    ];
    values.iter().fold(expr.to_string(), |text, (variable, value)| text.replace(variable, value))
}

/// A metric in a query, with the labels that it is asked for by.
pub type Asked = BTreeMap<String, BTreeSet<String>>;

/// Metrics of ours (and `up`) that a query names, each with its labels; under the empty name what the query groups and joins by.
pub fn asked(expr: &str) -> Asked {
    let mut asked = Asked::new();
    let mut rest = expr;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let open = behind.trim_start();
        if word.contains("ringfence_") || word == "up" {
            let labels = open.strip_prefix('{').and_then(|o| o.split_once('}')).map_or("", |(inside, _)| inside);
            asked.entry(word.to_string()).or_default().extend(matchers(labels));
            rest = behind.split_once('}').filter(|_| open.starts_with('{')).map_or(behind, |(_, after)| after);
        } else if matches!(word, "by" | "on" | "without" | "ignoring" | "group_left" | "group_right") {
            let labels = open.strip_prefix('(').and_then(|o| o.split_once(')')).map_or("", |(inside, _)| inside);
            asked.entry(String::new()).or_default().extend(words(labels));
            rest = behind.split_once(')').filter(|_| open.starts_with('(')).map_or(behind, |(_, after)| after);
        } else if let Some(after) = behind.strip_prefix('"') {
            rest = after.split_once('"').map_or("", |(_, after)| after);
        }
    }
    asked
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|w| w.trim().to_string()).filter(|w| !w.is_empty())
}

/// Names of labels in `a="x",b=~"y,z"`.
fn matchers(text: &str) -> Vec<String> {
    let outside = text.split('"').step_by(2).flat_map(|part| part.split(','));
    let name = |part: &str| part.trim().trim_end_matches(['=', '~', '!']).trim().to_string();
    outside.map(name).filter(|n| !n.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(expr: &str, expect: &[(&str, &[&str])]) {
        let expect: Asked = expect.iter().map(|(name, l)| ((*name).to_string(), l.iter().map(|l| (*l).to_string()).collect())).collect();
        assert_eq!(asked(expr), expect, "{expr}");
    }

    #[test]
    fn queries_are_taken_apart() {
        is("ringfence_ready", &[("ringfence_ready", &[])]);
        is("rate(ringfence_a_total{x=~\"b,c|d\", y!=\"ringfence_no\"}[5m]) > 0", &[("ringfence_a_total", &["x", "y"])]);
        is(
            "sum by (segment, app) (ringfence_a{s=~\"$s\"}) / on (instance) group_left () instance:ringfence_b:sum",
            &[("", &["app", "instance", "segment"]), ("instance:ringfence_b:sum", &[]), ("ringfence_a", &["s"])],
        );
        is("absent(up{job=\"ringfence\"})", &[("up", &["job"])]);
    }

    #[test]
    fn variables_get_values() {
        let spans = Spans { range: "5m".into(), interval: "1s".into(), rate: "4s".into() };
        assert_eq!(filled("increase(a{x=~\"$segment\"}[$__range])", &spans), "increase(a{x=~\".*\"}[5m])");
        assert_eq!(filled("a[$__interval] b[$__rate_interval]", &spans), "a[1s] b[4s]");
    }
}
