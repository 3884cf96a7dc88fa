//! Host names: exact, suffix on a label boundary, wildcard inside one label. The longest pattern wins.
//!
//! One look-up walks the labels of a name from the right, with one hash look-up each: its cost does not grow with the number of
//! patterns.

use std::collections::HashMap;

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
    places: HashMap<Box<str>, Place>,
    local: Vec<Box<str>>,
}

/// Why a pattern is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadName {
    /// Empty, too long, an empty label, or a character that no host name has.
    Malformed,
    /// More than one star, or a star outside the first label.
    Star,
    /// A whole top-level domain.
    TooShort,
    /// Not in lower case.
    Case,
}

impl Default for Names {
    fn default() -> Self {
        Names::new()
    }
}

impl Names {
    /// No patterns; the built-in local suffixes.
    pub fn new() -> Self {
        Names { places: HashMap::new(), local: LOCAL_SUFFIXES.iter().map(|s| (*s).into()).collect() }
    }

    /// Strips one more local suffix from now on.
    pub fn add_local(&mut self, suffix: &str) {
        let suffix = suffix.trim_matches('.').to_ascii_lowercase();
        if !suffix.is_empty() && suffix.len() < NAME_MAX && !self.local.iter().any(|s| **s == *suffix) && self.local.len() < 64 {
            self.local.push(suffix.into());
            self.local.sort_by_key(|s| std::cmp::Reverse(s.len()));
        }
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
    /// The name is tried as it is, and only then without a local search suffix: who announces `com` as one hides nothing.
    pub fn find(&self, name: &[u8]) -> Option<IndicatorId> {
        let mut buffer = [0; NAME_MAX];
        let name = normalised(name, &mut buffer)?;
        self.longest(name).or_else(|| self.longest(self.stripped(name)?))
    }

    fn longest(&self, name: &str) -> Option<IndicatorId> {
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
                if let Some(id) = exact.or_else(star).or(place.below) {
                    return Some(id);
                }
            }
            let (label, shorter) = rest.split_once('.')?;
            (label_before, rest) = (Some(label), shorter);
        }
    }

    /// The name without a local search suffix, where it has one.
    fn stripped<'n>(&self, name: &'n str) -> Option<&'n str> {
        self.local.iter().find_map(|suffix| {
            let head = name.strip_suffix(&**suffix)?.strip_suffix('.')?;
            head.contains('.').then_some(head)
        })
    }
}

/// Lower case, without the final dot. `None` for what can be no host name.
fn normalised<'b>(name: &[u8], buffer: &'b mut [u8; NAME_MAX]) -> Option<&'b str> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let room = buffer.get_mut(..name.len())?;
    for (to, from) in room.iter_mut().zip(name) {
        if !from.is_ascii_graphic() {
            return None;
        }
        *to = from.to_ascii_lowercase();
    }
    std::str::from_utf8(room).ok().filter(|n| !n.is_empty())
}

/// Whether a pattern is well formed.
pub(super) fn validate(pattern: &str) -> Result<(), BadName> {
    let body = pattern.strip_prefix('.').unwrap_or(pattern);
    let labels: Vec<&str> = body.split('.').collect();
    let ok_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
    if body.is_empty() || body.len() > NAME_MAX || labels.iter().any(|l| l.is_empty() || l.len() > 63 || !l.chars().all(ok_char)) {
        return Err(BadName::Malformed);
    }
    if body.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(BadName::Case);
    }
    let stars = body.matches('*').count();
    if stars > 1 || (stars == 1 && (pattern.starts_with('.') || !labels.first().is_some_and(|l| l.contains('*')))) {
        return Err(BadName::Star);
    }
    if labels.len() < 2 {
        return Err(BadName::TooShort);
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
        for (pattern, why) in [
            ("", BadName::Malformed),
            (".", BadName::Malformed),
            ("a..b", BadName::Malformed),
            ("a b.c", BadName::Malformed),
            ("A.example", BadName::Case),
            ("*.*.example", BadName::Star),
            ("a.*.example", BadName::Star),
            (".*x.example", BadName::Star),
            (".com", BadName::TooShort),
        ] {
            assert_eq!(validate(pattern), Err(why), "{pattern}");
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
