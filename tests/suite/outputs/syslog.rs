//! A real rsyslog reads what we write, over UDP, TCP and TLS; it is killed, stopped and comes back.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_core::ledger::Event;
use ringfence_tests::lab::{Process, wait_until};
use ringfence_tests::outputs::{Source, tracked};
use ringfence_tests::peers;
use ringfence_tests::sensor::Json;

use super::{SOON, certificate, port};

/// Ports of one rsyslog.
pub struct Ports {
    pub udp: u16,
    pub tcp: u16,
    pub tls: u16,
}

/// Starts one. What it understands of structured data and of CEF (by liblognorm) is in what it writes.
pub fn start(dir: &Path, ports: &Ports) -> Process {
    let at = dir.display();
    let text = format!(
        r#"global(workDirectory="{at}" maxMessageSize="2m" parser.escapeControlCharactersOnReceive="off"
  defaultNetstreamDriverCAFile="{at}/cert.pem" defaultNetstreamDriverCertFile="{at}/cert.pem" defaultNetstreamDriverKeyFile="{at}/key.pem")
main_queue(queue.type="Direct")
module(load="imudp") module(load="imptcp") module(load="imtcp" streamdriver.name="gtls" streamdriver.mode="1" streamdriver.authmode="anon")
module(load="mmpstrucdata") module(load="mmnormalize")
template(name="whole" type="list") {{ property(name="jsonmesg") constant(value="\n") }}
input(type="imudp" address="127.0.0.1" port="{}")
input(type="imptcp" address="127.0.0.1" port="{}" framingfix.cisco.asa="off" maxframesize="2000000")
input(type="imtcp" address="127.0.0.1" port="{}")
action(type="mmpstrucdata" sd_name.lowercase="off")
if $msg startswith "CEF:" then action(type="mmnormalize" rule=["rule=:%cef:cef%"] path="$!read")
action(type="omfile" file="{at}/got.json" template="whole")
"#,
        ports.udp, ports.tcp, ports.tls
    );
    std::fs::write(dir.join("rsyslog.conf"), text).expect("written");
    let mut command = peers::command("rsyslogd").expect("it was there");
    command.args(["-n", "-f"]).arg(dir.join("rsyslog.conf")).arg("-i").arg(dir.join("pid"));
    Process::start(command, &dir.join("rsyslog.log"))
}

/// Messages of ours that it has written.
pub fn got(dir: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(dir.join("got.json")).unwrap_or_default();
    text.lines().filter_map(|l| serde_json::from_str::<Json>(l).ok()).filter(|m| m["app-name"] == "ringfence").collect()
}

/// Our structured data as rsyslog understood it.
pub fn data(message: &Json) -> Json {
    message["$!"]["rfc5424-sd"]["ringfence@32473"].clone()
}

/// A folder with a certificate, and ports; `None`, after a word, where there is no rsyslog.
pub fn here() -> Option<(tempfile::TempDir, Ports)> {
    peers::command("rsyslogd")?;
    let dir = tempfile::tempdir().expect("a folder");
    certificate(dir.path());
    Some((dir, Ports { udp: port(), tcp: port(), tls: port() }))
}

pub fn output(name: &str, endpoint: &str, more: &str) -> String {
    format!("[[output]]\nname = \"{name}\"\nkind = \"syslog\"\nidentities = true\nendpoint = \"{endpoint}\"\n{more}\n")
}

/// Waits for messages.
pub fn arrives(dir: &Path, wanted: usize, what: impl Fn(&Json) -> bool) -> Vec<Json> {
    wait_until("messages", SOON, || {
        let there: Vec<Json> = got(dir).into_iter().filter(&what).collect();
        if there.len() >= wanted {
            Ok(there)
        } else {
            Err((there.len(), got(dir).len(), std::fs::read_to_string(dir.join("rsyslog.log")).unwrap_or_default()))
        }
    })
}

#[test]
fn rsyslog_understands_every_field_over_every_transport() {
    let Some((dir, ports)) = here() else { return };
    let mut far = start(dir.path(), &ports);
    std::thread::sleep(Duration::from_millis(500));
    let tls = format!("ca = {:?}", dir.path().join("cert.pem"));
    let outputs = output("udp", &format!("udp://127.0.0.1:{}", ports.udp), "")
        + &output("tcp", &format!("tcp://127.0.0.1:{}", ports.tcp), "")
        + &output("tls", &format!("tls://127.0.0.1:{}", ports.tls), &tls);
    let mut source = Source::open(dir.path(), &outputs);
    let hostile = "a \"quote\" ] \\ = | 微信 \u{1F600} <34>1 - end".to_string();
    let mut one = tracked(1);
    (one.finding.policy, one.finding.device.name) = (hostile.clone(), Some("line\nend\0nul".to_string()));
    source.happens(Event::Opened, one);
    for input in ["imudp", "imptcp", "imtcp"] {
        let message = arrives(dir.path(), 1, |m| m["inputname"] == input).remove(0);
        let data = data(&message);
        assert_eq!(data["policy"], hostile.as_str(), "{input}: {message}");
        assert_eq!(data["name"], "line\\x0aend\\x00nul", "{input}: {message}");
        assert_eq!((&data["verdict"], &data["segment"], &data["event"]), (&"violation".into(), &"lab".into(), &"opened".into()));
        assert_eq!(
            (&message["msgid"], &message["syslogfacility"], &message["syslogseverity"]),
            (&"opened".into(), &"16".into(), &"3".into())
        );
    }
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}

#[test]
fn long_messages_and_other_forms_arrive_whole_over_tcp() {
    let Some((dir, ports)) = here() else { return };
    let mut far = start(dir.path(), &ports);
    std::thread::sleep(Duration::from_millis(500));
    let outputs = output("tcp", &format!("tcp://127.0.0.1:{}", ports.tcp), "format = \"ecs\"");
    let mut source = Source::open(dir.path(), &outputs);
    let long = "x\n\"|=\0微".repeat(8_192);
    let mut one = tracked(1);
    one.finding.policy.clone_from(&long);
    source.happens(Event::Opened, one);
    let message = arrives(dir.path(), 1, |m| m["inputname"] == "imptcp").remove(0);
    let inside: Json = serde_json::from_str(message["msg"].as_str().expect("text").trim_start()).expect("JSON in the message");
    assert_eq!(inside["rule"]["name"], long.as_str());
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}

#[test]
fn a_receiver_that_is_killed_and_stopped_misses_nothing() {
    let Some((dir, ports)) = here() else { return };
    let tls = format!("ca = {:?}", dir.path().join("cert.pem"));
    let outputs = output("tls", &format!("tls://127.0.0.1:{}", ports.tls), &tls);
    let mut source = Source::open(dir.path(), &outputs);
    let mut next = 0;
    for round in 0..4 {
        let mut far = start(dir.path(), &ports);
        if round == 2 {
            // It stands still: what is sent now goes no further than the kernel, and dies with it.
            far.signal(Signal::SIGSTOP);
        }
        source.opens(next..next + 100);
        next += 100;
        std::thread::sleep(Duration::from_millis(300 + 400 * (round % 2)));
        far.signal(Signal::SIGKILL);
        far.end(SOON);
    }
    let mut far = start(dir.path(), &ports);
    wait_until("nothing waits", SOON, || {
        let standing = source.desk.board().all()["tls"].clone();
        if standing.depth == 0 && standing.problem.is_empty() { Ok(()) } else { Err(standing) }
    });
    let finding = |m: &Json| data(m)["finding"].as_str().map(str::to_string);
    wait_until("every finding is there", SOON, || {
        let there: std::collections::BTreeSet<_> = got(dir.path()).iter().filter_map(finding).collect();
        if there.len() == 400 { Ok(()) } else { Err(there.len()) }
    });
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}
