//! What operators do: waivers and acknowledgements by command, under audit, and still there after a restart.

use std::time::Duration;

use ringfence_tests::lab::daemon::Daemon;
use ringfence_tests::lab::wait_until;
use ringfence_tests::sensor::{self, Json};

use super::wire::{EASY, Wire, told};

const SOON: Duration = Duration::from_secs(10);

const OPERATORS: &str = "
[operators.jana]
token_file = \"jana.token\"
may = [\"acknowledge\", \"waivers\"]
[operators.petr]
token_file = \"petr.token\"
may = [\"waivers\"]
";

/// Runs the command line as an operator; exit code, output, errors.
fn as_operator(wire: &Wire, who: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = wire.pair.sensor.command(sensor::binary());
    let token = wire.setup.dir.join(format!("{who}.token"));
    let done = command.args(args).arg("--token-file").arg(token).output().expect("it runs");
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The use of the app in the office by the device that a test chooses; `null` while there is none.
fn of(daemon: &Daemon, chosen: fn(&Json) -> bool) -> Json {
    let in_office = |f: &&Json| f["app"] == "wechat" && f["surface"] == "app" && f["segment"] == "office";
    daemon.findings().iter().filter(in_office).find(|f| chosen(f)).cloned().unwrap_or_default()
}

/// Has the waiver of the file.
fn waived(finding: &Json) -> bool {
    finding["device"]["register"] == "laptop-hr-03"
}

/// Has none.
fn without(finding: &Json) -> bool {
    !waived(finding)
}

fn now() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    ringfence_core::time::Timestamp::from_secs_nanos(since.as_secs(), since.subsec_nanos().into()).to_string()
}

/// Why the device is judged as it is, why it was judged otherwise before, and what another policy would say.
fn looked_back_upon(wire: &Wire, device: &str, earlier: &str) {
    let config = wire.setup.dir.join("ringfence.toml").to_string_lossy().into_owned();
    let ask = |args: &[&str]| {
        let done = sensor::run(args);
        assert_eq!(done.status, Some(0), "{args:?}: {}", done.stderr);
        done.stdout
    };
    // The lab's sensor serves plain names; commands call devices by pseudonyms unless they are told otherwise.
    let plain = ask(&["explain", "--device", "reg:laptop-hr-03", "-c", &config, "--identities"]);
    assert!(plain.starts_with("reg:laptop-hr-03 at ") && !device.is_empty(), "{plain}");
    for told in [
        "waiver_expired, confirmed",
        "waiver     W-lab is revoked",
        "policy     default for standard",
        "evidence   wechat.",
        "history    ",
        "in use",
        " watched ",
    ] {
        assert!(plain.contains(told), "{told}: {plain}");
    }
    let then = ask(&["explain", "--device", "laptop-hr-03", "-c", &config, "--identities", "--at", earlier]);
    for told in ["office (standard): waived, confirmed", "waiver     W-lab is valid"] {
        assert!(then.contains(told), "{told}: {then}");
    }
    let veiled = ask(&["explain", "--device", "laptop-hr-03", "-c", &config]);
    assert!(veiled.starts_with("dev-") && !veiled.contains("10.10.20.") && !veiled.contains("00:00:5e"), "{veiled}");
    assert_eq!(sensor::run(&["explain", "--device", "nobody", "-c", &config]).status, Some(2));

    let same = ask(&["judge", "-c", &config]);
    assert!(same.contains(" 0 would be others\n"), "{same}");
    let other = wire.setup.dir.join("other.toml");
    let text = std::fs::read_to_string(&config)
        .expect("the configuration")
        .replace("guest = { class = \"guest\"", "guest = { class = \"sensitive\"");
    std::fs::write(&other, text).expect("written");
    let judged = ask(&["judge", "-c", &other.to_string_lossy()]);
    assert!(judged.contains("observed  violation  dev-") && judged.contains("guest"), "{judged}");
    let lines = ask(&["judge", "-c", &other.to_string_lossy(), "-o", "json"]);
    let first: Json = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["before"], &first["after"], &first["segment"]), (&"observed".into(), &"violation".into(), &"guest".into()));
}

fn becomes(daemon: &Daemon, chosen: fn(&Json) -> bool, verdict: &str) {
    let say = || of(daemon, chosen)["verdict"].clone();
    wait_until(verdict, SOON, || if say() == verdict { Ok(()) } else { Err(told(&daemon.findings())) });
}

#[test]
fn waivers_and_care_by_command_hold_and_outlive_a_restart() {
    let Some(mut wire) = Wire::new() else { return };
    for who in ["jana", "petr"] {
        std::fs::write(wire.setup.dir.join(format!("{who}.token")), format!("the-token-of-{who}-alone")).expect("written");
    }
    wire.setup.tables = wire.setup.tables.replace("[policy]", "[policy]\nwaiver_four_eyes = true") + OPERATORS;
    assert!(wire.setup.tables.contains("waiver_four_eyes"));
    wire.setup.tables = wire.setup.tables.replace("approver = ", "second_approver = \"somebody else\"\napprover = ");
    let daemon = wire.start();
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    becomes(&daemon, without, "unapproved");
    let holder = of(&daemon, without)["device"]["mac"].as_str().map(|mac| format!("mac:{mac}")).expect("a hardware address");
    let terms = ["--approver", "CISO", "--reason", "trade fair", "--start", "2026-01-01", "--end", "2026-12-31"];
    let add: Vec<&str> =
        ["waiver", "add", "W-cmd", "--holder", &holder, "--app", "wechat", "--segment", "office"].into_iter().chain(terms).collect();

    // Nobody without the right, nothing that makes no sense.
    let id = of(&daemon, without)["id"].as_str().expect("an id").to_string();
    assert_eq!(as_operator(&wire, "petr", &["acknowledge", &id]).0, Some(77));
    let (code, _, err) = as_operator(
        &wire,
        "jana",
        &[
            "waiver",
            "add",
            "W-x",
            "--holder",
            "all",
            "--app",
            "wechat",
            "--segment",
            "nowhere",
            "--approver",
            "a",
            "--reason",
            "r",
            "--end",
            "2026-12-31",
        ],
    );
    assert_eq!(code, Some(78), "{err}");
    assert!(err.contains("a blanket waiver is refused") && err.contains("there is no segment `nowhere`"), "{err}");

    // Two people, then it counts from the second one's word on: what was used before stays what it was.
    let (code, out, err) = as_operator(&wire, "jana", &add);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("W-cmd is pending"), "{out}");
    assert_eq!(as_operator(&wire, "jana", &["waiver", "approve", "W-cmd"]).0, Some(69), "not by the one who added it");
    becomes(&daemon, without, "unapproved");
    let (code, out, err) = as_operator(&wire, "petr", &["waiver", "approve", "W-cmd"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("W-cmd is ") && out.contains("approved by  petr"), "{out}");
    becomes(&daemon, without, "unapproved");

    let earlier = now();
    // A waiver of the file is taken back: use that goes on is told.
    becomes(&daemon, waived, "waived");
    let (code, out, err) = as_operator(&wire, "jana", &["waiver", "revoke", "W-lab", "--reason", "left the project"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("W-lab is revoked") && out.contains("left the project"), "{out}");
    becomes(&daemon, waived, "waived");
    wire.send(&frames, EASY);
    becomes(&daemon, waived, "waiver_expired");

    let (code, out, err) = as_operator(&wire, "jana", &["acknowledge", &id, "--note", "on it"]);
    assert_eq!((code, out.contains("acknowledged: jana")), (Some(0), true), "{out}{err}");
    assert_eq!(of(&daemon, without)["acknowledged"]["note"], "on it");
    let uses = daemon.json("/api/v1/waivers/W-lab")["uses"].clone();
    assert_eq!((uses[0]["verdict"].as_str(), uses[0]["app"].as_str()), (Some("waiver_expired"), Some("wechat")), "{uses}");
    let before = daemon.json("/api/v1/waivers");
    let phone = of(&daemon, waived)["device"]["id"].as_str().expect("an id").to_string();
    daemon.stop();
    looked_back_upon(&wire, &phone, &earlier);

    let daemon = wire.start();
    assert_eq!(daemon.json("/api/v1/waivers"), before);
    assert_eq!(of(&daemon, without)["acknowledged"]["by"], "jana");
    becomes(&daemon, waived, "waiver_expired");
    assert!(daemon.metric("ringfence_waivers", &["standing=\"revoked\""]) >= 1.0);
    daemon.stop();
    let store = rusqlite::Connection::open(wire.setup.state.join("ringfence.sqlite")).expect("the store");
    let mut query = store.prepare("SELECT action FROM audit ORDER BY seq").expect("a query");
    let actions: Vec<String> = query.query_map([], |row| row.get(0)).expect("rows").map(|a| a.expect("a text")).collect();
    let deeds: Vec<&str> = actions.iter().map(String::as_str).filter(|a| a.starts_with("waiver") || *a == "acknowledge").collect();
    assert_eq!(deeds, ["waiver-add", "waiver-approve", "waiver-revoke", "acknowledge"]);
}
