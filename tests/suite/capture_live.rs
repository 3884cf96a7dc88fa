//! Live capture on real interfaces: veth pairs in a network namespace of each test's own. Says so where that is not permitted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringfence::capture::{Filter, Link, LinkState, LinkView, Live, LiveOptions, Source, Step};
use ringfence_core::net::Mac;
use ringfence_tests::frame;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const PATIENCE: Duration = Duration::from_secs(20);

/// A network namespace that lives as long as this.
struct Namespace(Child);

impl Namespace {
    /// A new one; `None` where it is not permitted.
    fn new() -> Option<Self> {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take()?).read_line(&mut line);
        let space = Namespace(child);
        (said.is_ok() && line == "ready\n").then_some(space)
    }

    /// Moves this thread into it.
    fn enter(&self) {
        let file = File::open(format!("/proc/{}/ns/net", self.0.id())).expect("the namespace");
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(LinkNameSpaceType::Network)).expect("permitted: it was made");
        for which in ["all", "default"] {
            // Its solicitations would stand between the frames of a test. A kernel without IPv6 has no such file.
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a test on a thread of its own in a namespace of its own.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let Some(space) = Namespace::new() else {
        eprintln!("skipped: network namespaces are not permitted here (they take root)");
        return;
    };
    let done = thread::spawn(move || {
        space.enter();
        test();
    });
    if let Err(panic) = done.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(args: &str) {
    let done = Command::new("ip").args(args.split(' ')).output().expect("iproute2");
    assert!(done.status.success(), "ip {args}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Both ends of a cable, up: frames sent into the first come out of the second.
fn cable(sender: &str, receiver: &str) {
    ip(&format!("link add {sender} type veth peer name {receiver}"));
    ip(&format!("link set {sender} up"));
    ip(&format!("link set {receiver} up"));
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A ring on a thread of its own, and what it delivered.
struct Ring {
    link: Arc<Link>,
    stop: Arc<AtomicBool>,
    frames: Arc<Mutex<Vec<(Vec<u8>, u32)>>>,
    idle: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Ring {
    fn start(options: LiveOptions) -> Self {
        let link = Arc::new(Link::new(&options.interface, options.ring));
        let (stop, frames, idle) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let mut live = Live::new(options, link.clone(), stop.clone());
        let (into, idles) = (frames.clone(), idle.clone());
        let read = move || {
            let mut last = Instant::now();
            loop {
                match live.next().expect("a live source does not fail") {
                    Step::Frame(frame) => {
                        assert_eq!((frame.interface, frame.link_type, frame.vlan), (7, 1, None));
                        into.lock().expect("nobody panicked").push((frame.bytes.to_vec(), frame.wire_len));
                    }
                    Step::Idle(now) => idles.store(now.nanos(), Relaxed),
                    Step::End => break,
                }
                // 100 ms are promised; a busy machine may take its time.
                assert!(last.elapsed() < Duration::from_secs(3), "nothing said for {:?}", last.elapsed());
                last = Instant::now();
            }
        };
        Ring { link, stop, frames, idle, thread: Some(thread::spawn(read)) }
    }

    fn on(interface: &str) -> Self {
        Ring::start(options(interface))
    }

    fn view(&self) -> LinkView {
        self.link.view()
    }

    fn stands(&self, state: LinkState) {
        until(&format!("{state:?}, not {:?}", self.view()), || self.link.state() == state);
    }

    /// Waits for a frame that was sent.
    fn has(&self, sent: &[u8]) {
        until("a frame", || self.frames.lock().expect("nobody panicked").iter().any(|(bytes, _)| bytes == sent));
    }

    fn count(&self) -> usize {
        self.frames.lock().expect("nobody panicked").len()
    }

    fn end(mut self) -> Vec<(Vec<u8>, u32)> {
        self.stop.store(true, Relaxed);
        let asked = Instant::now();
        self.thread.take().map(JoinHandle::join).transpose().expect("the ring does not panic");
        assert!(asked.elapsed() < Duration::from_secs(3), "stopping took {:?}", asked.elapsed());
        std::mem::take(&mut self.frames.lock().expect("nobody panicked"))
    }
}

fn options(interface: &str) -> LiveOptions {
    LiveOptions { interface: interface.into(), interface_index: 7, buffer_bytes: 8 << 20, ..LiveOptions::default() }
}

/// Sends frames out of an interface, byte for byte.
struct Sender(pcap::Capture<pcap::Active>);

impl Sender {
    fn on(interface: &str) -> Self {
        Sender(pcap::Capture::from_device(interface).and_then(|c| c.open()).expect("an interface that is up"))
    }

    fn send(&mut self, frame: &[u8]) {
        self.0.sendpacket(frame).expect("it takes frames");
    }
}

const A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
const B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);

/// An Ethernet frame that a test tells from all others by its number.
fn numbered(number: u32) -> Vec<u8> {
    frame::ethernet(B, A, &[], 0x88b5, &number.to_be_bytes())
}

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
            ring.frames.lock().expect("nobody panicked").iter().any(|(bytes, _)| *bytes == numbered(2))
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
