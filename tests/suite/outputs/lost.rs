//! Nothing is lost: every kind of output before a far end that is broken, hangs, breaks off, answers nobody, is slow, is killed, stands still.

use std::time::Duration;

use ringfence_tests::outage::far::{Alertmanager, FarEnd, File, Nats, Rsyslog, Webhook, certificate};
use ringfence_tests::outage::gate::Trouble;
use ringfence_tests::outage::survive;
use ringfence_tests::outputs::{HASTY, Source};

use super::SOON;

const ALL: [Trouble; 7] = [Trouble::Broken, Trouble::Hangs, Trouble::Cut, Trouble::Deaf, Trouble::Slow, Trouble::Killed, Trouble::Stopped];

/// Through every trouble, each for longer than an output with short patience waits for an answer.
fn survives(dir: &std::path::Path, far: &mut dyn FarEnd) {
    let mut source = Source::paced(dir, &far.output(), HASTY);
    let outcome = survive(far, &mut source, &ALL.map(|t| (t, Duration::from_millis(2_500))), SOON);
    source.end();
    assert!(outcome.failed > 0, "the troubles were none: {outcome:?}");
}

#[test]
fn by_a_webhook() {
    let dir = tempfile::tempdir().expect("a folder");
    survives(dir.path(), &mut Webhook::start());
}

#[test]
fn by_alertmanager() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(mut far) = Alertmanager::start(dir.path(), 8) else { return };
    survives(dir.path(), &mut far);
}

#[test]
fn by_syslog_over_tcp() {
    let dir = tempfile::tempdir().expect("a folder");
    certificate(dir.path());
    let Some(mut far) = Rsyslog::start(dir.path(), false) else { return };
    survives(dir.path(), &mut far);
}

#[test]
fn by_syslog_over_tls() {
    let dir = tempfile::tempdir().expect("a folder");
    certificate(dir.path());
    let Some(mut far) = Rsyslog::start(dir.path(), true) else { return };
    survives(dir.path(), &mut far);
}

#[test]
fn by_nats() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(mut far) = Nats::start(dir.path()) else { return };
    survives(dir.path(), &mut far);
}

#[cfg(feature = "kafka")]
#[test]
fn by_kafka() {
    let dir = tempfile::tempdir().expect("a folder");
    survives(dir.path(), &mut ringfence_tests::outage::kafka::Kafka::start());
}

#[test]
fn by_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    survives(dir.path(), &mut File::start(dir.path()));
}
