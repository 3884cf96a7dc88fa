//! What may stand behind the `?`: each route declares its keys; what it did not declare is refused, with what was probably meant.

use ringfence_core::diagnostic::nearest;
use ringfence_core::time::Timestamp;

use super::problem::Problem;

/// Bytes of one value: longer than any name of a segment or device.
const VALUE_BYTES_MAX: usize = 256;

/// A key of a query.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// One sentence.
    pub about: &'static str,
}

/// What a key holds.
#[derive(Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// Some of these words, separated by commas.
    Words(fn() -> Vec<&'static str>),
    /// A whole number.
    Number {
        /// The least.
        min: usize,
        /// The most.
        max: usize,
        /// Without it.
        default: usize,
    },
    /// RFC 3339, or a date.
    Time,
    /// `true` or `false`.
    Flag,
}

/// A query that was understood.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(&'static str, String)>,
}

impl Query {
    /// Reads what stands behind the `?`.
    ///
    /// # Errors
    /// [`Problem`] for an unknown or repeated key, and for a value that is not of its kind.
    pub fn read(keys: &'static [Key], raw: &str) -> Result<Query, Problem> {
        let mut query = Query::default();
        for part in raw.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let key = keys.iter().find(|k| k.name == name).ok_or_else(|| unknown(&name, keys))?;
            if query.pairs.iter().any(|(n, _)| *n == key.name) {
                return Err(Problem::bad_value(format!("`{}` is given twice", key.name), "give it once"));
            }
            check(key, &value)?;
            query.pairs.push((key.name, value));
        }
        Ok(query)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// Whether `word` is among the words of a key; everything is where the key is not given.
    pub fn admits(&self, name: &str, word: &str) -> bool {
        self.text(name).is_none_or(|given| given.split(',').any(|w| w == word))
    }

    /// A number, checked when it was read.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.text(name).and_then(|v| v.parse().ok())
    }

    /// A time, checked when it was read.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).and_then(Timestamp::parse)
    }

    /// A flag; false without it.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }
}

fn unknown(name: &str, keys: &[Key]) -> Problem {
    let near = nearest(name, keys.iter().map(|k| k.name));
    let all: Vec<&str> = keys.iter().map(|k| k.name).collect();
    let remedy = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => "this route takes no query".to_string(),
        None => format!("there are {}", all.join(", ")),
    };
    Problem::unknown_key(format!("`{}` is no key of this route", name.escape_debug()), remedy)
}

fn check(key: &Key, value: &str) -> Result<(), Problem> {
    let bad = |remedy: String| Err(Problem::bad_value(format!("`{}` is no value of `{}`", value.escape_debug(), key.name), remedy));
    match key.kind {
        Kind::Text if value.is_empty() || value.len() > VALUE_BYTES_MAX => bad(format!("1 to {VALUE_BYTES_MAX} bytes")),
        Kind::Text => Ok(()),
        Kind::Number { min, max, .. } if !value.parse().is_ok_and(|n: usize| (min..=max).contains(&n)) => bad(format!("{min} to {max}")),
        Kind::Time if Timestamp::parse(value).is_none() => bad("RFC 3339 such as 2026-11-23T11:47:00Z, or a date".into()),
        Kind::Flag if !matches!(value, "true" | "false") => bad("true or false".into()),
        Kind::Words(words) => {
            let words = words();
            let Some(wrong) = value.split(',').find(|w| !words.contains(w)) else { return Ok(()) };
            bad(nearest(wrong, words.iter().copied()).map_or_else(|| words.join(", "), |near| format!("did you mean `{near}`?")))
        }
        _ => Ok(()),
    }
}

/// `%41` and `+` as in forms.
fn decode(text: &str) -> Result<String, Problem> {
    let broken = || Problem::bad_value(format!("`{}` is not percent-encoded UTF-8", text.escape_debug()), "encode bytes as %XX");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => (digit().ok_or_else(broken)? * 16 + digit().ok_or_else(broken)?) as u8,
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key { name: "limit", kind: Kind::Number { min: 1, max: 1_000, default: 100 }, about: "" },
        Key { name: "verdict", kind: Kind::Words(|| vec!["violation", "waived"]), about: "" },
        Key { name: "since", kind: Kind::Time, about: "" },
        Key { name: "app", kind: Kind::Text, about: "" },
        Key { name: "dry_run", kind: Kind::Flag, about: "" },
    ];

    #[test]
    fn reads_what_is_declared() {
        let query = Query::read(KEYS, "limit=7&verdict=violation,waived&since=2026-11-23&app=we%43hat+x&dry_run=true&").expect("good");
        assert_eq!((query.number("limit"), query.text("app"), query.flag("dry_run")), (Some(7), Some("weChat x"), true));
        assert_eq!(query.time("since"), Timestamp::parse("2026-11-23"));
        assert!(query.admits("verdict", "waived") && !query.admits("verdict", "observed") && query.admits("other", "anything"));
    }

    #[test]
    fn refuses_the_rest_with_a_remedy() {
        for (raw, remedy) in [
            ("limt=7", "did you mean `limit`?"),
            ("xyz=1", "there are limit, verdict, since, app, dry_run"),
            ("limit=0", "1 to 1000"),
            ("limit=1001", "1 to 1000"),
            ("limit=-1", "1 to 1000"),
            ("limit=99999999999999999999", "1 to 1000"),
            ("verdict=violatio", "did you mean `violation`?"),
            ("verdict=", "violation, waived"),
            ("since=yesterday", "RFC 3339 such as 2026-11-23T11:47:00Z, or a date"),
            ("app=", "1 to 256 bytes"),
            ("app=a&app=b", "give it once"),
            ("app=%zz", "encode bytes as %XX"),
            ("app=%ff", "encode bytes as %XX"),
            ("dry_run=yes", "true or false"),
        ] {
            assert_eq!(Query::read(KEYS, raw).map_err(|p| p.remedy).expect_err(raw), remedy, "{raw}");
        }
        assert_eq!(Query::read(&[], "a=1").map_err(|p| p.remedy).expect_err("nothing"), "this route takes no query");
    }
}
