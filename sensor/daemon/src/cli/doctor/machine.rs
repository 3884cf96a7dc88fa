//! Checks of the machine: privileges, kernel, clock, disk, memory, cores.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::fs::{Access as Wanted, access, statvfs};
use rustix::thread::{CapabilitySet, capabilities};

use super::{Level, Seen, Setting};
use crate::capture::live::probe;

const MIB: u64 = 1 << 20;

/// Free space below which the state folder is too small, and below which it soon will be: a busy year of findings takes some 100 MiB.
const DISK: (u64, u64) = (256 * MIB, 1_024 * MIB);

/// Memory for everything beside the kernel's buffers: rules, flows, findings, the store.
const WORKING_BYTES: u64 = 512 * MIB;

/// How wrong a disciplined clock may be, in microseconds.
const CLOCK_ERROR_MAX: i64 = 500_000;

pub fn privileges(_: &Setting) -> Seen {
    match capabilities(None) {
        Ok(sets) if sets.effective.contains(CapabilitySet::NET_RAW) => (Level::Ok, "CAP_NET_RAW is there".into()),
        Ok(_) => (Level::Fail, "CAP_NET_RAW is missing: nothing can be captured".into()),
        Err(error) => (Level::Warn, format!("the kernel does not say which there are: {error}")),
    }
}

/// What a failed probe says: without the privilege it says nothing about the kernel.
fn unless_forbidden(level: Level, error: &io::Error, what: &str) -> Seen {
    match error.kind() {
        io::ErrorKind::PermissionDenied => (Level::Warn, format!("cannot be tried without CAP_NET_RAW ({error})")),
        _ => (level, format!("{what}: {error}")),
    }
}

pub fn ring(_: &Setting) -> Seen {
    match probe::ring() {
        Ok(()) => (Level::Ok, "the kernel has TPACKET_V3".into()),
        Err(error) => unless_forbidden(Level::Fail, &error, "the kernel has no TPACKET_V3"),
    }
}

pub fn fanout(setting: &Setting) -> Seen {
    if probe::ring().is_err() {
        return (Level::Warn, "cannot be tried without capture rings".into());
    }
    match probe::fanout() {
        Ok(()) => (Level::Ok, "rings can share the frames of an interface".into()),
        Err(why) if setting.capture.rings > 1 => (Level::Fail, why),
        Err(why) => (Level::Warn, why),
    }
}

pub fn landlock(_: &Setting) -> Seen {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(ABI::V1));
    match ruleset.and_then(Ruleset::create) {
        Ok(_) => (Level::Ok, "the kernel can confine file access".into()),
        Err(error) => (Level::Warn, format!("the kernel does not offer it: {error}")),
    }
}

pub fn seccomp(_: &Setting) -> Seen {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match status.lines().any(|line| line.starts_with("Seccomp_filters:") || line.starts_with("Seccomp:")) {
        true => (Level::Ok, "the kernel can confine system calls".into()),
        false => (Level::Warn, "the kernel does not offer it".into()),
    }
}

pub fn clock(_: &Setting) -> Seen {
    match probe::clock_discipline() {
        Ok((true, error)) if error <= CLOCK_ERROR_MAX => (Level::Ok, format!("disciplined, wrong by {} ms at most", error / 1_000)),
        Ok((true, error)) => (Level::Warn, format!("disciplined, but it may be wrong by {} ms", error / 1_000)),
        Ok((false, _)) => (Level::Warn, "nothing keeps it: it drifts".into()),
        Err(error) => (Level::Warn, format!("the kernel does not say how it is kept: {error}")),
    }
}

pub fn disk(setting: &Setting) -> Seen {
    let dir = &setting.state.dir;
    let (there, missing) = match dir.ancestors().find(|d| d.is_dir()) {
        Some(there) => (there, there != dir.as_path()),
        None => (Path::new("."), true),
    };
    let free = match statvfs(there) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => return (Level::Fail, format!("{}: {error}", there.display())),
    };
    let writable = access(there, Wanted::WRITE_OK).is_ok();
    let state = match (missing, writable) {
        (true, _) => ", the folder is made at the first start",
        (false, true) => "",
        (false, false) => ", this user cannot write there",
    };
    let level = match free {
        _ if !missing && !writable => Level::Warn,
        f if f < DISK.0 => Level::Fail,
        f if f < DISK.1 => Level::Warn,
        _ => Level::Ok,
    };
    (level, format!("{}: {} MiB free{state}", dir.display(), free / MIB))
}

/// How many rings there will be; one where no interface is named yet.
fn rings(setting: &Setting) -> u64 {
    setting.capture.interfaces.len().max(1) as u64 * u64::from(setting.capture.rings.max(1))
}

pub fn memory(setting: &Setting) -> Seen {
    let rings = rings(setting);
    let wanted = rings.saturating_mul(setting.capture.buffer_bytes as u64).saturating_add(WORKING_BYTES);
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let Some(available) = available.map(|kib| kib * 1_024) else { return (Level::Warn, "/proc/meminfo does not say".into()) };
    let detail = format!("{} MiB available; {rings} kernel buffers and the sensor take up to {} MiB", available / MIB, wanted / MIB);
    match available {
        a if a < wanted => (Level::Fail, detail),
        a if a < wanted.saturating_mul(2) => (Level::Warn, detail),
        _ => (Level::Ok, detail),
    }
}

pub fn cores(setting: &Setting) -> Seen {
    let (rings, cores) = (rings(setting), thread::available_parallelism().map_or(1, |n| n.get() as u64));
    let detail = format!("{cores} cores for {rings} ring threads and the rest");
    (if rings > cores { Level::Warn } else { Level::Ok }, detail)
}
