//! `ringfence waiver`: approved exceptions of the running sensor, shown and changed.

use std::io::{self, Write};

use clap::{Args as ClapArgs, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::{Client, Sensor, segment};
use super::safe::printable;
use super::{Exit, Failure, Terminal, table, written};

/// Show, add, approve, renew and revoke waivers of the running sensor
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence waiver list
  ringfence waiver add W-2026-031 --holder laptop-hr-03 --app wechat --segment office \\
      --approver \"Chief Information Security Officer\" --reason \"trade fair\" --end 2026-12-31 --token-file jana.token
  ringfence waiver approve W-2026-031 --token-file petr.token
  ringfence waiver renew W-2026-031 --id W-2027-002 --approver CISO --reason \"second fair\" --end 2027-03-31 --token-file jana.token
  ringfence waiver revoke W-2026-031 --reason \"left the project\" --token-file jana.token

Waivers in waivers.toml hold as well; they can be revoked here, and changed in the file only. Use after the end is `waiver_expired`.

Exit codes: 0 done, 66 no sensor answers, 69 refused, 77 the token is not of an operator with the right `waivers`, 78 it makes no sense")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All waivers and how they stand
    List(Plain),
    /// One waiver with its uses
    Show(Named),
    /// Add a waiver
    Add(Add),
    /// Approve a waiver that somebody else added
    Approve(Named),
    /// Add a waiver that goes on where another one ends
    Renew(Renew),
    /// Take a waiver back from now on
    Revoke(Revoke),
}

#[derive(Debug, ClapArgs)]
struct Plain {
    #[command(flatten)]
    sensor: Sensor,
}

#[derive(Debug, ClapArgs)]
struct Named {
    /// The waiver
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    sensor: Sensor,
}

#[derive(Debug, ClapArgs, Serialize)]
struct Add {
    /// Its number; unique
    #[arg(value_name = "ID")]
    id: String,
    /// Who may: a device of the register, or mac:02:00:5e:10:00:01; several times for several
    #[arg(long = "holder", value_name = "DEVICE", required = true)]
    holders: Vec<String>,
    /// Which app; several times for several
    #[arg(long = "app", value_name = "APP", required = true)]
    apps: Vec<String>,
    /// Where; several times for several
    #[arg(long = "segment", value_name = "SEGMENT", required = true)]
    segments: Vec<String>,
    #[command(flatten)]
    #[serde(flatten)]
    terms: Terms,
    #[command(flatten)]
    #[serde(skip)]
    sensor: Sensor,
}

#[derive(Debug, ClapArgs, Serialize)]
struct Renew {
    /// The waiver that is renewed
    #[arg(value_name = "OLD")]
    #[serde(skip)]
    old: String,
    /// The number of the renewal
    #[arg(long, value_name = "ID")]
    id: String,
    #[command(flatten)]
    #[serde(flatten)]
    terms: Terms,
    #[command(flatten)]
    #[serde(skip)]
    sensor: Sensor,
}

#[derive(Debug, ClapArgs, Serialize)]
struct Terms {
    /// Who approved it
    #[arg(long, value_name = "WHO")]
    approver: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// From when; without it now, of a renewal where the old one ends
    #[arg(long, value_name = "DATE|TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    /// Until when: a date, to its end in UTC, or a time with its offset
    #[arg(long, value_name = "DATE|TIME")]
    end: String,
}

#[derive(Debug, ClapArgs)]
struct Revoke {
    /// The waiver
    #[arg(value_name = "ID")]
    id: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    sensor: Sensor,
}

/// See `Waiver` in docs/openapi.json.
#[derive(Deserialize)]
struct Waiver {
    id: String,
    standing: String,
    holders: Vec<String>,
    apps: Vec<String>,
    segments: Vec<String>,
    start: String,
    end: String,
    approver: Option<String>,
    reason: Option<String>,
    added_by: Option<String>,
    approved_by: Option<String>,
    revoked: Option<String>,
    revoked_by: Option<String>,
    revoked_reason: Option<String>,
    renews: Option<String>,
    problems: Vec<String>,
    uses: Vec<Use>,
}

#[derive(Deserialize)]
struct Use {
    finding: String,
    device: String,
    app: String,
    segment: String,
    verdict: String,
    first_seen: String,
    last_seen: String,
}

#[derive(Deserialize)]
struct List {
    waivers: Vec<Waiver>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when no sensor answers, or it refuses.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let path = |id: &str, deed: &str| format!("/api/v1/waivers/{}{deed}", segment(id));
    let one = |client: Client, path: &str, body: &serde_json::Value| client.post_with::<Waiver>(path, body);
    // Structs with text keys are always JSON.
    let body = |asked: serde_json::Result<serde_json::Value>| asked.unwrap_or_default();
    let text = match &args.command {
        Command::List(list) => {
            let answer: List = list.sensor.client()?.get("/api/v1/waivers")?;
            table::text(&rows(&answer.waivers), terminal)
        }
        Command::Show(named) => told(&named.sensor.client()?.get(&path(&named.id, ""))?, terminal),
        Command::Add(add) => told(&one(add.sensor.client()?, "/api/v1/waivers", &body(serde_json::to_value(add)))?, terminal),
        Command::Approve(named) => told(&named.sensor.client()?.post(&path(&named.id, "/approve"))?, terminal),
        Command::Renew(renew) => {
            told(&one(renew.sensor.client()?, &path(&renew.old, "/renew"), &body(serde_json::to_value(renew)))?, terminal)
        }
        Command::Revoke(revoke) => {
            told(&one(revoke.sensor.client()?, &path(&revoke.id, "/revoke"), &json!({ "reason": revoke.reason }))?, terminal)
        }
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}

/// What stands between two times, for people: a date where the day is what counts.
fn minute(time: &str) -> &str {
    time.strip_suffix("T00:00:00.000000Z").unwrap_or_else(|| time.get(..16).unwrap_or(time))
}

fn rows(waivers: &[Waiver]) -> Vec<Vec<String>> {
    let row = |w: &Waiver| {
        let cells = [&w.id, &w.standing, &w.holders.join(", "), &w.apps.join(", "), &w.segments.join(", ")].map(|cell| shown(cell));
        cells.into_iter().chain([shown(minute(&w.start)), shown(minute(&w.end))]).collect()
    };
    table::headed(&["waiver", "stands", "holders", "apps", "segments", "from", "until"], waivers.iter().map(row))
}

fn told(waiver: &Waiver, terminal: &Terminal) -> String {
    let mut text = format!("waiver {} is {}\n", shown(&waiver.id), shown(&waiver.standing));
    let mut line = |what: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {what:<12} {}\n", shown(value));
        }
    };
    line("holders", &waiver.holders.join(", "));
    line("apps", &waiver.apps.join(", "));
    line("segments", &waiver.segments.join(", "));
    line("from", minute(&waiver.start));
    line("until", minute(&waiver.end));
    let revoked = waiver.revoked.as_deref().map(minute);
    for (what, value) in [
        ("approver", waiver.approver.as_deref()),
        ("reason", waiver.reason.as_deref()),
        ("added by", waiver.added_by.as_deref()),
        ("approved by", waiver.approved_by.as_deref()),
        ("renews", waiver.renews.as_deref()),
        ("revoked", revoked),
        ("revoked by", waiver.revoked_by.as_deref()),
        ("because", waiver.revoked_reason.as_deref()),
    ] {
        line(what, value.unwrap_or_default());
    }
    waiver.problems.iter().for_each(|problem| line("void", problem));
    if waiver.standing == "pending" {
        text += "  it covers nothing until a second operator approves it: `ringfence waiver approve`\n";
    }
    let row = |u: &Use| {
        [&u.finding, &u.device, &u.app, &u.segment, &u.verdict, minute(&u.first_seen), minute(&u.last_seen)]
            .map(|c: &str| shown(c))
            .to_vec()
    };
    text + &table::text(
        &table::headed(&["finding", "device", "app", "segment", "verdict", "first", "last"], waiver.uses.iter().map(row)),
        terminal,
    )
}

fn shown(text: &str) -> String {
    printable(text.as_bytes())
}
