//! `ringfence reload`: the running sensor loads its files again, or tells what that would change.

use std::io::{self, Write};

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::client::Sensor;
use super::safe::printable;
use super::{Exit, Failure, Terminal, table, written};

/// Make the running sensor load its configuration and rules again, or show what that would change
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence reload --dry-run      which findings would be judged otherwise; nothing changes
  ringfence reload                the same for real; findings and flows survive

What is wrong is told whole, and the set that holds goes on. `ringfence check -c FILE` tells the same without a running sensor.

Exit codes: 0 accepted, 66 no sensor answers, 77 another token is needed, 78 refused")]
pub struct Args {
    #[command(flatten)]
    sensor: Sensor,
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
}

/// The sensor's answer; see `Reload` in docs/openapi.json.
#[derive(Deserialize)]
struct Answer {
    generation: u64,
    changes: Vec<String>,
    needs_restart: Vec<String>,
    findings: Vec<Rejudged>,
    findings_total: usize,
}

#[derive(Deserialize)]
struct Rejudged {
    id: String,
    device: String,
    app: String,
    segment: String,
    before: String,
    after: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when no sensor answers, or it refuses.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let answer: Answer = args.sensor.client()?.post(if args.dry_run { "/api/v1/reload?dry_run=true" } else { "/api/v1/reload" })?;
    written(io::stdout().lock().write_all(told(&answer, args.dry_run, terminal).as_bytes()))?;
    Ok(Exit::Fine)
}

fn told(answer: &Answer, dry_run: bool, terminal: &Terminal) -> String {
    let (would, does) = if dry_run { ("would change", "would take") } else { ("changed", "takes") };
    let mut text = match answer.changes.as_slice() {
        [] => "nothing in the files is different\n".to_string(),
        changes => format!("{would}: {}\n", shown(&changes.join("; "))),
    };
    answer.needs_restart.iter().for_each(|what| text += &format!("{} {does} effect at the next start only\n", shown(what)));
    let verdicts = if answer.findings_total == 1 { "1 finding".to_string() } else { format!("{} findings", answer.findings_total) };
    text += &format!("{verdicts} {}\n", if dry_run { "would get another verdict" } else { "got another verdict" });
    text += &table::text(&rows(&answer.findings), terminal);
    let more = answer.findings_total - answer.findings.len().min(answer.findings_total);
    if more > 0 {
        text += &format!("  and {more} more\n");
    }
    text += &if dry_run { "nothing was changed\n".to_string() } else { format!("accepted: configuration number {}\n", answer.generation) };
    text
}

fn rows(findings: &[Rejudged]) -> Vec<Vec<String>> {
    let row = |f: &Rejudged| [&f.before, &f.after, &f.device, &f.app, &f.segment, &f.id].map(|cell| shown(cell)).to_vec();
    table::headed(&["was", "is then", "device", "app", "segment", "finding"], findings.iter().map(row))
}

fn shown(text: &str) -> String {
    printable(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_is_a_table() {
        let finding = Rejudged {
            id: "rf-1".into(),
            device: "dev-0123456789ab".into(),
            app: "wechat".into(),
            segment: "lab\u{1b}[2J".into(),
            before: "waived".into(),
            after: "violation".into(),
        };
        let (changes, needs_restart) = (vec!["1 waiver less".to_string()], vec!["[http] listen".to_string()]);
        let answer = Answer { generation: 3, changes, needs_restart, findings: vec![finding], findings_total: 5 };
        let plain = Terminal { colour: false, width: 100 };
        assert_eq!(
            told(&answer, true, &plain),
            "\
would change: 1 waiver less
[http] listen would take effect at the next start only
5 findings would get another verdict

  was     is then    device            app     segment     finding
  waived  violation  dev-0123456789ab  wechat  lab\\x1b[2J  rf-1
  and 4 more
nothing was changed
"
        );
        let nothing = Answer { generation: 3, changes: vec![], needs_restart: vec![], findings: vec![], findings_total: 0 };
        let expected = "nothing in the files is different\n0 findings got another verdict\naccepted: configuration number 3\n";
        assert_eq!(told(&nothing, false, &plain), expected);
    }
}
