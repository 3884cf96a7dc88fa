//! The running daemon, as a table of contents: open, confine, start, wait, drain.

use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringfence_core::correlate::Correlator;
use ringfence_core::identity::Identity;
use ringfence_core::worker::Worker;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::audit::Patrol;
use crate::capture::live::{Filter, Link, LinkState, Live, LiveOptions};
use crate::cli::Exit;
use crate::config::Service;
use crate::deliver::Desk;
use crate::http::{self, Context, Server};
use crate::hub::{Command, Hub, Parts, QUEUE_BATCHES, Remote, RingHandle};
use crate::keys::{self, KeyError};
use crate::lock::StateLock;
use crate::metrics::Metrics;
use crate::notify::{self, Watchdog};
use crate::privilege;
use crate::pseudonym::Pseudonyms;
use crate::reload::{self, Loaded};
use crate::ring::{self, Batch, Orders, Published};
use crate::sandbox;
use crate::state::State;
use crate::store::{self, Store};

/// A ring says how it stands within this time: buffers are allocated meanwhile.
const OPENED: Duration = Duration::from_secs(10);

/// How long far ends may take for what waits when the sensor ends; the rest goes out after the next start.
const LAST_EVENTS: Duration = Duration::from_secs(3);

/// A ring that has taken no step for so long is stuck.
const STUCK: Duration = Duration::from_secs(10);

/// Why the daemon did not start.
#[derive(Debug)]
pub struct StartError {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl StartError {
    fn new(exit: Exit, message: impl fmt::Display, help: impl Into<String>) -> Self {
        StartError { exit, message: message.to_string(), help: help.into() }
    }
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// [`StartError`] when it cannot start; once it runs it goes on.
pub fn run(loaded: Loaded) -> Result<(), StartError> {
    let service = loaded.config.service.clone();
    check(&service)?;
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(|e| StartError::new(Exit::Unavailable, e, "see the system's log"))?;
    // Opened first: what needs more rights than the sensor keeps.
    prepare(&service.state.dir)?;
    let _lock = alone(&service.state.dir)?;
    let server = service
        .http
        .listen
        .map(|_| Server::bind(&service.http))
        .transpose()
        .map_err(|e| StartError::new(Exit::Unavailable, e, "see [http]"))?;
    confine(&loaded, &service)?;
    // From here on threads.
    let key = site_key(&service.state.dir)?;
    let store = Store::open(&service.state.dir).map_err(|e| StartError::new(Exit::Unavailable, &e.message, e.help))?;
    let (patrol, key_of_log) = (Patrol::default(), store.key());
    let desk = Desk::new(&service.state.dir, Pseudonyms::keyed(key), store.demand())
        .map_err(|e| StartError::new(Exit::Unavailable, e, "raise the limit of tasks"))?;
    let desk = Arc::new(desk);
    let correlator = correlator(&loaded);
    let (orders, state) = (Arc::new(Orders::new(Arc::clone(&loaded.set), correlator.grain())), Arc::new(State::default()));
    let (sender, evidence) = sync_channel(QUEUE_BATCHES);
    let (commander, commands) = channel();
    let remote = Remote::new(commander);
    let rings = start_rings(&service, &loaded, &orders, salt_of(&key), &sender)?;
    drop(sender);
    let handles: Vec<RingHandle> = rings.iter().map(|(handle, _)| handle.clone()).collect();
    let parts = Parts {
        correlator,
        store,
        state: Arc::clone(&state),
        orders: Arc::clone(&orders),
        rings: handles.clone(),
        names: names(&service.state.dir, &key)?,
        desk: Arc::clone(&desk),
        loaded: loaded.clone(),
        patrol: patrol.clone(),
    };
    let hub = Hub::new(parts).map_err(|e| StartError::new(Exit::Unavailable, &e.message, e.help))?;
    let watched = handles.clone();
    let hub = spawn("hub", move || run_hub(hub, &evidence, &commands, &handles))?;
    let http = server.map(|server| serve(server, &service, (&state, &desk), &remote, &key, &orders.stop));
    let files = reload::watch_files(loaded.paths.clone(), loaded.config.files.clone(), Arc::clone(&orders.stop), remote.clone());
    let rounds = patrol.start(service.state.dir.join(store::FILE), key_of_log, Arc::clone(&orders.stop));
    let watching = watching(&watched);
    notify::ready(&watching);
    eprintln!("ringfence: {watching}");
    wait(signals, &remote);
    drain(&service, &orders, rings, hub);
    desk.end(LAST_EVENTS);
    if let Some(http) = http {
        http.join(Duration::from_secs(2));
    }
    for thread in [files, rounds].into_iter().flatten() {
        thread.thread().unpark();
        let _ = thread.join();
    }
    Ok(())
}

fn check(service: &Service) -> Result<(), StartError> {
    if service.capture.interfaces.is_empty() {
        let help = "set `interfaces` in [capture], or give -i; `ip -br link` lists them";
        return Err(StartError::new(Exit::Config, "there is no interface to listen on", help));
    }
    Ok(())
}

/// The state directory, made for its owner alone, as is every file that will be made in it.
fn prepare(dir: &Path) -> Result<(), StartError> {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let refuse = |error| {
        StartError::new(
            Exit::Permission,
            format!("{}: {error}", dir.display()),
            "make it, writable for the sensor's user, or set [state] dir",
        )
    };
    if !dir.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(refuse)?;
    }
    Ok(())
}

fn confine(loaded: &Loaded, service: &Service) -> Result<(), StartError> {
    let dir = &service.state.dir;
    let who = privilege::drop_to(&service.state.user, dir).map_err(|e| StartError::new(Exit::Permission, &e.message, e.help.clone()))?;
    eprintln!("ringfence: running as {who}");
    if !service.state.sandbox {
        eprintln!("ringfence: no sandbox, as [state] sandbox = false");
        return Ok(());
    }
    let folder = loaded.paths.config.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut readable = vec![folder.to_path_buf()];
    readable.extend(loaded.paths.rules_dir());
    readable.extend(loaded.config.files.iter().filter_map(|f| Path::new(f).parent()).map(Path::to_path_buf));
    readable.extend(service.http.token_file.iter().cloned());
    readable.extend(service.http.operators.iter().map(|o| o.token_file.clone()));
    readable.extend(service.outputs.iter().flat_map(|o| o.files().cloned().collect::<Vec<_>>()));
    let writable: Vec<PathBuf> = service.outputs.iter().filter_map(|o| o.path.parent()).map(Path::to_path_buf).collect();
    for part in sandbox::enter(dir, &readable, &writable) {
        match part {
            Ok(what) => eprintln!("ringfence: sandbox: {what}"),
            Err(problem) => eprintln!("ringfence: WARNING: sandbox: {problem}"),
        }
    }
    Ok(())
}

/// The site key: pseudonyms and the hashes of installations are made with it. It is made at the first start.
fn site_key(dir: &Path) -> Result<[u8; 32], StartError> {
    keys::open(dir, keys::SITE).map_err(|e| StartError::new(Exit::Permission, e, KeyError::HELP))
}

/// What devices are called, now and formerly.
fn names(dir: &Path, key: &[u8; 32]) -> Result<Vec<Pseudonyms>, StartError> {
    let former = keys::former(dir).map_err(|e| StartError::new(Exit::Permission, e, KeyError::HELP))?;
    Ok(std::iter::once(*key).chain(former.into_values().rev()).map(Pseudonyms::keyed).collect())
}

/// The state directory for this process alone.
fn alone(dir: &Path) -> Result<StateLock, StartError> {
    let name = dir.display();
    let taken = || StartError::new(Exit::Unavailable, format!("{name}: another process works on it"), "is a second sensor running on it?");
    let lock = StateLock::take(dir).map_err(|e| StartError::new(Exit::Permission, format!("{name}: {e}"), "set [state] dir"))?;
    lock.ok_or_else(taken)
}

/// Keys the hashes of installations.
fn salt_of(key: &[u8; 32]) -> u64 {
    key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

type RingThread = (RingHandle, JoinHandle<()>);

fn start_rings(
    service: &Service,
    loaded: &Loaded,
    orders: &Arc<Orders>,
    salt: u64,
    hub: &SyncSender<Batch>,
) -> Result<Vec<RingThread>, StartError> {
    let capture = &service.capture;
    let all = capture.interfaces.iter().enumerate().flat_map(|(at, name)| (0..capture.rings).map(move |ring| (at, name, ring)));
    all.enumerate()
        .map(|(index, (at, name, ring))| {
            let handle = RingHandle { link: Arc::new(Link::new(name, ring)), published: Arc::new(Published::default()) };
            let options = LiveOptions {
                interface: name.clone(),
                interface_index: u16::try_from(at).unwrap_or(u16::MAX),
                rings: capture.rings,
                ring,
                buffer_bytes: capture.buffer_bytes,
                snaplen: capture.snaplen_bytes,
                promiscuous: capture.promiscuous,
                immediate: false,
                filter: filter(&capture.filter),
                fanout_group: fanout_group(at),
            };
            let worker = Worker::new(u16::try_from(index).unwrap_or(u16::MAX), Arc::clone(&loaded.set), salt);
            let mut source = Live::new(options, Arc::clone(&handle.link), Arc::clone(&orders.stop));
            let (orders, published, hub) = (Arc::clone(orders), Arc::clone(&handle.published), hub.clone());
            let thread = spawn(&format!("ring-{index}"), move || {
                for error in ring::live(&mut source, worker, &orders, &published, &hub) {
                    eprintln!("ringfence: {error}");
                }
            })?;
            Ok((handle, thread))
        })
        .collect()
}

fn filter(text: &str) -> Filter {
    match text {
        "all" | "" => Filter::All,
        "handshakes" => Filter::Handshakes,
        other => Filter::Bpf(other.to_string()),
    }
}

/// Sensors on one machine must not share a group: the process number tells them apart.
fn fanout_group(interface: usize) -> u16 {
    let mixed = std::process::id().wrapping_mul(31).wrapping_add(u32::try_from(interface).unwrap_or(0));
    (mixed & 0xffff) as u16
}

fn correlator(loaded: &Loaded) -> Correlator {
    let identity = Identity::new(loaded.config.register());
    let interfaces = loaded.config.service.capture.interfaces.clone();
    Correlator::new(Arc::clone(&loaded.set), loaded.config.policy.clone(), identity, interfaces)
}

/// Waits until every ring has opened its interface or said why it cannot, and tells it: ready means that frames are taken.
fn watching(rings: &[RingHandle]) -> String {
    let deadline = Instant::now() + OPENED;
    let stands = |ring: &RingHandle| {
        let view = ring.link.view();
        view.state != LinkState::Waiting || view.error.is_some()
    };
    while !rings.iter().all(stands) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    let views = rings.iter().map(|ring| ring.link.view()).filter(|view| view.ring == 0);
    let (open, closed): (Vec<_>, Vec<_>) = views.partition(|view| view.state == LinkState::Capturing);
    let closed = closed.into_iter().map(|view| view.error.unwrap_or_else(|| format!("{} does not open", view.interface)));
    let open = open.into_iter().map(|view| view.interface).collect::<Vec<_>>().join(", ");
    let open = if open.is_empty() { "blind: no interface is captured from".to_string() } else { format!("watching {open}") };
    std::iter::once(open).chain(closed).collect::<Vec<_>>().join("; ")
}

fn run_hub(hub: Hub, evidence: &Receiver<Batch>, commands: &Receiver<Command>, rings: &[RingHandle]) {
    let mut watchdog = Watchdog::from_environment();
    hub.run(evidence, commands, &mut || watchdog.beat(|| rings.iter().all(in_step)));
}

/// Whether a ring takes steps: one that waits for an interface does.
fn in_step(ring: &RingHandle) -> bool {
    ring.published.view().beat.is_some_and(|beat| beat.elapsed() < STUCK)
}

fn serve(
    server: Server,
    service: &Service,
    (state, desk): (&Arc<State>, &Desk),
    remote: &Remote,
    key: &[u8; 32],
    stop: &Arc<AtomicBool>,
) -> http::Handle {
    let scheme = if service.http.tls_key.is_some() { "https" } else { "http" };
    eprintln!("ringfence: listening on {scheme}://{}", server.local_addr());
    let pseudonyms = if service.http.identities { Pseudonyms::plain() } else { Pseudonyms::keyed(*key) };
    let group_min = service.privacy.aggregate_only.then_some(service.privacy.group_min);
    let context = Context {
        state: Arc::clone(state),
        control: Arc::new(remote.clone()),
        metrics: Metrics::new(pseudonyms.clone(), group_min).with_outputs(desk.board()),
        pseudonyms,
        group_min,
    };
    server.spawn(context, Arc::clone(stop))
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, StartError> {
    let started = thread::Builder::new().name(name.to_string()).spawn(work);
    started.map_err(|e| StartError::new(Exit::Unavailable, format!("thread {name}: {e}"), "raise the limit of tasks"))
}

/// Waits for the signal to end; passes on the signal to reload.
fn wait(mut signals: Signals, remote: &Remote) {
    for signal in &mut signals {
        if signal != SIGHUP {
            break;
        }
        remote.request_reload("SIGHUP");
    }
}

/// Stops the rings, waits until the hub has taken and written everything, within the stated time.
fn drain(service: &Service, orders: &Orders, rings: Vec<RingThread>, hub: JoinHandle<()>) {
    notify::stopping();
    eprintln!("ringfence: ending, at most {} seconds", service.state.drain.as_secs());
    orders.stop.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + service.state.drain;
    let threads: Vec<JoinHandle<()>> = rings.into_iter().map(|(_, thread)| thread).chain([hub]).collect();
    for thread in threads {
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                eprintln!("ringfence: not everything was written in time");
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = thread.join();
    }
    eprintln!("ringfence: ended; everything that was taken is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_takes_no_step_stops_the_beat() {
        let ring = RingHandle { link: Arc::new(Link::new("span0", 0)), published: Arc::default() };
        assert!(!in_step(&ring), "it has never taken one");
        ring.published.step(Instant::now());
        assert!(in_step(&ring));
        ring.published.step(Instant::now().checked_sub(STUCK * 2).expect("this machine runs for longer"));
        assert!(!in_step(&ring));
    }
}
