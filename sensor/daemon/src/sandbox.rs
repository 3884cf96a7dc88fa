//! The sandbox: what this process may still do once it runs. Landlock says which files, seccomp which system calls.
//!
//! It is entered before any other thread starts, so it holds for all of them. Where the kernel cannot, that is said, loudly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// What the sensor reads beside its own files: interfaces and their counters, itself, time zones and users.
const READ: [&str; 5] = ["/sys/class/net", "/sys/devices", "/proc", "/etc", "/usr"];

/// System calls that a sensor never needs and an intruder does: they fail with EPERM.
const DENIED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
];

/// Enters the sandbox; says what holds. Each part that the kernel refuses is an error line of its own.
pub fn enter(state_dir: &Path, read: &[PathBuf], write: &[PathBuf]) -> Vec<Result<String, String>> {
    vec![files(state_dir, read, write), calls()]
}

fn files(state_dir: &Path, read: &[PathBuf], write: &[PathBuf]) -> Result<String, String> {
    let abi = ABI::V3;
    let confine = || -> Result<RulesetStatus, RulesetError> {
        let mut rules = Ruleset::default().handle_access(AccessFs::from_all(abi))?.create()?;
        let readable = READ.iter().map(PathBuf::from).chain(read.iter().cloned());
        for path in readable {
            if let Ok(fd) = PathFd::new(&path) {
                let access = if path.is_dir() { AccessFs::from_read(abi) } else { AccessFs::ReadFile.into() };
                rules = rules.add_rule(PathBeneath::new(fd, access & !AccessFs::Execute))?;
            }
        }
        for dir in std::iter::once(state_dir).chain(write.iter().map(PathBuf::as_path).filter(|dir| !dir.as_os_str().is_empty())) {
            if let Ok(fd) = PathFd::new(dir) {
                rules = rules.add_rule(PathBeneath::new(fd, AccessFs::from_all(abi) & !AccessFs::Execute))?;
            }
        }
        Ok(rules.restrict_self()?.ruleset)
    };
    match confine() {
        Ok(RulesetStatus::FullyEnforced) => Ok("landlock".into()),
        Ok(RulesetStatus::PartiallyEnforced) => Ok("landlock (in part: an older kernel)".into()),
        Ok(RulesetStatus::NotEnforced) => Err("this kernel has no Landlock: files are not confined (Linux 5.13 or later has it)".into()),
        Err(error) => Err(format!("Landlock was refused: {error}: files are not confined")),
    }
}

fn calls() -> Result<String, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| format!("seccomp: {e}"))?;
    let rules: BTreeMap<i64, Vec<_>> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let deny = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, deny, arch).map_err(|e| format!("seccomp: {e}"))?;
    let program: BpfProgram = filter.try_into().map_err(|e| format!("seccomp: {e}"))?;
    seccompiler::apply_filter(&program).map_err(|e| format!("seccomp was refused: {e}: system calls are not confined"))?;
    Ok("seccomp".into())
}
