//! What an earlier server left behind.
//!
//! In: the folders and the log. Out: no server runs in them, and no file of a dead one keeps the next from
//! starting. The caller holds the owner lock: whatever still runs here has lost its owner.
//!
//! Two signs of life are needed. Every process of a server has its log open, and with it the log's lock: that
//! covers sessions that outlive a killed postmaster, and `initdb`. The lock files name a postmaster that
//! somebody started by hand, with a log elsewhere.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::error::{StartError, io_at};
use crate::layout::Layout;

/// On Linux the kernel has told an abandoned server to stop; elsewhere nobody has, so that waiting is useless.
const ENDS_ALONE_WITHIN: Duration = Duration::from_secs(if cfg!(target_os = "linux") { 30 } else { 1 });
const FAST_STOP_WITHIN: Duration = Duration::from_secs(15);
const QUIT_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// What `postmaster.pid` and `.s.PGSQL.5432.lock` have in common.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LockFile {
    pub(crate) pid: u32,
    pub(crate) data: PathBuf,
    /// Only `postmaster.pid` says so, on its eighth line.
    pub(crate) ready: bool,
}

/// Waits for an earlier server to end, asks it to if it does not, and removes what it left. On return this
/// process holds the log's lock.
pub(crate) fn retire(layout: &Layout, log: &File) -> Result<(), StartError> {
    let steps =
        [(None, ENDS_ALONE_WITHIN), (Some(Signal::INT), FAST_STOP_WITHIN), (Some(Signal::QUIT), QUIT_WITHIN)];
    for (signal, patience) in steps {
        if let (Some(signal), Some(pid)) = (signal, postmaster(layout)) {
            tracing::warn!(postgres.pid = pid, ?signal, "stopping a Postgres that lost its owner");
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
                && let Err(error) = rustix::process::kill_process(pid, signal)
            {
                // It may just have ended, which is what we want; the loop below will tell.
                tracing::debug!(%error, "could not signal it");
            }
        }
        let deadline = Instant::now() + patience;
        loop {
            if postmaster(layout).is_none() && locked(layout, log)? {
                return remove_leftovers(layout);
            }
            if Instant::now() > deadline {
                break;
            }
            std::thread::sleep(POLL);
        }
    }
    Err(StartError::StillRunning { pid: postmaster(layout), data: layout.data.clone() })
}

/// Reads one of the two lock files; `None` when it is absent or only half written.
pub(crate) fn read_lock_file(path: &Path) -> Option<LockFile> {
    parse_lock_file(&std::fs::read_to_string(path).ok()?)
}

fn parse_lock_file(text: &str) -> Option<LockFile> {
    let mut lines = text.lines();
    // A standalone backend writes its pid with a minus sign.
    let pid = lines.next()?.trim().trim_start_matches('-').parse().ok()?;
    let data = PathBuf::from(lines.next()?);
    let ready = lines.nth(5).is_some_and(|status| status.trim() == "ready");
    Some(LockFile { pid, data, ready })
}

/// The living postmaster that a lock file names, if there is one.
fn postmaster(layout: &Layout) -> Option<u32> {
    [layout.pid_file(), layout.socket_lock_file()]
        .iter()
        .filter_map(|path| read_lock_file(path))
        .find(|lock| serves(lock.pid, &lock.data))
        .map(|lock| lock.pid)
}

fn locked(layout: &Layout, log: &File) -> Result<bool, StartError> {
    match log.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(io_at("lock", &layout.log_file())(error)),
    }
}

/// Postgres would refuse to start for any process with the number in these files, even for a dead one that its
/// parent has not collected, or for an unrelated process.
fn remove_leftovers(layout: &Layout) -> Result<(), StartError> {
    for path in [layout.pid_file(), layout.socket_lock_file(), layout.socket_file()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_at("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether this process is alive and a server of this data folder. A number alone proves nothing: it may have
/// been given to another process since.
fn serves(pid: u32, data: &Path) -> bool {
    if Path::new("/proc/self/stat").exists() { serves_by_proc(pid, data) } else { serves_by_ps(pid, data) }
}

fn serves_by_proc(pid: u32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let Ok(stat) = std::fs::read_to_string(process.join("stat")) else { return false };
    // The state follows the name, which stands in brackets and may itself contain some.
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    if matches!(state, None | Some('Z' | 'X')) {
        return false;
    }
    // A server works in its data folder, but in a container even root may be refused this link.
    let works_in = std::fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == data);
    let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let mut words = arguments.split(|&byte| byte == 0);
    let is_postgres = words
        .next()
        .and_then(|program| Path::new(std::ffi::OsStr::from_bytes(program)).file_name())
        .is_some_and(|name| name == "postgres" || name == "postmaster");
    is_postgres && (works_in || words.any(|word| word == data.as_os_str().as_bytes()))
}

fn serves_by_ps(pid: u32, data: &Path) -> bool {
    let output = Command::new("ps").args(["-ww", "-o", "stat=,command=", "-p", &pid.to_string()]).output();
    let Ok(output) = output else { return true };
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !text.is_empty()
        && !text.starts_with('Z')
        && text.contains("postgres")
        && text.contains(&*data.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_is_read_at_every_stage() {
        let starting = "4711\n/srv/data\n1700000000\n5432\n/srv/socket\n\n  5432001         3\nstarting\n";
        let ready = starting.replace("starting", "ready   ");
        let lock = |ready| Some(LockFile { pid: 4711, data: PathBuf::from("/srv/data"), ready });
        assert_eq!(parse_lock_file(starting), lock(false));
        assert_eq!(parse_lock_file(&ready), lock(true));
        assert_eq!(parse_lock_file("4711\n/srv/data\n"), lock(false));
        assert_eq!(parse_lock_file(""), None);
        assert_eq!(parse_lock_file("4711"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unrelated_process_and_a_dead_one_serve_nothing() {
        let me = std::process::id();
        let here = std::env::current_dir().unwrap();
        // Not every Linux has `ps`; there nobody asks it, either.
        let has_ps = Command::new("ps").output().is_ok();
        let serves_by_ps = |pid| has_ps && serves_by_ps(pid, &here);
        assert!(!serves_by_proc(me, &here), "works in the folder, but is no postgres");
        assert!(!serves_by_ps(me));

        let mut dead = Command::new("true").spawn().unwrap();
        // Not collected yet: a zombie, or about to become one.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !std::fs::read_to_string(format!("/proc/{}/stat", dead.id())).unwrap().contains(") Z") {
            assert!(Instant::now() < deadline);
            std::thread::sleep(POLL);
        }
        assert!(!serves_by_proc(dead.id(), &here));
        assert!(!serves_by_ps(dead.id()));
        dead.wait().unwrap();
        assert!(!serves_by_proc(dead.id(), &here));
        assert!(!serves_by_ps(dead.id()));
    }
}
