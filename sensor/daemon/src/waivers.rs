//! Waivers that were added, approved, renewed or revoked by command, beside those of the files. Pure: what was done goes in, what is in
//! force comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use ringfence_core::policy::{Revoked, Waiver};
use ringfence_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Config, WaiverRules};

const DAY: Duration = Duration::from_secs(86_400);

/// Who did something, and when.
pub type Done = (String, Timestamp);

/// What commands did to one waiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// What it says, as a [`Request`] in JSON; `None` for a waiver of the files.
    pub body: Option<String>,
    /// Who added it.
    pub added: Option<Done>,
    /// Who approved it besides, where that is asked for.
    pub approved: Option<Done>,
    /// Who revoked it, and why.
    pub revoked: Option<(Done, String)>,
    /// The waiver that it renews.
    pub renews: Option<String>,
}

/// What is needed for a waiver; the keys of `[[waiver]]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub id: String,
    /// Who may.
    pub holders: Vec<String>,
    /// Which apps.
    pub apps: Vec<String>,
    /// Where.
    pub segments: Vec<String>,
    /// Who approved it.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// From when.
    pub start: String,
    /// Until when.
    pub end: String,
}

impl Request {
    /// As it is kept: JSON.
    pub fn body(&self) -> String {
        // A struct of texts is always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As a `[[waiver]]` table. JSON's strings and lists are TOML's as well (TOML 1.0, sections String and Array).
    fn table(&self) -> String {
        let fields = serde_json::to_value(self).unwrap_or_default();
        let rows = fields.as_object().into_iter().flatten().map(|(key, value)| format!("{key} = {value}\n"));
        rows.fold("[[waiver]]\n".to_string(), |table, row| table + &row)
    }
}

/// How a waiver stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nobody else has approved it yet: it covers nothing.
    Pending,
    /// Its time has not come.
    Upcoming,
    /// It holds.
    Valid,
    /// It holds, and is about to end.
    Expiring,
    /// It has ended.
    Expired,
    /// It was taken back.
    Revoked,
    /// It does not fit the configuration any more: it covers nothing.
    Void,
}

impl Standing {
    /// Words in outputs.
    pub const WORDS: [(&'static str, Standing); 7] = [
        ("pending", Standing::Pending),
        ("upcoming", Standing::Upcoming),
        ("valid", Standing::Valid),
        ("expiring", Standing::Expiring),
        ("expired", Standing::Expired),
        ("revoked", Standing::Revoked),
        ("void", Standing::Void),
    ];

    /// The word in outputs.
    pub fn name(self) -> &'static str {
        Standing::WORDS.iter().find(|(_, s)| *s == self).map_or("", |(word, _)| word)
    }

    fn of(waiver: &Waiver, now: Timestamp, rules: WaiverRules) -> Standing {
        let warn = DAY.saturating_mul(u32::try_from(rules.warn_days).unwrap_or(u32::MAX));
        match waiver {
            w if w.revoked.as_ref().is_some_and(|r| r.at <= now && r.at < w.end) => Standing::Revoked,
            w if w.until() <= now => Standing::Expired,
            w if w.start > now => Standing::Upcoming,
            w if w.until().since(now) <= warn => Standing::Expiring,
            _ => Standing::Valid,
        }
    }
}

/// A waiver with what commands did to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it says; from the configuration, or from a command.
    pub waiver: Waiver,
    /// What commands did to it.
    pub entry: Entry,
    /// It waits for a second person.
    pub pending: bool,
    /// Why it does not fit the configuration any more; empty when it does.
    pub problems: Vec<String>,
}

impl Held {
    /// How it stands at a time.
    pub fn standing(&self, now: Timestamp, rules: WaiverRules) -> Standing {
        match self {
            Held { problems, .. } if !problems.is_empty() => Standing::Void,
            Held { pending: true, .. } if self.waiver.until() > now => Standing::Pending,
            _ => Standing::of(&self.waiver, now, rules),
        }
    }

    /// Whether it counts when use is judged.
    pub fn counts(&self) -> bool {
        !self.pending && self.problems.is_empty()
    }
}

/// A use of a waiver: a finding that it covers, or that goes on after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverUse {
    /// The waiver.
    pub waiver: String,
    /// The finding.
    pub finding: String,
    /// Its device, by key.
    pub device: String,
    /// The app.
    pub app: String,
    /// Where.
    pub segment: String,
    /// The latest verdict.
    pub verdict: String,
    /// First sign.
    pub first_seen: Timestamp,
    /// Latest sign.
    pub last_seen: Timestamp,
}

/// A waiver as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverView {
    /// What it says and what was done to it.
    pub held: Held,
    /// How it stands.
    pub standing: Standing,
    /// Its latest uses; empty in lists.
    pub uses: Vec<WaiverUse>,
}

/// Every waiver: those of the configuration, then those of commands, each with what was done to it.
pub fn held(config: &Config, entries: &BTreeMap<String, Entry>, apps: &[String]) -> Vec<Held> {
    let of_files = config.policy.waivers.iter().map(|waiver| {
        let entry = entries.get(&waiver.id).filter(|e| e.body.is_none()).cloned().unwrap_or_default();
        Held { waiver: revoked(waiver.clone(), &entry), entry, pending: false, problems: Vec::new() }
    });
    let named = |id: &str| config.policy.waivers.iter().any(|w| w.id == id);
    let of_commands = entries.values().filter(|e| e.body.is_some()).filter_map(|entry| {
        let (waiver, problems) = read(entry, config, apps)?;
        let twice = named(&entry.id).then(|| format!("id: `{}` is in the files as well (ids are unique)", entry.id));
        let pending = config.waiver_rules.four_eyes && entry.approved.is_none();
        let problems = problems.into_iter().chain(twice).collect();
        Some(Held { waiver: effective(waiver, entry), entry: entry.clone(), pending, problems })
    });
    of_files.chain(of_commands).collect()
}

/// Holds what is asked for against the configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(request: &Request, config: &Config, apps: &[String]) -> Result<Waiver, Vec<String>> {
    config.waiver(&request.table(), apps)
}

/// What a command's waiver says. One that does not fit any more is shown with what can be read of it.
fn read(entry: &Entry, config: &Config, apps: &[String]) -> Option<(Waiver, Vec<String>)> {
    let request: Request = serde_json::from_str(entry.body.as_deref()?).ok()?;
    match check(&request, config, apps) {
        Ok(waiver) => Some((waiver, Vec::new())),
        Err(problems) => {
            let time = |text: &str| Timestamp::parse(text).unwrap_or(Timestamp::ZERO);
            let Request { id, holders, apps, segments, approver, reason, start, end } = request;
            let (start, end) = (time(&start), time(&end));
            Some((Waiver { id, holders, apps, segments, approver, reason, start, end, revoked: None }, problems))
        }
    }
}

/// Approval does not reach back: what was used before somebody else approved is not covered.
fn effective(waiver: Waiver, entry: &Entry) -> Waiver {
    let start = entry.approved.as_ref().map_or(waiver.start, |(_, at)| waiver.start.max(*at));
    revoked(Waiver { start, ..waiver }, entry)
}

fn revoked(waiver: Waiver, entry: &Entry) -> Waiver {
    let by_command = entry.revoked.as_ref().map(|((_, at), reason)| Revoked { at: *at, reason: reason.clone() });
    let both = [waiver.revoked.clone(), by_command].into_iter().flatten();
    Waiver { revoked: both.min_by_key(|r| r.at), ..waiver }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = "\
[segments.office]
class = \"standard\"
vlans = 10
[[device]]
id = \"laptop\"
macs = \"02:00:5e:10:00:01\"
[[waiver]]
id = \"W-1\"
holders = \"laptop\"
apps = \"wechat\"
segments = \"office\"
approver = \"CISO\"
second_approver = \"CEO\"
reason = \"press\"
start = 2026-01-01
end = 2026-06-30
";

    fn config(more: &str) -> Config {
        Config::parse(&format!("{more}{OFFICE}"), "id\n", &[]).expect("right")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn entry(id: &str, segment: &str) -> Entry {
        let texts = |text: &str| vec![text.to_string()];
        let request = Request {
            id: id.into(),
            holders: texts("laptop"),
            apps: texts("wechat"),
            segments: texts(segment),
            approver: "CISO".into(),
            reason: "a \"trip\"".into(),
            start: "2026-07-01".into(),
            end: "2026-07-31".into(),
        };
        Entry { id: id.into(), body: Some(request.body()), added: Some(("jana".into(), at("2026-06-20"))), ..Entry::default() }
    }

    fn stands(config: &Config, entries: &[Entry], now: &str) -> Vec<(String, &'static str)> {
        let entries = entries.iter().map(|e| (e.id.clone(), e.clone())).collect();
        held(config, &entries, &[]).iter().map(|h| (h.waiver.id.clone(), h.standing(at(now), config.waiver_rules).name())).collect()
    }

    #[test]
    fn a_waiver_goes_through_its_standings() {
        let config = config("");
        for (now, standing) in [("2025-12-31", "upcoming"), ("2026-03-01", "valid"), ("2026-06-20", "expiring"), ("2026-07-01", "expired")]
        {
            assert_eq!(stands(&config, &[], now), [("W-1".to_string(), standing)], "{now}");
        }
        let taken_back = Entry { id: "W-1".into(), revoked: Some((("petr".into(), at("2026-03-01")), "over".into())), ..Entry::default() };
        assert_eq!(stands(&config, std::slice::from_ref(&taken_back), "2026-02-28")[0].1, "expiring", "it ends on the first of March");
        assert_eq!(stands(&config, &[taken_back], "2026-03-01")[0].1, "revoked");
    }

    #[test]
    fn what_commands_add_is_held_against_the_configuration() {
        let one = config("");
        assert_eq!(stands(&one, &[entry("W-2", "office")], "2026-07-02")[1], ("W-2".to_string(), "valid"));
        assert_eq!(stands(&one, &[entry("W-2", "gone")], "2026-07-02")[1], ("W-2".to_string(), "void"));
        assert_eq!(stands(&one, &[entry("W-1", "office")], "2026-07-02")[1], ("W-1".to_string(), "void"), "the id is taken");
        let held = held(&one, &[("W-2".to_string(), entry("W-2", "gone"))].into(), &[]);
        assert!(!held[1].counts() && held[1].problems[0].contains("segment `gone`"), "{:?}", held[1].problems);
    }

    #[test]
    fn four_eyes_and_no_reaching_back() {
        let two = config("[policy]\nwaiver_four_eyes = true\n");
        assert_eq!(stands(&two, &[entry("W-2", "office")], "2026-07-02")[1].1, "pending");
        let approved = Entry { approved: Some(("petr".into(), at("2026-07-10"))), ..entry("W-2", "office") };
        let held = held(&two, &[("W-2".to_string(), approved)].into(), &[]);
        assert_eq!((held[1].counts(), held[1].waiver.start), (true, at("2026-07-10")));
    }
}
