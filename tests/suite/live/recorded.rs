//! The lab itself: real programs talk, libpcap records the mirror port, and the recording holds what must be found.

use ringfence_tests::lab::daemon::Setup;
use ringfence_tests::lab::internet::Internet;
use ringfence_tests::lab::network::MIRROR;
use ringfence_tests::lab::recorder::Recorder;
use ringfence_tests::lab::story::{self, CANARIES, ROLES};
use ringfence_tests::lab::talkers::Talker;
use ringfence_tests::lab::{Network, namespace};
use ringfence_tests::prng::Prng;
use ringfence_tests::sensor;

#[test]
fn a_recording_of_the_mirror_port_holds_what_must_be_found() {
    if !namespace::permitted() {
        return;
    }
    let network = Network::new(&story::places()).expect("a network");
    let internet = Internet::start(&network);
    let recorder = Recorder::start(&network.sensor, MIRROR, &network.dir().join("mirror.pcap"));
    for role in &ROLES {
        let talker = Talker { network: &network, host: network.host(role.place.name), certificate: &internet.certificate };
        let name = role.place.name;
        talker.boot().unwrap_or_else(|e| panic!("{name}: {e}"));
        (role.before)(&talker).unwrap_or_else(|e| panic!("{name}: {e}"));
        (role.act)(&talker, &mut Prng::new(1)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let recorded = recorder.stop();
    assert_eq!(recorded.dropped, 0);
    let config = Setup::new(network.dir(), MIRROR, &story::policy()).write();
    let lines = sensor::scan(&["-c", &config.to_string_lossy()], &recorded.path);
    let found: Vec<_> = lines.iter().filter(|l| l["type"] == "finding").collect();
    let shown = || found.iter().map(|f| format!("{} {} {} {} {}", f["device"], f["segment"], f["surface"], f["level"], f["verdict"]));
    for expected in ROLES.iter().filter_map(|r| r.expected) {
        assert!(found.iter().any(|f| expected.is(f)), "{expected:?} is not in {:#?}", shown().collect::<Vec<_>>());
    }
    let beside = found.iter().filter(|f| !ROLES.iter().filter_map(|r| r.expected).any(|e| e.is(f)));
    assert_eq!(beside.count(), 0, "{:#?}", shown().collect::<Vec<_>>());
    let said = format!("{lines:?}");
    assert!(CANARIES.iter().all(|c| !said.contains(c)), "{said}");
}
