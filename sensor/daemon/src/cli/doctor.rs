//! `ringfence doctor`: can this machine do it? A table of checks, each with its remedy.

mod interface;
mod machine;
mod mirror;

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use owo_colors::Style;
use serde_json::json;

use super::safe::printable;
use super::{Exit, Failure, Terminal, problems};
use crate::config::{Capture, Config, State};

/// Which form the answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// JSON lines.
    Json,
}

/// Check whether this machine can watch its interfaces: privileges, kernel, interfaces, mirror, clock, disk, memory
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence doctor                          the machine alone
  ringfence doctor -c /etc/ringfence/ringfence.toml
  ringfence doctor -i span0 -i span1        two mirror ports; each is listened to for 3 seconds

Run it as the sensor will run. Exit codes: 0 nothing failed, 1 a check failed, 78 the configuration is wrong")]
pub struct Args {
    /// Configuration: its interfaces, rings, buffers and state folder are checked
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check this interface instead of those of the configuration; may be given several times
    #[arg(short, long, value_name = "NAME")]
    interface: Vec<String>,
    /// Listen to each interface for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "human")]
    output: Format,
}

/// What the sensor is meant to do here.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Interfaces, rings and buffers.
    pub capture: Capture,
    /// Where it keeps its state.
    pub state: State,
    /// How long each interface is listened to.
    pub listen: Duration,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// The sensor cannot do its work.
    Fail,
}

impl Level {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// How it came out, and what was seen.
pub type Seen = (Level, String);

/// What is looked at.
enum Look {
    /// The machine, once.
    Machine(fn(&Setting) -> Seen),
    /// An interface, each.
    Interface(fn(&Setting, &str) -> Seen),
}

/// A check: its name, how it is made, and what to do when it is not `ok` (`IF` stands for the interface).
struct Check(&'static str, Look, &'static str);

/// Every check, in the order in which they are told.
const CHECKS: &[Check] = &[
    Check(
        "privileges",
        Look::Machine(machine::privileges),
        "run it by the shipped service, as root, or after `setcap cap_net_raw+ep` on the program",
    ),
    Check("capture ring", Look::Machine(machine::ring), "TPACKET_V3 takes Linux 3.2 or later, and CAP_NET_RAW"),
    Check("fanout", Look::Machine(machine::fanout), "several rings for one interface take Linux 4.3 or later; until then set `rings = 1`"),
    Check(
        "landlock",
        Look::Machine(machine::landlock),
        "take Linux 5.13 or later with `landlock` among the security modules (boot with lsm=landlock,...); the sensor runs without it, less confined",
    ),
    Check(
        "seccomp",
        Look::Machine(machine::seccomp),
        "take a kernel with CONFIG_SECCOMP_FILTER; the sensor runs without it, less confined",
    ),
    Check(
        "clock",
        Look::Machine(machine::clock),
        "keep the clock by NTP or PTP, e.g. `timedatectl set-ntp true`: findings of several sensors are joined by time",
    ),
    Check(
        "disk",
        Look::Machine(machine::disk),
        "free space, or set [state] dir to a larger file system: findings, history and audit stay there",
    ),
    Check("memory", Look::Machine(machine::memory), "set a smaller [capture] buffer_bytes or fewer rings, or add memory"),
    Check("cores", Look::Machine(machine::cores), "set fewer [capture] rings, or add cores: each ring keeps one busy under load"),
    Check("exists", Look::Interface(interface::exists), "`ip -br link` lists the interfaces; the sensor waits for one that is missing"),
    Check("up", Look::Interface(interface::up), "`ip link set IF up`; check the cable and the switch's mirror port"),
    Check(
        "promiscuous",
        Look::Interface(interface::promiscuous),
        "a mirror carries frames to other stations: virtual machines need it permitted on the virtual switch",
    ),
    Check("offloads", Look::Interface(interface::offloads), "`ethtool -K IF lro off`: LRO merges segments and their headers are lost"),
    Check("nic ring", Look::Interface(interface::ring), "`ethtool -G IF rx N` with the largest N that `ethtool -g IF` shows"),
    Check(
        "nic drops",
        Look::Interface(interface::drops),
        "a larger NIC ring (`ethtool -G`), more queues, or an interrupt per core (irqbalance)",
    ),
    Check(
        "mirror",
        Look::Interface(mirror::both_directions),
        "set the switch to mirror both directions (`both`, not `rx` or `tx`) of every port or VLAN, and check that the output is this port",
    ),
];

/// A line of the answer.
struct Line {
    check: &'static str,
    interface: Option<String>,
    level: Level,
    detail: String,
    remedy: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the configuration is wrong or the answer cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let config = Config::load_optional(args.config.as_deref(), &[]).map_err(|errors| {
        eprint!("{}", problems::text(&errors, terminal));
        Failure::new(Exit::Config, problems::summary(&errors), None)
    })?;
    let service = config.service;
    let mut setting = Setting { capture: service.capture, state: service.state, listen: Duration::from_secs(args.seconds) };
    if !args.interface.is_empty() {
        setting.capture.interfaces.clone_from(&args.interface);
    }
    let lines = look(&setting);
    let text = match args.output {
        Format::Human => human(&lines, &setting, terminal),
        Format::Json => lines.iter().map(|line| json_line(line) + "\n").collect(),
    };
    super::written(io::stdout().lock().write_all(text.as_bytes()))?;
    let failed = lines.iter().any(|line| line.level == Level::Fail);
    Ok(if failed { Exit::Findings } else { Exit::Fine })
}

/// Makes every check; interfaces are listened to at the same time.
fn look(setting: &Setting) -> Vec<Line> {
    let machine = CHECKS.iter().filter_map(|Check(name, look, remedy)| match look {
        Look::Machine(check) => Some(line(name, None, check(setting), remedy)),
        Look::Interface(_) => None,
    });
    let mut lines: Vec<Line> = machine.collect();
    thread::scope(|scope| {
        let names = setting.capture.interfaces.iter();
        let threads: Vec<_> = names.map(|name| scope.spawn(move || look_at_interface(setting, name))).collect();
        for thread in threads {
            lines.extend(thread.join().unwrap_or_default());
        }
    });
    lines
}

/// The checks of one interface; of one that is not there, only that.
fn look_at_interface(setting: &Setting, name: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for Check(check, look, remedy) in CHECKS {
        let Look::Interface(run) = look else { continue };
        if lines.iter().any(|l| l.check == "exists" && l.level == Level::Fail) {
            break;
        }
        lines.push(line(check, Some(name), run(setting, name), remedy));
    }
    lines
}

fn line(check: &'static str, interface: Option<&str>, (level, detail): Seen, remedy: &str) -> Line {
    let remedy = (level != Level::Ok).then(|| remedy.replace("IF", interface.unwrap_or("IF")));
    Line { check, interface: interface.map(str::to_string), level, detail, remedy }
}

fn human(lines: &[Line], setting: &Setting, terminal: &Terminal) -> String {
    let mut text = String::new();
    let mut place = None;
    for line in lines {
        if place != Some(&line.interface) {
            let title = line.interface.as_ref().map_or("this machine".to_string(), |i| printable(i.as_bytes()));
            text += &format!("{}{}\n", if place.is_some() { "\n" } else { "" }, terminal.paint(&title, Style::new().bold()));
            place = Some(&line.interface);
        }
        let style = match line.level {
            Level::Ok => Style::new().green(),
            Level::Warn => Style::new().yellow(),
            Level::Fail => Style::new().red(),
        };
        let word = terminal.paint(&format!("{:<4}", line.level.name()), style);
        text += &format!("  {word}  {:<12}  {}\n", line.check, printable(line.detail.as_bytes()));
        if let Some(remedy) = &line.remedy {
            text += &format!("                      help: {}\n", printable(remedy.as_bytes()));
        }
    }
    let count = |level| lines.iter().filter(|l| l.level == level).count();
    text += &format!("\n{} ok, {} to look at, {} failed\n", count(Level::Ok), count(Level::Warn), count(Level::Fail));
    if setting.capture.interfaces.is_empty() {
        text += "no interface was looked at: name one with -i, or a configuration with -c\n";
    }
    text
}

fn json_line(line: &Line) -> String {
    json!({
        "check": line.check,
        "interface": line.interface,
        "level": line.level.name(),
        "detail": line.detail,
        "remedy": line.remedy,
    })
    .to_string()
}
