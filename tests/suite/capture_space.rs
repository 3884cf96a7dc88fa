//! What tests of live capture stand on: a network namespace of each test's own, cables in it, rings that collect.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringfence::capture::{Link, LinkState, LinkView, Live, LiveOptions, Source, Step};
use ringfence_core::net::Mac;
use ringfence_tests::frame;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const PATIENCE: Duration = Duration::from_secs(20);

/// A network namespace that lives as long as this.
pub struct Namespace(pub Child);

impl Namespace {
    /// A new one; `None` where it is not permitted.
    pub fn new() -> Option<Self> {
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
    pub fn enter(&self) {
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
pub fn in_namespace(test: impl FnOnce() + Send + 'static) {
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

pub fn ip(args: &str) {
    let done = Command::new("ip").args(args.split(' ')).output().expect("iproute2");
    assert!(done.status.success(), "ip {args}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Both ends of a cable, up: frames sent into the first come out of the second.
pub fn cable(sender: &str, receiver: &str) {
    ip(&format!("link add {sender} type veth peer name {receiver}"));
    ip(&format!("link set {sender} up"));
    ip(&format!("link set {receiver} up"));
}

pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A ring on a thread of its own, and what it delivered.
pub struct Ring {
    pub link: Arc<Link>,
    pub stop: Arc<AtomicBool>,
    pub frames: Arc<Mutex<Vec<(Vec<u8>, u32)>>>,
    pub idle: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Ring {
    pub fn start(options: LiveOptions) -> Self {
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

    pub fn on(interface: &str) -> Self {
        Ring::start(options(interface))
    }

    pub fn view(&self) -> LinkView {
        self.link.view()
    }

    pub fn stands(&self, state: LinkState) {
        until(&format!("{state:?}, not {:?}", self.view()), || self.link.state() == state);
    }

    /// Whether there is a frame like that.
    pub fn any(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        self.frames.lock().expect("nobody panicked").iter().any(|(bytes, _)| wanted(bytes))
    }

    /// Waits for a frame that was sent.
    pub fn has(&self, sent: &[u8]) {
        until("a frame", || self.any(|bytes| bytes == sent));
    }

    pub fn count(&self) -> usize {
        self.frames.lock().expect("nobody panicked").len()
    }

    pub fn end(mut self) -> Vec<(Vec<u8>, u32)> {
        self.stop.store(true, Relaxed);
        let asked = Instant::now();
        self.thread.take().map(JoinHandle::join).transpose().expect("the ring does not panic");
        assert!(asked.elapsed() < Duration::from_secs(3), "stopping took {:?}", asked.elapsed());
        std::mem::take(&mut self.frames.lock().expect("nobody panicked"))
    }
}

pub fn options(interface: &str) -> LiveOptions {
    LiveOptions { interface: interface.into(), interface_index: 7, buffer_bytes: 8 << 20, ..LiveOptions::default() }
}

/// Sends frames out of an interface, byte for byte.
pub struct Sender(pcap::Capture<pcap::Active>);

impl Sender {
    pub fn on(interface: &str) -> Self {
        Sender(pcap::Capture::from_device(interface).and_then(|c| c.open()).expect("an interface that is up"))
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.0.sendpacket(frame).expect("it takes frames");
    }
}

pub const A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
pub const B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);

/// An Ethernet frame that a test tells from all others by its number.
pub fn numbered(number: u32) -> Vec<u8> {
    frame::ethernet(B, A, &[], 0x88b5, &number.to_be_bytes())
}
