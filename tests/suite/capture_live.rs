//! Live capture on real interfaces: veth pairs in a network namespace of each test's own. Says so where that is not permitted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use ringfence::capture::{Filter, LinkState, LiveOptions};
use ringfence_tests::frame;

use crate::capture_space::{A, B, Namespace, Ring, Sender, cable, in_namespace, ip, numbered, options, until};

#[test]
fn frames_arrive_as_they_were_sent_and_silence_is_told() {
    in_namespace(|| {
        cable("far0", "span0");
        let ring = Ring::on("span0");
        ring.stands(LinkState::Capturing);
        let mut sender = Sender::on("far0");
        let packet = frame::ipv4([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 64, 253, &[1, 2, 3]);
        let sent =
            [numbered(1), frame::ethernet(B, A, &[7], frame::IPV4, &packet), frame::ethernet(B, A, &[100, 20], frame::IPV4, &packet)];
        for frame in &sent {
            sender.send(frame);
            ring.has(frame);
        }
        let before = ring.idle.load(Relaxed);
        until("an idle step", || ring.idle.load(Relaxed) > before + 300_000_000);
        let view = ring.view();
        assert_eq!((view.received, view.received_bytes), (3, sent.iter().map(|f| f.len() as u64).sum()));
        assert_eq!((view.dropped_kernel, view.dropped_nic, view.truncated, view.oversized, view.reopened), (0, 0, 0, 0, 0));
        assert_eq!((view.error, view.filtered), (None, false));
        assert!(view.age < Duration::from_secs(2), "{:?}", view.age);
        assert!(view.last_frame.is_some_and(|last| last.nanos() < ring.idle.load(Relaxed)));
        until("the interface's own counter", || ring.view().passed_nic >= 3);
        let seen: Vec<Vec<u8>> = ring.end().into_iter().map(|(bytes, _)| bytes).collect();
        assert_eq!(seen, sent);
    });
}

#[test]
fn an_interface_that_is_not_there_yet_is_waited_for() {
    in_namespace(|| {
        let ring = Ring::on("span0");
        until("a word about it", || ring.view().error.is_some_and(|e| e.contains("there is no interface span0")));
        assert_eq!(ring.view().state, LinkState::Waiting);
        cable("far0", "span0");
        ring.stands(LinkState::Capturing);
        Sender::on("far0").send(&numbered(1));
        ring.has(&numbered(1));
        let view = ring.view();
        assert!(view.blind_nanos > 0 && view.reopened == 0 && view.error.is_none(), "{view:?}");
        ring.end();
    });
}

#[test]
fn an_interface_that_goes_down_comes_back() {
    in_namespace(|| {
        cable("far0", "span0");
        let ring = Ring::on("span0");
        ring.stands(LinkState::Capturing);
        Sender::on("far0").send(&numbered(1));
        ring.has(&numbered(1));
        for round in 2..5 {
            let blind = ring.view().blind_nanos;
            let (which, word) = if round == 3 { ("far0", "no carrier") } else { ("span0", "set down") };
            ip(&format!("link set {which} down"));
            ring.stands(LinkState::Down);
            let error = ring.view().error.expect("a reason");
            assert!(error.contains(word), "{error}");
            ip(&format!("link set {which} up"));
            ring.stands(LinkState::Capturing);
            Sender::on("far0").send(&numbered(round));
            ring.has(&numbered(round));
            assert!(ring.view().blind_nanos > blind && ring.view().error.is_none());
        }
        assert_eq!(ring.view().received, 4);
        assert_eq!(ring.end().len(), 4);
    });
}

#[test]
fn an_interface_that_is_deleted_and_made_again_is_opened_again() {
    in_namespace(|| {
        cable("far0", "span0");
        let ring = Ring::on("span0");
        ring.stands(LinkState::Capturing);
        for round in 0..3_u32 {
            Sender::on("far0").send(&numbered(round));
            ring.has(&numbered(round));
            let before = ring.view();
            assert_eq!((before.received, before.reopened), (u64::from(round) + 1, u64::from(round)), "{before:?}");
            ip("link del span0");
            ring.stands(LinkState::Gone);
            let error = ring.view().error.expect("a reason");
            assert!(error.contains("span0") && (error.contains("deleted") || error.contains("there is no")), "{error}");
            cable("far0", "span0");
            ring.stands(LinkState::Capturing);
            assert!(ring.view().blind_nanos > before.blind_nanos);
        }
        ring.end();
    });
}

#[test]
fn a_name_is_followed_not_the_thing_that_had_it() {
    in_namespace(|| {
        cable("far0", "span0");
        let ring = Ring::on("span0");
        ring.stands(LinkState::Capturing);
        ip("link set span0 down");
        ip("link set span0 name old");
        ring.stands(LinkState::Gone);
        until("its new name", || {
            ring.view().error.is_some_and(|e| e.contains("called old now") || e.contains("there is no interface span0"))
        });
        ip("link set old name span0");
        ip("link set span0 up");
        ring.stands(LinkState::Capturing);
        Sender::on("far0").send(&numbered(1));
        ring.has(&numbered(1));
        // Another interface takes the name while the ring looks elsewhere.
        ip("link set span0 down");
        ip("link set span0 name old");
        cable("far1", "span0");
        let mut other = Sender::on("far1");
        until("a frame of the other one", || {
            other.send(&numbered(2));
            ring.any(|bytes| bytes == numbered(2))
        });
        assert_eq!((ring.view().state, ring.view().reopened), (LinkState::Capturing, 2));
        ring.end();
    });
}

#[test]
fn cut_frames_say_how_long_they_were() {
    in_namespace(|| {
        cable("far0", "span0");
        let ring = Ring::start(LiveOptions { snaplen: 96, ..options("span0") });
        ring.stands(LinkState::Capturing);
        let long = frame::ethernet(B, A, &[], 0x88b5, &[9; 1_000]);
        Sender::on("far0").send(&long);
        until("a frame", || ring.count() == 1);
        assert_eq!((ring.view().truncated, ring.view().received_bytes), (1, 1_014));
        assert_eq!(ring.end(), [(long[..96].to_vec(), 1_014)]);
    });
}

#[test]
fn offloaded_frames_larger_than_the_mtu_are_whole() {
    in_namespace(|| {
        let Some(far) = Namespace::new() else { return };
        cable("far0", "span0");
        ip(&format!("link set far0 netns {}", far.0.id()));
        ip("addr add 192.0.2.1/24 dev span0");
        let ring = Ring::on("span0");
        let sending = thread::spawn(move || {
            far.enter();
            ip("link set far0 up");
            ip("addr add 192.0.2.2/24 dev far0");
            let mut stream = None;
            until("a connection", || {
                stream = TcpStream::connect_timeout(&SocketAddr::from(([192, 0, 2, 1], 5_000)), Duration::from_secs(1)).ok();
                stream.is_some()
            });
            stream.expect("just made").write_all(&vec![0x5a; 4 << 20]).expect("a reader");
        });
        let listener = TcpListener::bind("0.0.0.0:5000").expect("a free port");
        let (mut stream, _) = listener.accept().expect("a peer");
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("the data");
        assert_eq!(received.len(), 4 << 20);
        sending.join().expect("the sender does not panic");
        until("a frame beyond the MTU", || ring.view().oversized > 0);
        assert_eq!(ring.view().truncated, 0);
        let largest = ring.end().into_iter().map(|(bytes, wire)| (bytes.len(), wire)).max().expect("frames");
        assert!(largest.0 > 1_522 && largest.0 == largest.1 as usize, "{largest:?}");
    });
}

#[test]
fn the_kernel_keeps_back_what_the_filter_does_not_want() {
    in_namespace(|| {
        cable("far0", "span0");
        let ring = Ring::start(LiveOptions { filter: Filter::Bpf("ether proto 0x88b5 and ether[17] & 1 = 1".into()), ..options("span0") });
        ring.stands(LinkState::Capturing);
        let mut sender = Sender::on("far0");
        (1..=9).for_each(|n| sender.send(&numbered(n)));
        ring.has(&numbered(9));
        until("the interface's own counter", || ring.view().passed_nic >= 9);
        let view = ring.view();
        assert_eq!((view.received, view.dropped_kernel, view.filtered), (5, 0, true));
        ring.end();
        let wrong = Ring::start(LiveOptions { filter: Filter::Bpf("ether prot 7".into()), ..options("span0") });
        wrong.stands(LinkState::Refused);
        let error = wrong.view().error.expect("a reason");
        assert!(error.contains("filter") && error.contains("pcap-filter"), "{error}");
        wrong.end();
    });
}
