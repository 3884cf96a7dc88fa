//! `ringfence explain`: what the rules say about a name, an address or a fingerprint, and why they say no more; about devices in
//! `device`.

mod device;
mod device_text;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use ringfence_core::evidence::safe_text;
use ringfence_core::field::{Field, FieldKind, Value};
use ringfence_core::policy::Level;
use ringfence_core::rules::{Effect, Indicator, IndicatorId, RuleSet, Teaches};
use ringfence_core::time::Timestamp;
use serde_json::json;

use super::rules::name_pattern;
use super::safe::printable;
use super::{Exit, Failure, Terminal, problems, written};
use crate::rules_store::{self, RulesStore};

/// Which form the answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

/// Say what the rules make of a host name, an address or a fingerprint, or why a device is judged as it is
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence explain web.wechat.com
  ringfence explain notweixin.qq.com
  ringfence explain 203.205.151.162
  ringfence explain --device dev-a983c7f4141e -c ringfence.toml                     why it is judged as it is
  ringfence explain --device dev-a983c7f4141e -c ringfence.toml --at 2026-11-20     and why it was, on that day
  ringfence explain e330bca99c8a5256ae126a55c4c725c5")]
pub struct Args {
    /// A host name, an address, or a JA3/JA4 fingerprint
    #[arg(value_name = "NAME|ADDRESS|HASH", required_unless_present = "device", conflicts_with = "device")]
    subject: Option<String>,
    /// Instead: a device of the store, by pseudonym, key or hardware address; needs -c
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["output", "rules"])]
    device: Option<String>,
    /// As things stood at this time: a date, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = super::judge::time, requires = "device")]
    at: Option<Timestamp>,
    #[command(flatten)]
    past: super::past::Args,
    /// A folder of your own rules, laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "human")]
    output: Format,
}

/// What the subject is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Address(IpAddr),
    Hash,
    Name,
}

/// An indicator that fires on some fields.
struct Match<'s> {
    indicator: &'s Indicator,
    fields: Vec<&'static Field>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when rules are wrong or the answer cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    if let Some(device) = &args.device {
        let text = device::run(device, args.at, &args.past, terminal)?;
        written(io::stdout().lock().write_all(text.as_bytes()))?;
        return Ok(Exit::Fine);
    }
    let (store, ()) = problems::both(RulesStore::load(args.rules.as_deref()), Ok(()), terminal)?;
    let (subject, asked) = subject(args.subject.as_deref().unwrap_or_default())?;
    let matches = matches(&store.set, subject, &asked);
    let notes = notes(&store.set, subject, &asked, &matches);
    let text = match args.output {
        Format::Human => human(subject, &asked, &matches, &notes),
        Format::Json => as_json(subject, &asked, &matches, &notes),
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}

/// What is asked about: of a URL the host, of an address with a port the address.
fn subject(given: &str) -> Result<(Subject, String), Failure> {
    let network = given.split_once('/').is_some_and(|(addr, _)| addr.parse::<IpAddr>().is_ok());
    let host = given.split_once("://").map_or(given, |(_, rest)| rest);
    let host = if network { host } else { host.split(['/', '?', '#']).next().unwrap_or(host) };
    let host = match host.parse::<SocketAddr>() {
        Ok(socket) => socket.ip().to_string(),
        Err(_) => match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') && port.parse::<u16>().is_ok() => name.to_string(),
            _ => host.to_string(),
        },
    };
    if let Ok(addr) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((Subject::Address(addr), addr.to_string()));
    }
    let is_ja3 = host.len() == 32 && host.bytes().all(|b| b.is_ascii_hexdigit());
    let is_ja4 = host.len() == 36 && host.split('_').map(str::len).eq([10, 12, 12]);
    if is_ja3 || is_ja4 {
        return Ok((Subject::Hash, host.to_ascii_lowercase()));
    }
    // A name whose last label is a number is a broken address (WHATWG URL, section 3.5).
    let label = |l: &str| !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let labels = host.strip_suffix('.').unwrap_or(&host);
    let ends_in_number = labels.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    if labels.len() > 253 || !labels.split('.').all(label) || ends_in_number {
        let help = if network {
            "give one address of it"
        } else {
            "such as web.wechat.com, 203.205.151.162, or 32 or 36 characters of JA3 or JA4"
        };
        let message = format!("`{}` is no host name, no address and no fingerprint", printable(given.as_bytes()));
        return Err(Failure::new(Exit::Usage, message, help.to_string()));
    }
    Ok((Subject::Name, host))
}

fn matches<'s>(set: &'s RuleSet, subject: Subject, text: &str) -> Vec<Match<'s>> {
    let mut found: Vec<(IndicatorId, Match<'s>)> = Vec::new();
    for field in rules_store::fields() {
        let value = match (subject, field.kind) {
            (Subject::Address(addr), FieldKind::Address) => Value::Address(addr),
            (Subject::Hash, FieldKind::Hash) | (Subject::Name, FieldKind::Name) => Value::Text(text.as_bytes()),
            _ => continue,
        };
        set.matches(field, value, &mut |id| match found.iter_mut().find(|(known, _)| *known == id) {
            Some((_, m)) => m.fields.push(field),
            None => found.push((id, Match { indicator: set.indicator(id), fields: vec![field] })),
        });
    }
    found.into_iter().map(|(_, m)| m).collect()
}

/// Why it is no more than it is.
fn notes(set: &RuleSet, subject: Subject, text: &str, matches: &[Match<'_>]) -> Vec<String> {
    match subject {
        Subject::Address(_) => vec![
            "An address alone is never evidence: the vendor's networks are a public cloud.".into(),
            "A flow to it extends a detected device when a name, NewDNS or a handshake has proven the address in the same traffic.".into(),
        ],
        Subject::Hash if matches.is_empty() => vec![
            "No fingerprint is shipped as evidence: browsers and phone systems share theirs with thousands of apps.".into(),
            format!(
                "A site rule may pin one that you have seen: field = \"{}\" in a folder given with --rules.",
                if text.len() == 32 { "tls.ja3" } else { "tls.ja4" }
            ),
        ],
        Subject::Hash => Vec::new(),
        Subject::Name => near_misses(set, text, matches),
    }
}

/// How many near misses are told.
const NEAR_MAX: usize = 8;

/// Why a pattern that is near the name does not decide; the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    LongerWins,
    MiddleOfLabel,
    NotTheEnd,
    NotBelow,
    Alike,
}

/// Patterns that are part of the name, or nearly so, and still do not decide, with the reason.
fn near_misses(set: &RuleSet, text: &str, matches: &[Match<'_>]) -> Vec<String> {
    let whole = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let local = set.local_suffix(&whole);
    let name = local.and_then(|s| whole.strip_suffix(s)?.strip_suffix('.')).unwrap_or(&whole);
    let mut notes = Vec::new();
    if let Some(local) = local {
        let shown = safe_text(name.as_bytes());
        notes.push(format!("`.{local}` is a suffix that local resolvers append: `{shown}` is held against the rules too."));
    }
    let mut near: Vec<(Near, String)> = Vec::new();
    for (_, rule) in set.rules().filter(|(_, r)| !matches.iter().any(|m| m.indicator.id == r.indicator.id)) {
        for raw in rule.names.iter() {
            if let Some(why) = nearness(raw, name).or_else(|| nearness(raw, &whole)) {
                near.push((why, told(why, &rule.indicator.id, &name_pattern(raw), raw.trim_start_matches('.'))));
            }
        }
    }
    // Whoever asks about a name that is known has not mistyped it.
    near.retain(|(why, _)| *why != Near::Alike || matches.is_empty());
    near.sort();
    near.dedup();
    notes.extend(near.into_iter().take(NEAR_MAX).map(|(_, note)| note));
    if notes.is_empty() && matches.is_empty() {
        notes.push("No pattern is part of it.".into());
    }
    notes
}

fn nearness(raw: &str, name: &str) -> Option<Near> {
    let (below, body) = raw.strip_prefix('.').map_or((false, raw), |body| (true, body));
    if let Some((label, parent)) = body.split_once('.').filter(|(label, _)| label.contains('*')) {
        let (before, behind) = label.split_once('*')?;
        let first = name.strip_suffix(parent)?.strip_suffix('.')?;
        return (!first.contains('.') && first.starts_with(before) && first.ends_with(behind)).then_some(Near::LongerWins);
    }
    match name.strip_suffix(body) {
        Some("") => Some(Near::LongerWins),
        Some(rest) if !rest.ends_with('.') => Some(Near::MiddleOfLabel),
        Some(_) if below => Some(Near::LongerWins),
        Some(_) => Some(Near::NotBelow),
        None if format!(".{name}").contains(&format!(".{body}.")) => Some(Near::NotTheEnd),
        None if body.len() >= 8 && typos(body, name) => Some(Near::Alike),
        None => None,
    }
}

/// Whether two names of the same length differ in one or two characters, or one has a character more: `weixln.qq.com`.
fn typos(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    match long.len() - short.len() {
        0 => (1..=2).contains(&short.iter().zip(long).filter(|(x, y)| x != y).count()),
        1 => {
            let same = short.iter().zip(long).take_while(|(x, y)| x == y).count();
            short.get(same..) == long.get(same + 1..)
        }
        _ => false,
    }
}

fn told(why: Near, id: &str, pattern: &str, body: &str) -> String {
    match why {
        Near::LongerWins => format!("{id} ({pattern}) would match, but a longer pattern wins."),
        Near::MiddleOfLabel => format!("{id} ({pattern}) does not match: `{body}` must begin at a dot."),
        Near::NotTheEnd => format!("{id} ({pattern}) does not match: `{body}` is not the end of the name."),
        Near::NotBelow => format!("{id} ({pattern}) does not match: it means that one name, not names below it."),
        Near::Alike => format!("{id} ({pattern}) does not match: it looks alike, but is another name."),
    }
}

fn verdict_of(m: &Match<'_>) -> String {
    let i = m.indicator;
    match i.effect {
        Effect::Context => "known infrastructure that many apps share: never evidence".into(),
        Effect::Disguise => "a disguise".into(),
        Effect::WorkService => "a work service".into(),
        Effect::Evidence if i.low => "low: never starts a detection, all low signs together weigh 0.30 at most".into(),
        Effect::Evidence => {
            let level = Level::of(i.weight);
            format!("alone: {}", if level == Level::None { "nothing" } else { level.name() })
        }
    }
}

fn human(subject: Subject, text: &str, matches: &[Match<'_>], notes: &[String]) -> String {
    let what = match subject {
        Subject::Address(_) => "address",
        Subject::Hash => "fingerprint",
        Subject::Name => "host name",
    };
    let mut out = format!("{} ({what})\n", safe_text(text.as_bytes()));
    for m in matches {
        let i = m.indicator;
        let _ = writeln!(out, "  {} [{}, {}]  {}", i.id, i.app, i.surface.name(), verdict_of(m));
        if i.effect == Effect::Evidence {
            for field in &m.fields {
                let _ = writeln!(out, "      {:<12} family {}  weight {:.2}", field.name, i.family_on(field).letter(), i.weight_on(field));
            }
        }
        let region = if i.region.is_empty() { String::new() } else { format!(", {}", i.region) };
        let _ = writeln!(out, "      class {}{region}; {}; {}:{}", i.class, i.maturity.name(), i.file, i.line);
        let teaches = match i.teaches {
            Teaches::Sensor => "its addresses explain nameless flows of every device on ports 80, 443 and 8080",
            Teaches::Client => "its addresses explain nameless flows of the same device and port",
            Teaches::ConfirmedWeb => "its addresses only extend the web use of a device that is confirmed already",
            Teaches::Nobody => "its addresses explain nothing",
        };
        let _ = writeln!(out, "      {teaches}");
        if !i.false_alarms.is_empty() {
            let _ = writeln!(out, "      false alarms: {}", i.false_alarms);
        }
        let _ = writeln!(out, "      source: {}", i.source);
    }
    if matches.is_empty() {
        out.push_str("  no indicator matches\n");
    }
    for note in notes {
        let _ = writeln!(out, "  - {note}");
    }
    out
}

fn as_json(subject: Subject, text: &str, matches: &[Match<'_>], notes: &[String]) -> String {
    let kind = match subject {
        Subject::Address(_) => "address",
        Subject::Hash => "fingerprint",
        Subject::Name => "name",
    };
    let rows: Vec<_> = matches
        .iter()
        .map(|m| {
            let fields: Vec<_> = m.fields.iter().map(|f| json!({"field": f.name, "family": m.indicator.family_on(f).letter(), "weight": m.indicator.weight_on(f)})).collect();
            json!({"indicator": *m.indicator.id, "app": *m.indicator.app, "surface": m.indicator.surface.name(), "class": *m.indicator.class,
                   "effect": format!("{:?}", m.indicator.effect).to_lowercase(), "low": m.indicator.low, "region": *m.indicator.region,
                   "fields": fields, "source": *m.indicator.source, "false_alarms": *m.indicator.false_alarms, "maturity": m.indicator.maturity.name()})
        })
        .collect();
    format!("{}\n", json!({"type": "explanation", "subject": text, "kind": kind, "matches": rows, "notes": notes}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> (Vec<String>, Vec<String>) {
        let store = RulesStore::load(None).expect("the shipped rules are right");
        let (subject, text) = subject(text).expect("a subject");
        let matches = matches(&store.set, subject, &text);
        let notes = notes(&store.set, subject, &text, &matches);
        (matches.iter().map(|m| m.indicator.app.to_string()).collect(), notes)
    }

    #[test]
    fn why_a_name_is_no_more_than_it_is() {
        for (name, app, note) in [
            ("szlong.weixin.qq.com", Some("wechat"), "(weixin.qq.com and below) would match, but a longer pattern wins"),
            ("notweixin.qq.com", Some("qq"), "`weixin.qq.com` must begin at a dot"),
            ("long.weixin.qq.com.evil.example", None, "is not the end of the name"),
            ("webpush.web.wechat.com.lan", Some("wechat"), "`.lan` is a suffix that local resolvers append"),
            ("x.doh.pub", None, "(doh.pub) does not match: it means that one name"),
            ("web.wechet.com", None, "looks alike"),
            ("WEB.WeChat.COM.", Some("wechat"), "would match, but a longer pattern wins"),
            ("printer.example", None, "No pattern is part of it"),
            ("43.153.0.1", Some("tencent"), "An address alone is never evidence"),
            ("192.0.2.1", None, "An address alone is never evidence"),
            ("e330bca99c8a5256ae126a55c4c725c5", None, "No fingerprint is shipped as evidence"),
        ] {
            let (apps, notes) = explained(name);
            assert_eq!(apps.first().map(String::as_str), app, "{name}");
            assert!(notes.iter().any(|n| n.contains(note)) && notes.len() <= NEAR_MAX + 1, "{name}: {notes:#?}");
        }
    }

    #[test]
    fn what_people_paste() {
        for (given, kind, asked) in [
            ("https://weixin.qq.com/x?y#z", Subject::Name, "weixin.qq.com"),
            ("weixin.qq.com:443", Subject::Name, "weixin.qq.com"),
            ("203.205.151.162:80", Subject::Address([203, 205, 151, 162].into()), "203.205.151.162"),
            ("E330BCA99C8A5256AE126A55C4C725C5", Subject::Hash, "e330bca99c8a5256ae126a55c4c725c5"),
        ] {
            assert_eq!(subject(given).ok(), Some((kind, asked.to_string())), "{given}");
        }
    }

    #[test]
    fn what_is_no_subject_is_refused() {
        let long = "a.".repeat(400);
        for text in
            ["", ".", "..", "\u{1b}[31m.weixin.qq.com", "é.weixin.qq.com", &long, "*", "1.2.3.0/24", "999.1.1.1", "02:00:5e:00:53:01"]
        {
            let failure = subject(text).expect_err(text);
            assert!(
                failure.exit == Exit::Usage && failure.help.is_some() && !failure.message.contains('\u{1b}'),
                "{text}: {}",
                failure.message
            );
        }
    }
}
