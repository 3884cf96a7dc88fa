//! Hostile bytes from real packets through the whole sensor, to every form: what a device says about itself, and what it asks for.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use ringfence_tests::lab::wait_until;
use ringfence_tests::sensor::Json;

use super::SOON;
use super::syslog::{self, data, got};
use super::traffic::Device;
use crate::live::wire::{EASY, Wire};

/// A name that is one of the app's, whatever stands before it: all that a name may have, and forms choke on.
const NAME: &str = "a\"b|c=d]e<f>'g{h}%n,;[x.weixin.qq.com";
/// Names that no host has: with a line end and a NUL, in bytes that are no text. They match nothing, so they leave no trace.
const NO_NAMES: [&[u8]; 3] = [b"line\nend.weixin.qq.com", b"nul\0.weixin.qq.com", b"\xff\xfe\xc3\x28.weixin.qq.com"];
const AGENT: &[u8] = b"x \"|=]\\ <34>1 MicroMessenger/8.0 \xff\xfe\x01 cs1=forged";
const HOST: &[u8] = b"ph\"o|n=e]\\\n\xff\x01";

/// A name of 64 KiB below the app's domain.
fn long() -> Vec<u8> {
    [&[b'a'; 65_000][..], b".weixin.qq.com"].concat()
}

const FORMS: [&str; 4] = ["json", "eve", "ecs", "ocsf"];

/// The value of the first sign on a field, in our own form.
fn sign(event: &Json, field: &str) -> Option<String> {
    let all = event["finding"]["evidence"].as_array()?;
    all.iter().find(|e| e["field"] == field)?["value"].as_str().map(str::to_string)
}

#[test]
fn hostile_bytes_of_packets_arrive_in_every_form() {
    let (Some(mut wire), Some((far_dir, ports))) = (Wire::new(), syslog::here()) else { return };
    let mut far = wire.pair.sensor.run(|| syslog::start(far_dir.path(), &ports));
    let dir = wire.dir.path().display().to_string();
    let more = |form: &&str| {
        format!("[[output]]\nname = \"{form}\"\nkind = \"file\"\nidentities = true\nformat = \"{form}\"\npath = \"{dir}/{form}.out\"\n")
    };
    let endpoint = format!("tcp://127.0.0.1:{}", ports.tcp);
    wire.setup.tables.push('\n');
    wire.setup.tables.push_str(&FORMS.iter().map(more).collect::<String>());
    wire.setup.tables.push_str(&(syslog::output("text", &endpoint, "") + &syslog::output("cef", &endpoint, "format = \"cef\"")));
    let daemon = wire.start();
    let (loud, silent) = (Device(71), Device(72));
    let mut frames = loud.lease(HOST);
    frames.extend(silent.lease(b"silent-canary"));
    NO_NAMES.iter().enumerate().for_each(|(n, name)| frames.extend(silent.hello(30_000 + n as u16, name)));
    frames.extend(silent.hello(30_100, &long()));
    frames.extend(loud.hello(31_000, NAME.as_bytes()));
    frames.extend(loud.browses(31_001, AGENT));
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    let read = |form: &str| -> Vec<Json> {
        let text = std::fs::read_to_string(wire.dir.path().join(format!("{form}.out"))).unwrap_or_default();
        text.lines().map(|l| serde_json::from_str(l).expect("every line is JSON")).collect()
    };
    let has_both = |events: &[Json]| ["tls.sni", "http.user_agent"].iter().all(|field| events.iter().any(|e| sign(e, field).is_some()));
    wait_until("both signs are told", SOON, || if has_both(&read("json")) { Ok(()) } else { Err(daemon.findings()) });
    let events = read("json");
    let by_id: BTreeMap<&str, &Json> = events.iter().map(|e| (e["id"].as_str().expect("an id"), e)).collect();
    wait_until("the others have as much", SOON, || {
        let forms: Vec<usize> = FORMS.iter().map(|form| read(form).len()).chain([got(far_dir.path()).len() / 2]).collect();
        if forms.iter().all(|n| *n >= events.len()) { Ok(()) } else { Err(forms) }
    });
    let with_name = events.iter().find(|e| sign(e, "tls.sni").is_some()).expect("the name");
    assert_eq!(sign(with_name, "tls.sni").as_deref(), Some(NAME));
    let agent = events.iter().find_map(|e| sign(e, "http.user_agent")).expect("the agent");
    assert_eq!(agent, "MicroMessenger/8.0", "of what stands around a sign nothing is kept");
    let host = with_name["finding"]["device"]["name"].as_str().expect("a name").to_string();
    assert!(host.starts_with("ph\"o|n=e]\\") && !host.contains(char::is_control), "{host:?}");
    let of = |form: &str, key: &dyn Fn(&Json) -> String| -> Vec<Json> {
        read(form).into_iter().filter(|e| key(e) == with_name["id"].as_str().unwrap_or_default()).collect()
    };
    let text = |v: &Json| v.as_str().unwrap_or_default().to_string();
    let eve = of("eve", &|e| text(&e["ringfence"]["id"])).remove(0);
    let ecs = of("ecs", &|e| text(&e["event"]["id"])).remove(0);
    let ocsf = of("ocsf", &|e| text(&e["metadata"]["uid"])).remove(0);
    assert_eq!((&eve["tls"]["sni"], &ecs["tls"]["client"]["server_name"]), (&NAME.into(), &NAME.into()));
    let evidence = if ocsf["evidences"].is_array() { &ocsf["evidences"] } else { &ocsf["unmapped"]["evidences"] };
    assert_eq!((&evidence[0]["tls"]["sni"], &ecs["host"]["name"]), (&NAME.into(), &host.as_str().into()));
    for message in got(far_dir.path()) {
        let (structured, cef) = (data(&message), &message["$!"]["read"]["cef"]["Extensions"]);
        let id = structured["id"].as_str().or(cef["externalId"].as_str()).expect("an id");
        let Some(event) = by_id.get(id) else { continue };
        let name = sign(event, "tls.sni").map_or(Json::Null, Json::from);
        let told = event["finding"]["device"]["name"].clone();
        let (sni, shost) = if cef.is_null() { (&structured["sni"], &structured["name"]) } else { (&cef["cs6"], &cef["shost"]) };
        assert_eq!((sni, shost), (&name, &told), "{message}");
    }
    daemon.stop();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
    let all: String = FORMS.iter().map(|f| std::fs::read_to_string(wire.dir.path().join(format!("{f}.out"))).expect("written")).collect();
    for trace in
        ["silent-canary", &silent.mac().to_string(), &silent.addr().to_string(), "line\\nend", "nul\\u0000", "nul.weixin", &"a".repeat(64)]
    {
        assert!(!all.contains(trace), "{trace} left a trace");
    }
}
