//! Giving up what is not needed: from root to the sensor's own user with the one capability that capture needs, before any thread
//! starts.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{Gid, Uid, User, chown, setgroups, setresgid, setresuid};

/// What stays: raw sockets. Promiscuous mode is asked for through the socket and needs nothing more (packet(7)); an interface that
/// comes back is opened again with it.
const KEPT: [Capability; 1] = [Capability::CAP_NET_RAW];

/// Why privileges could not be dropped.
#[derive(Debug)]
pub struct PrivilegeError {
    /// What failed.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.help)
    }
}

impl std::error::Error for PrivilegeError {}

fn failed(what: &str, error: impl fmt::Display) -> PrivilegeError {
    PrivilegeError { message: format!("{what}: {error}"), help: "start it as root or by systemd, or set `[state] user = \"\"`".into() }
}

/// Becomes `user` where this process is root, and gives up every capability but the kept ones, for good. The state directory is given
/// to that user. Who is not root keeps what it has, less what is not needed.
///
/// # Errors
/// [`PrivilegeError`] when the user does not exist, or the kernel refuses.
pub fn drop_to(user: &str, state_dir: &Path) -> Result<String, PrivilegeError> {
    if !user.is_empty() && Uid::effective().is_root() {
        become_user(user, state_dir)?;
    }
    let kept: CapsHashSet = KEPT.into_iter().filter(|cap| caps::has_cap(None, CapSet::Permitted, *cap).unwrap_or(false)).collect();
    let stays_root = Uid::effective().is_root();
    if stays_root {
        return Ok("root, as [state] user is empty".into());
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(|e| failed("capabilities", e))?;
    }
    caps::clear(None, CapSet::Inheritable).map_err(|e| failed("capabilities", e))?;
    let name = User::from_uid(Uid::effective()).ok().flatten().map_or_else(|| Uid::effective().to_string(), |u| u.name);
    let with = if kept.is_empty() { "no capability".to_string() } else { "CAP_NET_RAW".to_string() };
    Ok(format!("user {name} with {with}"))
}

fn become_user(name: &str, state_dir: &Path) -> Result<(), PrivilegeError> {
    let user = User::from_name(name).map_err(|e| failed("users", e))?.ok_or_else(|| PrivilegeError {
        message: format!("there is no user `{name}`"),
        help: format!("useradd --system --no-create-home --shell /usr/sbin/nologin {name}, or set `[state] user = \"\"`"),
    })?;
    own(state_dir, user.uid, user.gid).map_err(|e| failed(&state_dir.display().to_string(), e))?;
    nix::sys::prctl::set_keepcaps(true).map_err(|e| failed("keeping capabilities", e))?;
    setgroups(&[user.gid]).map_err(|e| failed("groups", e))?;
    setresgid(user.gid, user.gid, user.gid).map_err(|e| failed("group", e))?;
    setresuid(user.uid, user.uid, user.uid).map_err(|e| failed("user", e))?;
    Ok(())
}

/// A tool that root started becomes whom a directory belongs to, so that the sensor can use what it leaves there.
///
/// # Errors
/// [`PrivilegeError`] when the directory is not there, or the kernel refuses.
pub fn become_owner(dir: &Path) -> Result<(), PrivilegeError> {
    let name = dir.display().to_string();
    let about = std::fs::metadata(dir).map_err(|e| PrivilegeError {
        message: format!("{name}: {e}"),
        help: "name the state directory, as root or as the sensor's user".into(),
    })?;
    let (uid, gid) = (Uid::from_raw(about.uid()), Gid::from_raw(about.gid()));
    if !Uid::effective().is_root() || uid.is_root() {
        return Ok(());
    }
    setgroups(&[gid]).map_err(|e| failed("groups", e))?;
    setresgid(gid, gid, gid).map_err(|e| failed("group", e))?;
    setresuid(uid, uid, uid).map_err(|e| failed("user", e))
}

/// Gives the directory and the sensor's own files in it to a user.
fn own(dir: &Path, uid: Uid, gid: Gid) -> std::io::Result<()> {
    chown(dir, Some(uid), Some(gid))?;
    for entry in std::fs::read_dir(dir)?.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_file())) {
        chown(&entry.path(), Some(uid), Some(gid))?;
    }
    Ok(())
}
