//! Host names: exact, suffix on a label boundary, wildcard inside one label. The longest pattern wins.
//!
//! One look-up walks the labels of a name from the right, with one hash look-up each: its cost does not grow with the number of
//! patterns.

use std::collections::HashMap;

use crate::fold::Folded;

use super::indicator::IndicatorId;

/// Search suffixes that resolvers append to every name; stripped before matching. RFC 6762 appendix G, RFC 8375, common routers.
pub const LOCAL_SUFFIXES: &[&str] = &["lan", "local", "home", "home.arpa", "internal", "intranet", "localdomain", "corp", "fritz.box"];

/// The longest name that is looked at (RFC 1035 section 2.3.4: 255 octets on the wire, 253 in text); longer ones match nothing.
const NAME_MAX: usize = 253;

/// What stands at one suffix.
#[derive(Clone, Debug, Default)]
struct Place {
    /// This name itself.
    exact: Option<IndicatorId>,
    /// This name and everything below.
    below: Option<IndicatorId>,
    /// Patterns for the one label before this suffix: (before the star, after it), longest first.
    stars: Vec<(Box<str>, Box<str>, IndicatorId)>,
}

/// All name patterns of a rule set.
#[derive(Clone, Debug)]
pub struct Names {
    places: HashMap<Box<str>, Place, Folded>,
    local: Vec<Box<str>>,
}

/// Why a pattern is not one, and what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadName {
    pub(super) what: &'static str,
    pub(super) help: String,
}

impl Default for Names {
    fn default() -> Self {
        Names::new()
    }
}

impl Names {
    /// No patterns; the built-in local suffixes.
    pub fn new() -> Self {
        Names { places: HashMap::default(), local: LOCAL_SUFFIXES.iter().map(|s| (*s).into()).collect() }
    }

    /// Strips one more local suffix from now on.
    pub fn add_local(&mut self, suffix: &str) {
        let suffix = suffix.trim_matches('.').to_ascii_lowercase();
        if !suffix.is_empty() && suffix.len() < NAME_MAX && !self.local.iter().any(|s| **s == *suffix) && self.local.len() < 64 {
            self.local.push(suffix.into());
            self.local.sort_by_key(|s| std::cmp::Reverse(s.len()));
        }
    }

    /// Bytes of memory that the patterns take.
    pub(super) fn held(&self) -> usize {
        let entry = size_of::<(Box<str>, Place)>() + 1;
        self.places.capacity() * 8 / 7 * entry + self.places.keys().map(|k| k.len()).sum::<usize>()
    }

    /// Adds a pattern; the indicator that had it before, if any.
    pub(super) fn add(&mut self, pattern: &str, id: IndicatorId) -> Option<IndicatorId> {
        if let Some((label, rest)) = pattern.split_once('.').filter(|(label, _)| label.contains('*')) {
            let (before, after) = label.split_once('*').unwrap_or((label, ""));
            let stars = &mut self.places.entry(rest.into()).or_default().stars;
            if let Some(known) = stars.iter_mut().find(|(b, a, _)| **b == *before && **a == *after) {
                return Some(std::mem::replace(&mut known.2, id));
            }
            stars.push((before.into(), after.into(), id));
            stars.sort_by_key(|(b, a, _)| std::cmp::Reverse(b.len() + a.len()));
            return None;
        }
        match pattern.strip_prefix('.') {
            Some(suffix) => self.places.entry(suffix.into()).or_default().below.replace(id),
            None => self.places.entry(pattern.into()).or_default().exact.replace(id),
        }
    }

    /// The indicator with the longest pattern that a name matches: exact before suffix before wildcard.
    ///
    /// The name is tried as it is and without its local search suffix, and the pattern with more labels counts: who announces
    /// `com` as a suffix hides nothing, and a rule for the organisation's own domain does not cover up an app's name to which
    /// resolvers appended that domain.
    pub fn find(&self, name: &[u8]) -> Option<IndicatorId> {
        let mut buffer = [0; NAME_MAX];
        let name = normalised(name, &mut buffer)?;
        let whole = self.longest(name);
        let Some((head, _)) = self.stripped(name) else { return whole.map(|(id, _)| id) };
        match (whole, self.longest(head)) {
            (Some((id, labels)), Some((_, others))) if labels > others => Some(id),
            (whole, stripped) => stripped.or(whole).map(|(id, _)| id),
        }
    }

    /// The local suffix that a name ends in, where it has one.
    pub fn local_suffix(&self, name: &str) -> Option<&str> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.stripped(&name).map(|(_, suffix)| suffix)
    }

    /// The longest match, and how many labels its pattern has.
    fn longest(&self, name: &str) -> Option<(IndicatorId, usize)> {
        // From the longest suffix to the shortest: the first hit is the longest match.
        let mut rest = name;
        let mut label_before: Option<&str> = None;
        loop {
            if let Some(place) = self.places.get(rest) {
                let exact = if label_before.is_none() { place.exact } else { None };
                let star = || {
                    let label = label_before.filter(|l| name.len() == l.len() + 1 + rest.len())?;
                    place
                        .stars
                        .iter()
                        .find(|(b, a, _)| label.len() > b.len() + a.len() && label.starts_with(&**b) && label.ends_with(&**a))
                        .map(|s| s.2)
                };
                let labels = || rest.matches('.').count() + 1;
                if let Some(id) = exact {
                    return Some((id, labels()));
                }
                if let Some(id) = star() {
                    return Some((id, labels() + 1));
                }
                if let Some(id) = place.below {
                    return Some((id, labels()));
                }
            }
            let (label, shorter) = rest.split_once('.')?;
            (label_before, rest) = (Some(label), shorter);
        }
    }

    /// The name without its local search suffix, and that suffix, where it has one.
    fn stripped<'n>(&self, name: &'n str) -> Option<(&'n str, &str)> {
        self.local.iter().find_map(|suffix| {
            let head = name.strip_suffix(&**suffix)?.strip_suffix('.')?;
            head.contains('.').then_some((head, &**suffix))
        })
    }
}

/// Lower case, without the final dot. `None` for what can be no host name.
fn normalised<'b>(name: &[u8], buffer: &'b mut [u8; NAME_MAX]) -> Option<&'b str> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let room = buffer.get_mut(..name.len())?;
    for (to, from) in room.iter_mut().zip(name) {
        // A backslash escapes a dot that is part of a label: no host name, and never the boundary of one.
        if !from.is_ascii_graphic() || *from == b'\\' {
            return None;
        }
        *to = from.to_ascii_lowercase();
    }
    std::str::from_utf8(room).ok().filter(|n| !n.is_empty())
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
    use proptest::prelude::*;

    use super::*;

    fn names(patterns: &[&str]) -> Names {
        let mut names = Names::new();
        for (i, p) in patterns.iter().enumerate() {
            validate(p).expect("well formed");
            names.add(p, IndicatorId(i as u32));
        }
        names
    }

    #[test]
    fn longest_match_wins() {
        let n = names(&[".qq.com", ".weixin.qq.com", "*long.weixin.qq.com", "mp.weixin.qq.com", ".map.qq.com"]);
        let find = |name: &str| n.find(name.as_bytes()).map(|id| id.0);
        assert_eq!(find("qq.com"), Some(0));
        assert_eq!(find("a.b.qq.com"), Some(0));
        assert_eq!(find("x.weixin.qq.com"), Some(1));
        assert_eq!(find("szlong.weixin.qq.com"), Some(2));
        assert_eq!(find("long.weixin.qq.com"), Some(1), "a star stands for at least one character");
        assert_eq!(find("a.szlong.weixin.qq.com"), Some(1), "and for one label only");
        assert_eq!(find("mp.weixin.qq.com"), Some(3));
        assert_eq!(find("x.mp.weixin.qq.com"), Some(1));
        assert_eq!(find("apis.map.qq.com"), Some(4));
        assert_eq!(find("xqq.com"), None);
    }

    #[test]
    fn case_dots_suffixes_and_look_alikes() {
        let n = names(&["web.wechat.com", ".weixin.qq.com"]);
        let find = |name: &[u8]| n.find(name).map(|id| id.0);
        assert_eq!(find(b"WEB.WeChat.COM."), Some(0));
        assert_eq!(find(b"web.wechat.com.lan"), Some(0));
        assert_eq!(find(b"web.wechat.com.fritz.box"), Some(0));
        for miss in [
            &b"web.wechat.com.evil.example"[..],
            b"notweixin.qq.com",
            b"web-wechat.com",
            b"",
            b".",
            b"..",
            b"web.wechat.com\0",
            b"\xff.weixin.qq.com",
            b"lan",
        ] {
            assert_eq!(find(miss), None, "{:?}", String::from_utf8_lossy(miss));
        }
        assert_eq!(find(&[b'a'; 70_000]), None);
        let deep = format!("{}weixin.qq.com", "a.".repeat(110));
        assert_eq!(find(deep.as_bytes()), Some(1));
        let mut n = n;
        n.add_local("com");
        assert_eq!(n.find(b"web.wechat.com").map(|i| i.0), Some(0), "an announced suffix hides nothing");
        n.add_local("Branch.Example.org.");
        assert_eq!(n.find(b"web.wechat.com.branch.example.org").map(|i| i.0), Some(0));
    }

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

    #[test]
    fn of_the_two_forms_the_longer_pattern_counts() {
        let mut n = names(&[".example.org", "vpn.example.org", "web.wechat.com"]);
        n.add_local("example.org");
        let find = |name: &str| n.find(name.as_bytes()).map(|i| i.0);
        assert_eq!(find("web.wechat.com.example.org"), Some(2), "the resolver appended the organisation's domain");
        assert_eq!(find("vpn.example.org"), Some(1), "whose own names are still known");
        assert_eq!(find("printer.example.org"), Some(0));
        assert_eq!(n.local_suffix("Web.WeChat.com.Example.org."), Some("example.org"));
        assert_eq!(n.local_suffix("web.wechat.com"), None);
        for refused in ["", ".", &"a".repeat(300)] {
            let before = n.local.len();
            n.add_local(refused);
            assert_eq!(n.local.len(), before);
        }
        (0..1_000).for_each(|i| n.add_local(&format!("s{i}.example")));
        assert!(n.local.len() <= 64, "anyone can send DHCP");
    }

    /// The work of a look-up is bounded by the labels of the name, whatever stands in the rules.
    #[test]
    fn many_patterns_and_hostile_names() {
        let mut n = Names::new();
        for i in 0..50_000 {
            n.add(&format!("h{i}.d{}.example", i % 997), IndicatorId(i));
        }
        n.add(".example", IndicatorId(u32::MAX));
        assert_eq!(n.find(b"h49999.d149.example").map(|i| i.0), Some(49_999));
        assert_eq!(n.find(b"h49999.d150.example").map(|i| i.0), Some(u32::MAX));
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for len in (0..2_000).chain([65_535]) {
            let name: Vec<u8> = (0..len)
                .map(|_| {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    if seed.is_multiple_of(3) { b'.' } else { seed.to_le_bytes()[3] }
                })
                .collect();
            n.find(&name);
            n.find(&[&name[..], b".example"].concat());
        }
    }

    /// The naive model: try every pattern, keep the longest.
    fn naive(patterns: &[String], name: &str) -> Option<u32> {
        let rank = |p: &String| -> Option<(usize, u8)> {
            if let Some(suffix) = p.strip_prefix('.') {
                return (name == suffix || name.ends_with(&format!(".{suffix}"))).then_some((suffix.len(), 1));
            }
            if let Some((label, rest)) = p.split_once('.').filter(|(l, _)| l.contains('*')) {
                let (b, a) = label.split_once('*')?;
                let (first, tail) = name.split_once('.')?;
                let fits = tail == rest && first.len() > b.len() + a.len() && first.starts_with(b) && first.ends_with(a);
                return fits.then_some((rest.len(), 2));
            }
            (p == name).then_some((p.len(), 3))
        };
        let best = patterns.iter().enumerate().filter_map(|(i, p)| rank(p).map(|r| (r, p.len(), std::cmp::Reverse(i)))).max()?;
        Some(best.2.0 as u32)
    }

    proptest! {
        #[test]
        fn agrees_with_trying_every_pattern(
            patterns in proptest::collection::btree_set("(\\.|\\*|)[ab]{1,2}(\\.[ab]{1,2}){1,3}", 1..12),
            name in "[ab]{1,3}(\\.[ab]{1,2}){1,4}",
        ) {
            let patterns: Vec<String> = patterns.into_iter().collect();
            let n = names(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(n.find(name.as_bytes()).map(|i| i.0), naive(&patterns, &name));
        }
    }
}
