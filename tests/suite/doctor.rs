//! `ringfence doctor` in a network namespace: each fault of an interface or a mirror is told with its remedy.

use std::process::{Command, Stdio};

use ringfence_tests::frame::{self, TcpHeader, flags};
use ringfence_tests::sensor::{self, Json};

use crate::capture_space::{A, B, Sender, cable, in_namespace, ip};

/// Runs the doctor on an interface while frames are sent into its cable; gives its answer by check, and its exit code.
fn examine(interface: &str, frames: &[Vec<u8>]) -> (Vec<Json>, Option<i32>) {
    let mut command = Command::new(sensor::binary());
    command.args(["doctor", "-i", interface, "--seconds", "1", "-o", "json"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the sensor starts");
    let mut sender = (!frames.is_empty()).then(|| Sender::on("far0"));
    while child.try_wait().expect("a child").is_none() {
        frames.iter().for_each(|frame| sender.iter_mut().for_each(|s| s.send(frame)));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("a child");
    let text = String::from_utf8(output.stdout).expect("text");
    (text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(), output.status.code())
}

fn level<'a>(answer: &'a [Json], check: &str) -> &'a str {
    let line = answer.iter().find(|line| line["check"] == check).unwrap_or_else(|| panic!("no {check} in {answer:#?}"));
    assert_eq!(line["remedy"].is_string(), line["level"] != "ok", "{line}");
    line["level"].as_str().expect("text")
}

fn segment(port: u16, back: bool) -> Vec<u8> {
    let (client, server) = (([10, 0, 0, 1], 40_000 + port).into(), ([192, 0, 2, 1], 443).into());
    let (src, dst) = if back { (server, client) } else { (client, server) };
    let segment = frame::tcp(src, dst, &TcpHeader { flags: flags::ACK, ..TcpHeader::default() }, b"x");
    let packet = frame::ip(src.ip(), dst.ip(), 64, frame::proto::TCP, &segment);
    frame::ethernet(B, A, &[], frame::IPV4, &packet)
}

#[test]
fn faults_of_an_interface_and_its_mirror_are_told() {
    in_namespace(|| {
        cable("far0", "span0");
        let both: Vec<Vec<u8>> = (0..20).map(|n| segment(n / 2, n % 2 == 1)).collect();
        let (answer, code) = examine("span0", &both);
        for check in ["privileges", "capture ring", "fanout", "exists", "up", "promiscuous", "offloads", "nic ring", "nic drops", "mirror"]
        {
            assert_eq!(level(&answer, check), "ok", "{answer:#?}");
        }
        assert_eq!(code, Some(0), "{answer:#?}");
        let (answer, code) = examine("span0", &both.iter().step_by(2).cloned().collect::<Vec<_>>());
        assert_eq!((level(&answer, "mirror"), code), ("fail", Some(1)));
        let (answer, _) = examine("span0", &both[..2]);
        assert_eq!(level(&answer, "mirror"), "warn");
        let (answer, _) = examine("span0", &[]);
        assert_eq!(level(&answer, "mirror"), "fail");
        ip("link set span0 down");
        let (answer, code) = examine("span0", &[]);
        assert_eq!((level(&answer, "up"), level(&answer, "mirror"), code), ("fail", "fail", Some(1)));
        let (answer, code) = examine("span9", &[]);
        assert_eq!((level(&answer, "exists"), code), ("fail", Some(1)));
        assert!(answer.iter().all(|line| line["check"] != "mirror"));
    });
}
