//! Whether a host name pattern is well formed, and what its author may have meant.

use super::names::NAME_MAX;

/// Why a pattern is not one, and what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadName {
    pub(super) what: &'static str,
    pub(super) help: String,
}

/// Whether a pattern is well formed.
pub(super) fn validate(pattern: &str) -> Result<(), BadName> {
    let bad = |what, help: String| Err(BadName { what, help });
    let body = pattern.strip_prefix('.').unwrap_or(pattern);
    if pattern.contains(['/', ':', '@']) {
        let rest = pattern.split_once("://").map_or(pattern, |(_, rest)| rest);
        let host = rest.split(['/', ':', '?']).next().and_then(|h| h.rsplit('@').next()).unwrap_or("");
        return bad("is more than a host name", format!("write only the host: `{}`", host.to_ascii_lowercase().escape_debug()));
    }
    if !pattern.is_ascii() {
        return bad("is not ASCII", "write the name as it goes over the wire, in its xn-- form".into());
    }
    if body.len() > 1 && body.ends_with('.') {
        return bad("ends in a dot", format!("write `{}`", pattern.trim_end_matches('.')));
    }
    let labels: Vec<&str> = body.split('.').collect();
    let ok_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
    if body.is_empty() || body.len() > NAME_MAX || labels.iter().any(|l| l.is_empty() || l.len() > 63 || !l.chars().all(ok_char)) {
        return bad("is no host name pattern", "write `name.example`, `.example` for a name and all below it, or `*end.example`".into());
    }
    if body.chars().any(|c| c.is_ascii_uppercase()) {
        return bad("must be in lower case", format!("names are compared without regard to case: `{}`", pattern.to_ascii_lowercase()));
    }
    let stars = body.matches('*').count();
    if stars > 1 || (stars == 1 && (pattern.starts_with('.') || !labels.first().is_some_and(|l| l.contains('*')))) {
        return bad("may have one `*`, in its first label only", "write `*long.weixin.qq.com`, without a dot in front".into());
    }
    if labels.len() < 2 {
        return bad("would match a whole top-level domain", "name at least two labels".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_patterns() {
        for (pattern, what, help) in [
            ("", "no host name pattern", "name.example"),
            (".", "no host name pattern", "name.example"),
            ("a..b", "no host name pattern", "name.example"),
            ("a b.c", "no host name pattern", "name.example"),
            ("a\u{1b}[31m.c", "no host name pattern", "name.example"),
            ("https://wx.qq.com/cgi", "more than a host name", "`wx.qq.com`"),
            ("u@Wx.qq.com:443", "more than a host name", "`wx.qq.com`"),
            ("微信.example", "not ASCII", "xn--"),
            ("wx.qq.com.", "ends in a dot", "`wx.qq.com`"),
            ("A.example", "lower case", "`a.example`"),
            ("*.*.example", "one `*`", "*long"),
            ("a.*.example", "first label only", "*long"),
            (".*x.example", "first label only", "without a dot"),
            (".com", "top-level domain", "two labels"),
        ] {
            let bad = validate(pattern).expect_err(pattern);
            assert!(bad.what.contains(what) && bad.help.contains(help), "{pattern}: {bad:?}");
        }
        assert!(validate(&format!("{}.com", "a".repeat(64))).is_err());
        assert!(validate(&"a.".repeat(130)).is_err());
    }
}
