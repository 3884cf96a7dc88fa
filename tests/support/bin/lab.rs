//! `make demo-live`: the lab, the sensor on its mirror port, and findings as they appear.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::internet::Internet;
use ringfence_tests::lab::network::MIRROR;
use ringfence_tests::lab::story::{self, CANARIES, ROLES, Role};
use ringfence_tests::lab::talkers::Talker;
use ringfence_tests::lab::{Network, namespace};
use ringfence_tests::prng::Prng;
use ringfence_tests::sensor::Json;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Between two roles, so that people can follow.
const PAUSE: Duration = Duration::from_secs(4);

/// Verdicts and their colours on a terminal (ECMA-48).
const COLOURS: [(&str, u8); 6] =
    [("violation", 31), ("separation_breach", 31), ("unapproved", 33), ("waiver_expired", 33), ("waived", 36), ("compliant", 32)];

fn main() -> ExitCode {
    if !namespace::permitted() {
        eprintln!("run it as root, on a Linux machine whose kernel has veth and bridge");
        return ExitCode::SUCCESS;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).expect("signals can be caught");
    }
    let network = match Network::new(&story::places()) {
        Ok(network) => network,
        Err(error) => {
            eprintln!("the lab cannot be built: {error}");
            return ExitCode::FAILURE;
        }
    };
    let internet = Internet::start(&network);
    let mut setup = Setup::new(&network.dir().join("sensor"), MIRROR, &story::policy());
    setup.binary = std::env::args_os().nth(1).map(PathBuf::from);
    std::fs::create_dir_all(&setup.dir).expect("a folder");
    let daemon = Daemon::start(&network.sensor, &setup);
    println!("a switch, a router with DHCP and DNS, servers, {} hosts; the sensor listens on the mirror port", ROLES.len());
    let fine = watch(&network, &internet, &daemon, &interrupted);
    let log = daemon.stop();
    println!("{}; the network is gone", log.lines().last().unwrap_or("the sensor has ended"));
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Roles play in a thread of their own, so that a finding is shown while its sign is still on the wire.
fn watch(network: &Network, internet: &Internet, daemon: &Daemon, interrupted: &AtomicBool) -> bool {
    let mut screen = Screen { since: Instant::now(), shown: Vec::new(), colours: io::stdout().is_terminal() };
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        let player = scope.spawn(move || ROLES.iter().for_each(|role| play(role, network, internet, interrupted, &tell)));
        while !player.is_finished() && !interrupted.load(Ordering::Relaxed) {
            if let Ok(line) = told.recv_timeout(Duration::from_millis(100)) {
                println!("{line}");
                screen.since = Instant::now();
            }
            daemon.findings().iter().for_each(|finding| screen.show(finding));
        }
    });
    interrupted.load(Ordering::Relaxed) || sum_up(&daemon.findings())
}

fn play(role: &Role, network: &Network, internet: &Internet, interrupted: &AtomicBool, tell: &Sender<String>) {
    if interrupted.load(Ordering::Relaxed) {
        return;
    }
    let begun = Instant::now();
    let talker = Talker { network, host: network.host(role.place.name), certificate: &internet.certificate };
    let prepared = talker.boot().and_then(|()| (role.before)(&talker));
    let _ = tell.send(format!("\n  {}: {}", role.place.name, role.does));
    if let Err(error) = prepared.and_then(|()| (role.act)(&talker, &mut Prng::new(1))) {
        let _ = tell.send(format!("    {error}"));
    }
    while begun.elapsed() < PAUSE && !interrupted.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Screen {
    since: Instant,
    /// Id and state of what was shown.
    shown: Vec<(String, String)>,
    colours: bool,
}

impl Screen {
    /// A finding is shown when it is new and when its judgement changes.
    fn show(&mut self, finding: &Json) {
        let word = |key: &str| finding[key].as_str().unwrap_or("?").to_string();
        let (id, state) = (word("id"), format!("{} {}", word("level"), word("verdict")));
        if self.shown.contains(&(id.clone(), state.clone())) {
            return;
        }
        self.shown.push((id, state));
        let (segment, app, surface, level) = (word("segment"), word("app"), word("surface"), word("level"));
        let after = self.since.elapsed().as_secs_f64();
        let verdict = self.painted(&word("verdict"));
        println!("    +{after:.1} s  {verdict} {} in {segment}: {app} {surface}, {level}; {}", device(finding), signs(finding));
    }

    fn painted(&self, verdict: &str) -> String {
        let colour = COLOURS.iter().find(|(word, _)| *word == verdict).map(|(_, colour)| colour);
        match colour.filter(|_| self.colours) {
            Some(colour) => format!("\x1b[1;{colour}m{verdict:<17}\x1b[0m"),
            None => format!("{verdict:<17}"),
        }
    }
}

fn device(finding: &Json) -> &str {
    ["register", "name", "mac"].iter().find_map(|k| finding["device"][*k].as_str()).unwrap_or("?")
}

/// What it rests on, in a few words.
fn signs(finding: &Json) -> String {
    let sign = |e: &Json| format!("{} {}", e["field"].as_str().unwrap_or("?"), e["value"].as_str().unwrap_or("?"));
    finding["evidence"].as_array().into_iter().flatten().map(sign).take(3).collect::<Vec<_>>().join(", ")
}

fn sum_up(findings: &[Json]) -> bool {
    let expected: Vec<_> = ROLES.iter().filter_map(|r| r.expected).collect();
    let met = expected.iter().filter(|e| findings.iter().any(|f| e.is(f))).count();
    let canaries = findings.iter().filter(|f| CANARIES.iter().any(|c| f.to_string().contains(c))).count();
    println!("\n{met} of {} expected findings, {canaries} about the ordinary laptop", expected.len());
    met == expected.len() && canaries == 0
}
