//! Processes and folders that a test may break.
//!
//! In: a folder. Out: an owner to kill, and questions about processes. What a test leaves is ended and removed.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use embedded_postgres::{Durability, Options, StartError};
use rustix::process::{Pid, Signal};
use shared::config::Env;

use crate::cluster::give_up;

pub(crate) const NEXROLE: &str = env!("CARGO_BIN_EXE_nexrole");
/// Far above what is ever needed, for busy machines.
const SOON: Duration = Duration::from_secs(60);

/// The server binaries for all tests; `None` leaves the search to the product. On a machine without any, the
/// product would fetch them into the folder of each test: here it does so once per user.
pub(crate) fn bin_dir() -> Option<&'static Path> {
    static BIN_DIR: OnceLock<Option<PathBuf>> = OnceLock::new();
    BIN_DIR.get_or_init(find_bin_dir).as_deref()
}

fn find_bin_dir() -> Option<PathBuf> {
    let env = Env::from_process();
    if let Some(given) = env.get("PG_BIN") {
        return Some(given.into());
    }
    let path = env.get("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).any(|folder| folder.join("postgres").exists());
    let packaged = fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| versions.next().is_some());
    if on_path || packaged {
        return None;
    }
    let who = rustix::process::getuid().as_raw();
    let options = Options {
        folder: std::env::temp_dir().join(format!("nexrole-test-{who}-fetched")),
        durability: Durability::Ephemeral,
        launcher: PathBuf::from(NEXROLE),
        search_path: Some(path.into()),
        bin_dir: None,
    };
    let deadline = Instant::now() + SOON;
    let cluster = loop {
        match embedded_postgres::start(&options) {
            // Another run of the tests is doing the same.
            Err(StartError::InUse { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(missing @ (StartError::NoBinaries { .. } | StartError::NotFetched { .. })) => {
                give_up(&missing)
            }
            started => break started.unwrap(),
        }
    };
    let program = fs::read_link(format!("/proc/{}/exe", cluster.pid())).unwrap();
    program.parent().map(Path::to_owned)
}

/// Whether we are root. If not, says so where the test's output is not captured.
pub(crate) fn is_root_or_skipped(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        // Not by `println!`, which a passing test keeps to itself.
        let mut out = std::io::stdout().lock();
        writeln!(out, "SKIPPED, because it has to become other users: {test}").unwrap();
    }
    is_root
}

/// A folder of its own for one test, removed at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        Self::in_folder(&std::env::temp_dir(), name)
    }

    pub(crate) fn in_folder(parent: &Path, name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("nexrole-it-{}-{count}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        // The server says its folder's real name.
        Self(path.canonicalize().unwrap())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{}: {removed:?}", self.0.display());
    }
}

/// `nexrole postgres-hold` in a process of its own, which can be killed.
pub(crate) struct Owner {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) server: u32,
}

impl Owner {
    pub(crate) fn hold(folder: &Path) -> Self {
        Self::await_ready(Self::spawn(folder))
    }

    pub(crate) fn spawn(folder: &Path) -> Child {
        Self::command(folder, &fs::File::open(NEXROLE).unwrap()).spawn().unwrap()
    }

    /// Through an open file, because an ordinary user may not be able to enter the build folder. The file must
    /// stay open until the command is spawned.
    pub(crate) fn command(folder: &Path, executable: &fs::File) -> Command {
        let mut command = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()));
        command.arg("postgres-hold").arg(folder).current_dir("/");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(bin_dir) = bin_dir() {
            command.env("PG_BIN", bin_dir);
        }
        command
    }

    pub(crate) fn await_ready(mut child: Child) -> Self {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<serde_json::Value>(&line) else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the owner did not start: {said}");
        };
        let url = ready["url"].as_str().unwrap().to_owned();
        Self { child, url, server: ready["pid"].as_u64().unwrap().try_into().unwrap() }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to give up, and returns what it said.
    pub(crate) fn fails(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!self.child.wait().unwrap().success());
        said
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        until("the owner's server has ended", || has_ended(self.server));
    }
}

/// A process that is none of our servers, ended with the test.
pub(crate) struct Bystander(pub(crate) Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A process that stands still until this is dropped.
pub(crate) struct Stopped(u32);

impl Stopped {
    pub(crate) fn stop(number: u32) -> Self {
        signal(number, Signal::STOP);
        // On a busy machine some of its threads would otherwise get to do something more.
        until("all its threads stand still", || {
            let threads = fs::read_dir(format!("/proc/{number}/task")).unwrap().flatten();
            threads.map(|thread| thread.file_name()).all(|thread| {
                let number = thread.to_str().and_then(|thread| thread.parse().ok()).unwrap();
                matches!(state(number), None | Some('T' | 'Z'))
            })
        });
        Self(number)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        rustix::process::kill_process(pid(self.0), Signal::CONT).unwrap_or(());
    }
}

pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        if Instant::now() > deadline {
            // A second panic would end the test program before the other tests have tidied up.
            assert!(std::thread::panicking(), "never: {what}");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// That somebody waits shows only in what does not happen meanwhile. A start that does not wait is through, or
/// has failed, well within this time.
pub(crate) fn stays(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_millis(700);
    while Instant::now() < deadline {
        assert!(condition(), "no longer: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

pub(crate) fn signal(number: u32, signal: Signal) {
    rustix::process::kill_process(pid(number), signal).unwrap();
}

pub(crate) fn is_gone(number: u32) -> bool {
    state(number).is_none()
}

/// Ended, though process 1 may not have collected it.
pub(crate) fn has_ended(number: u32) -> bool {
    matches!(state(number), None | Some('Z'))
}

/// The process' state letter; `None` when there is no such process.
pub(crate) fn state(number: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}
