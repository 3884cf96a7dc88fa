//! Host names: exact, suffix on a label boundary, wildcard inside one label. The longest pattern wins.
//!
//! One look-up walks the labels of a name from the right, with one look-up in a table each: its cost does not grow with the number of
//! patterns.

use std::sync::Arc;

use super::ends::{Ending, Ends};
use super::indicator::IndicatorId;
use super::name_list::NameList;
use super::name_table::{NameTexts, Table};

/// Search suffixes that resolvers append to every name; stripped before matching. RFC 6762 appendix G, RFC 8375, common routers.
pub const LOCAL_SUFFIXES: &[&str] = &["lan", "local", "home", "home.arpa", "internal", "intranet", "localdomain", "corp", "fritz.box"];

/// The longest name that is looked at (RFC 1035 section 2.3.4: 255 octets on the wire, 253 in text); longer ones match nothing.
pub(super) const NAME_MAX: usize = 253;

/// Local suffixes that are stripped.
const LOCALS_MAX: usize = 64;

/// All name patterns that a field is held against.
#[derive(Clone, Debug)]
pub struct Names {
    table: Arc<Table>,
    local: Vec<Box<str>>,
    local_ends: Ends,
}

impl Default for Names {
    fn default() -> Self {
        Names::new()
    }
}

impl Names {
    /// No patterns; the built-in local suffixes.
    pub fn new() -> Self {
        let mut local_ends = Ends::with_room(LOCALS_MAX);
        LOCAL_SUFFIXES.iter().for_each(|suffix| local_ends.add(suffix));
        Names { table: Arc::default(), local: LOCAL_SUFFIXES.iter().map(|s| (*s).into()).collect(), local_ends }
    }

    /// Strips one more local suffix from now on.
    pub fn add_local(&mut self, suffix: &str) {
        let suffix = suffix.trim_matches('.').to_ascii_lowercase();
        if !suffix.is_empty() && suffix.len() < NAME_MAX && !self.local.iter().any(|s| **s == *suffix) && self.local.len() < LOCALS_MAX {
            self.local_ends.add(&suffix);
            self.local.push(suffix.into());
            self.local.sort_by_key(|s| std::cmp::Reverse(s.len()));
        }
    }

    /// Bytes of memory that the table takes, without the texts.
    pub(super) fn held(&self) -> usize {
        self.table.held()
    }

    /// Takes these patterns, which are parts of `texts`, instead of those that it had. Of two that are the same the later counts: the
    /// places of both.
    pub(super) fn file<'l>(&mut self, texts: &Arc<NameTexts>, lists: impl Iterator<Item = &'l NameList> + Clone) -> Vec<(u32, u32)> {
        let (table, displaced) = Table::build(texts, lists);
        self.table = Arc::new(table);
        displaced
    }

    /// The indicator with the longest pattern that a name matches: exact before suffix before wildcard.
    ///
    /// The name is tried as it is and without its local search suffix, and the pattern with more labels counts: who announces
    /// `com` as a suffix hides nothing, and a rule for the organisation's own domain does not cover up an app's name to which
    /// resolvers appended that domain.
    pub fn find(&self, name: &[u8]) -> Option<IndicatorId> {
        let ending = Ending::of(name.strip_suffix(b".").unwrap_or(name));
        if self.table.may_have(ending) || self.local_ends.may_have(ending) { self.look_up(name) } else { None }
    }

    fn look_up(&self, name: &[u8]) -> Option<IndicatorId> {
        let mut buffer = [0; NAME_MAX];
        let name = normalised(name, &mut buffer)?;
        let whole = self.table.longest(name);
        let Some((head, _)) = self.stripped(name) else { return whole.map(|(id, _)| id) };
        match (whole, self.table.longest(head)) {
            (Some((id, labels)), Some((_, others))) if labels > others => Some(id),
            (whole, stripped) => stripped.or(whole).map(|(id, _)| id),
        }
    }

    /// The local suffix that a name ends in, where it has one.
    pub fn local_suffix(&self, name: &str) -> Option<&str> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.stripped(&name).map(|(_, suffix)| suffix)
    }

    /// The name without its local search suffix, and that suffix, where it has one.
    fn stripped<'n>(&self, name: &'n str) -> Option<(&'n str, &str)> {
        let last = name.as_bytes().last();
        self.local.iter().filter(|suffix| suffix.as_bytes().last() == last).find_map(|suffix| {
            let head = name.strip_suffix(&**suffix)?.strip_suffix('.')?;
            head.contains('.').then_some((head, &**suffix))
        })
    }
}

/// Lower case, without the final dot. `None` for what can be no host name.
fn normalised<'b>(name: &[u8], buffer: &'b mut [u8; NAME_MAX]) -> Option<&'b str> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let room = buffer.get_mut(..name.len())?;
    let mut well = !name.is_empty();
    for (to, from) in room.iter_mut().zip(name) {
        // A backslash escapes a dot that is part of a label: no host name, and never the boundary of one.
        well &= from.is_ascii_graphic() & (*from != b'\\');
        *to = from.to_ascii_lowercase();
    }
    if well { std::str::from_utf8(room).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::name_list::NameList;
    use super::super::name_pattern::validate;
    use super::super::name_table::NameTexts;
    use super::*;

    /// Each pattern is an indicator's own.
    fn names(patterns: &[impl AsRef<str>]) -> Names {
        let lists: Vec<NameList> = patterns.iter().map(|p| [p.as_ref()].into_iter().collect()).collect();
        patterns.iter().for_each(|p| validate(p.as_ref()).expect("well formed"));
        let (texts, parts) = NameTexts::pack(lists.iter().enumerate().map(|(i, list)| (IndicatorId(i as u32), list)));
        let mut names = Names::new();
        names.file(&Arc::new(texts), parts.iter().map(|(_, part)| part));
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
        let many = (0..50_000).map(|i| format!("h{i}.d{}.example", i % 997)).chain([".shop.example".to_string()]);
        let n = names(&many.collect::<Vec<_>>());
        assert_eq!(n.find(b"h49999.d149.example").map(|i| i.0), Some(49_999));
        assert_eq!(n.find(b"h49999.d150.example"), None);
        assert_eq!(n.find(b"h49999.d149.shop.example").map(|i| i.0), Some(50_000));
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
            let n = names(&patterns);
            prop_assert_eq!(n.find(name.as_bytes()).map(|i| i.0), naive(&patterns, &name));
        }
    }
}
