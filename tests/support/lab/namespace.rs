//! Network namespaces that exist as long as somebody holds their file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace; the kernel removes it, and all links in it, with the last copy and the last process inside.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
}

impl Namespace {
    /// A new one: loopback is up, IPv6 is off so that nobody talks unasked.
    ///
    /// # Errors
    /// When the kernel does not permit it.
    pub fn new() -> io::Result<Self> {
        let opened = thread::spawn(|| -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let file = opened.join().map_err(|_| io::Error::other("the thread that makes a namespace died"))??;
        let namespace = Namespace { file: Arc::new(file) };
        namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1")?;
        namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        namespace.ip(&["link set lo up"])?;
        Ok(namespace)
    }

    /// A path that leads into it while this process lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Does something inside: sockets that are opened there belong there for ever.
    ///
    /// # Panics
    /// When the kernel refuses to enter, or `work` panics.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&*self.file, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
            work()
        };
        thread::scope(|s| s.spawn(inside).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The same in a thread of its own.
    ///
    /// # Panics
    /// In the thread, when the kernel refuses to enter.
    pub fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        let file = Arc::clone(&self.file);
        thread::spawn(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
            work()
        })
    }

    /// A program that will run inside, and that dies with the thread that starts it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).args(["setpriv", "--pdeathsig", "KILL", "--"]).arg(program);
        command.env("PATH", std::env::join_paths(folders()).unwrap_or_default());
        command
    }

    /// Lines for `ip`, all or an error.
    ///
    /// # Errors
    /// When `ip` is not there or a line fails.
    pub fn ip(&self, lines: &[impl AsRef<str>]) -> io::Result<()> {
        let mut command = self.command("ip");
        let mut child = command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let text: String = lines.iter().map(|l| format!("{}\n", l.as_ref())).collect();
        child.stdin.take().ok_or_else(|| io::Error::other("no way to ip"))?.write_all(text.as_bytes())?;
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("ip: {} in {text}", String::from_utf8_lossy(&output.stderr))))
    }

    /// Sets `/proc/sys/KEY`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sysctl(&self, key: &str, value: &str) -> io::Result<()> {
        self.run(|| std::fs::write(format!("/proc/sys/{key}"), value))
    }
}

/// Programs that the lab is made of, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("dnsmasq", "dnsmasq-base"),
    ("udhcpc", "udhcpc"),
    ("openssl", "openssl"),
    ("curl", "curl"),
];

/// Whether this machine lets tests build networks; when not, the reason is said once for each caller.
pub fn permitted() -> bool {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let reason = REASON.get_or_init(|| {
        if let Some((_, package)) = PROGRAMS.iter().find(|(program, _)| !there(program)) {
            return Some(format!("the package {package} is not installed"));
        }
        let tried = Namespace::new().and_then(|n| n.ip(&["link add br0 type bridge", "link add probe0 type veth peer name probe1"]));
        tried.err().map(|e| format!("network namespaces are not permitted here ({e})"))
    });
    if let Some(reason) = reason {
        eprintln!("skipped: {reason}");
    }
    reason.is_none()
}

fn there(program: &str) -> bool {
    folders().iter().any(|dir| dir.join(program).is_file())
}

/// Where programs are; some shells leave out those of administrators.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(Into::into)).collect()
}
