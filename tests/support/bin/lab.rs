//! `make demo-live`: the lab, the sensor on its mirror port, and findings as they appear.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::internet::Internet;
use ringfence_tests::lab::network::MIRROR;
use ringfence_tests::lab::story::{self, ROLES, Role};
use ringfence_tests::lab::talkers::Talker;
use ringfence_tests::lab::{Network, namespace};
use ringfence_tests::prng::Prng;
use ringfence_tests::sensor::Json;

/// Between two roles, so that people can follow.
const PAUSE: Duration = Duration::from_millis(3_500);

/// After the last role.
const REST: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    if !namespace::permitted() {
        eprintln!("run it as root, on a Linux machine whose kernel has veth and bridge");
        return ExitCode::SUCCESS;
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
    let mut screen = Screen { begun: Instant::now(), shown: Vec::new() };
    screen.say(&format!("a switch, a router with DHCP and DNS, servers, {} hosts; the sensor listens on the mirror port", ROLES.len()));
    watch(&network, &internet, &daemon, &mut screen);
    let log = daemon.stop();
    screen.say(&format!("{}; the network is gone", log.lines().last().unwrap_or("the sensor has ended")));
    ExitCode::SUCCESS
}

/// Roles play in a thread of their own, so that a finding is shown while its sign is still on the wire.
fn watch(network: &Network, internet: &Internet, daemon: &Daemon, screen: &mut Screen) {
    let played = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let played = &played;
        scope.spawn(move || {
            for role in &ROLES {
                let _ = tell.send(format!("\n  {}: {}", role.place.name, role.does));
                if let Err(error) = play(role, network, internet) {
                    let _ = tell.send(format!("    {error}"));
                }
                std::thread::sleep(PAUSE);
            }
            std::thread::sleep(REST);
            played.store(true, Ordering::Relaxed);
        });
        while !played.load(Ordering::Relaxed) {
            if let Ok(line) = told.recv_timeout(Duration::from_millis(200)) {
                screen.say(&line);
            }
            for finding in daemon.findings() {
                screen.show(&finding);
            }
        }
    });
    screen.sum_up(&daemon.findings());
}

fn play(role: &Role, network: &Network, internet: &Internet) -> std::io::Result<()> {
    let talker = Talker { network, host: network.host(role.place.name), certificate: &internet.certificate };
    talker.boot()?;
    (role.before)(&talker)?;
    (role.act)(&talker, &mut Prng::new(1))
}

struct Screen {
    begun: Instant,
    /// Id and state of what was shown.
    shown: Vec<(String, String)>,
}

impl Screen {
    fn say(&self, text: &str) {
        println!("{text}");
    }

    /// A finding is shown when it is new and when its judgement changes.
    fn show(&mut self, finding: &Json) {
        let word = |key: &str| finding[key].as_str().unwrap_or("?").to_string();
        let state = format!("{} {}", word("level"), word("verdict"));
        let known = self.shown.iter_mut().find(|(id, _)| *id == word("id"));
        let mark = match known {
            Some((_, old)) if *old == state => return,
            Some((_, old)) => {
                *old = state;
                "now "
            }
            None => {
                self.shown.push((word("id"), state));
                ""
            }
        };
        let device = &finding["device"];
        let name = ["register", "name", "mac"].iter().find_map(|k| device[*k].as_str()).unwrap_or("?");
        let signs: Vec<&str> = finding["evidence"].as_array().into_iter().flatten().filter_map(|e| e["value"].as_str()).take(2).collect();
        let at = self.begun.elapsed().as_secs_f64();
        let (app, surface, level) = (word("app"), word("surface"), word("level"));
        println!(
            "    {at:5.1} s  {mark}{:<18} {name} in {}: {app} {surface}, {level} ({})",
            word("verdict"),
            word("segment"),
            signs.join(", ")
        );
    }

    fn sum_up(&self, findings: &[Json]) {
        let expected: Vec<_> = ROLES.iter().filter_map(|r| r.expected).collect();
        let met = expected.iter().filter(|e| findings.iter().any(|f| e.is(f))).count();
        println!(
            "\n{met} of {} expected findings, {} others, nothing about the ordinary laptop",
            expected.len(),
            findings.len() - met.min(findings.len())
        );
    }
}
