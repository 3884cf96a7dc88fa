//! What an author may write to say which values are meant, and what is wrong with what was written.
//! Must not know how patterns are matched fast.

use std::fmt;

use crate::net::Prefix;

/// A pattern on the values of one or several fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// A host name.
    Name(NamePattern),
    /// A text, a word, a fingerprint or one of a list.
    Text {
        /// How it is compared.
        how: TextHow,
        /// What it is compared with.
        text: Box<str>,
        /// It does not count when one of these occurs in the value.
        but_not: Box<[Box<str>]>,
    },
    /// A number, exactly.
    Number(u64),
    /// An address in a prefix.
    Network(Prefix),
}

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextHow {
    /// The whole value.
    Equals,
    /// The value begins with it.
    Prefix,
    /// It occurs in the value.
    Contains,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Name(name) => name.fmt(f),
            Pattern::Number(number) => write!(f, "= {number}"),
            Pattern::Network(prefix) => prefix.fmt(f),
            Pattern::Text { how, text, but_not } => {
                let how = match how {
                    TextHow::Equals => "=",
                    TextHow::Prefix => "begins with",
                    TextHow::Contains => "contains",
                };
                write!(f, "{how} {text}")?;
                but_not.iter().enumerate().try_for_each(|(i, t)| write!(f, "{} {t}", if i == 0 { " but not" } else { "," }))
            }
        }
    }
}

/// A pattern on host names: `long.weixin.qq.com` is that name, `.weixin.qq.com` is the name and all below it, and one `*`
/// in the first label stands for any characters of that label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePattern(Box<str>);

/// What is wrong with a name pattern, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    /// What is wrong.
    pub message: String,
    /// The remedy.
    pub help: String,
}

fn bad<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, BadName> {
    Err(BadName { message: message.into(), help: help.into() })
}

impl NamePattern {
    /// Reads a pattern as an author wrote it.
    pub fn parse(text: &str) -> Result<NamePattern, BadName> {
        if let Some(rest) = text.split_once("://").map(|(_, rest)| rest) {
            return bad(format!("`{text}` is a URL, not a name"), format!("write only the host: `{}`", host_of(rest)));
        }
        if text.contains(['/', ':', '?', '@']) {
            return bad(format!("`{text}` is more than a name"), format!("write only the host: `{}`", host_of(text)));
        }
        if !text.is_ascii() {
            return bad(format!("`{text}` is not ASCII"), "write the name as it goes over the wire, in its xn-- form");
        }
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return bad(format!("`{text}` has capitals"), format!("names are compared in lower case: `{}`", text.to_ascii_lowercase()));
        }
        if let Some(name) = text.strip_suffix('.') {
            return bad(format!("`{text}` ends in a dot"), format!("write `{name}`; `.{name}` is the name and all below it"));
        }
        let labels = text.strip_prefix('.').unwrap_or(text);
        check_labels(text, labels)?;
        Ok(NamePattern(text.into()))
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether names below it match too.
    pub fn below(&self) -> bool {
        self.0.starts_with('.')
    }

    /// The labels, without the leading dot.
    pub fn labels(&self) -> &str {
        self.0.strip_prefix('.').unwrap_or(&self.0)
    }

    /// What stands before and behind the `*` of the first label, and the labels behind it; `None` without `*`.
    pub fn wildcard(&self) -> Option<(&str, &str, &str)> {
        let (first, parent) = self.labels().split_once('.')?;
        let (before, behind) = first.split_once('*')?;
        Some((before, behind, parent))
    }

    /// How many labels it has.
    pub fn depth(&self) -> usize {
        self.labels().split('.').count()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn host_of(text: &str) -> &str {
    text.split(['/', ':', '?']).next().unwrap_or("").rsplit('@').next().unwrap_or("")
}

fn check_labels(text: &str, labels: &str) -> Result<(), BadName> {
    if labels.is_empty() {
        return bad("an empty name matches nothing", "write a name (`long.weixin.qq.com`) or a suffix (`.weixin.qq.com`)");
    }
    if labels.len() > 253 {
        return bad(format!("`{text}` is longer than a name can be"), "a name has at most 253 characters (RFC 1035 section 2.3.4)");
    }
    for (i, label) in labels.split('.').enumerate() {
        if label.is_empty() {
            return bad(format!("`{text}` has an empty label"), "one dot between labels; one dot in front for the name and all below it");
        }
        if label.len() > 63 {
            return bad(format!("`{text}` has a label that is longer than a label can be"), "a label has at most 63 characters");
        }
        if let Some(c) = label.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '*')) {
            return bad(format!("`{text}` has a character that names do not have: {c:?}"), "letters, digits, `-`, `_` and one `*`");
        }
        match label.matches('*').count() {
            0 => {}
            1 if i > 0 => return bad(format!("`{text}` has its `*` behind the first label"), "`*` may stand in the first label only"),
            1 if !labels.contains('.') => return bad(format!("`{text}` has nothing behind its `*`"), "write at least one whole label"),
            1 => {}
            _ => return bad(format!("`{text}` has more than one `*`"), "one `*` is enough: it stands for any characters of its label"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_may_be() {
        for text in ["long.weixin.qq.com", ".weixin.qq.com", "*long.weixin.qq.com", ".p16-*.example.com", "doh.pub", "*.example.com"] {
            assert_eq!(NamePattern::parse(text).map(|p| p.to_string()), Ok(text.to_string()));
        }
        assert_eq!(NamePattern::parse("*long.qq.com").expect("valid").wildcard(), Some(("", "long", "qq.com")));
        assert_eq!(NamePattern::parse(".a-*b.qq.com").expect("valid").wildcard(), Some(("a-", "b", "qq.com")));
    }

    #[test]
    fn what_it_may_not_be_and_why() {
        let cases = [
            ("", "empty name"),
            (".", "ends in a dot"),
            ("https://wx.qq.com/path", "is a URL"),
            ("wx.qq.com/path", "more than a name"),
            ("wx.qq.com:443", "more than a name"),
            ("WX.qq.com", "has capitals"),
            ("wx.qq.com.", "ends in a dot"),
            ("wx..qq.com", "empty label"),
            ("..qq.com", "empty label"),
            ("微信.com", "not ASCII"),
            ("a b.qq.com", "character that names do not have"),
            ("long.*.qq.com", "behind the first label"),
            ("*a*.qq.com", "more than one `*`"),
            ("*", "nothing behind its `*`"),
        ];
        for (text, message) in cases {
            let problem = NamePattern::parse(text).expect_err(text);
            assert!(problem.message.contains(message), "{text}: {problem:?}");
            assert!(!problem.help.is_empty());
        }
        assert!(NamePattern::parse(&format!("{}.com", "a".repeat(64))).is_err());
        assert!(NamePattern::parse(&"a.".repeat(130)).is_err());
    }
}
