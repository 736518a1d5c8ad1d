//! A Postgres that a test starts itself, to break it. In: a folder. Out: how to start the server there, or a process that owns it and
//! can be killed.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use embedded_postgres::{Durability, Options, StartError};
use shared::config::Env;
use testkit::process::{has_ended, until};

use super::cluster::give_up;

pub(crate) const NEXROLE: &str = env!("CARGO_BIN_EXE_nexrole");
/// Far above what is ever needed, for busy machines.
const SOON: Duration = Duration::from_secs(60);

pub(crate) fn options(folder: &Path, durability: Durability) -> Options {
    Options {
        folder: folder.to_owned(),
        durability,
        launcher: PathBuf::from(NEXROLE),
        search_path: Env::from_process().get("PATH").map(Into::into),
        bin_dir: bin_dir().map(Into::into),
    }
}

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
