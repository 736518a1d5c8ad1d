//! A cluster from its start to its end.
//!
//! In: `Options`. Out: a `Cluster` that accepts connections, and ends with its owner.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::binaries;
use crate::error::{StartError, io_at};
use crate::files::remove_folder;
use crate::initdb;
use crate::launcher;
use crate::layout::{self, Layout};
use crate::options::{DATABASE_USER, Durability, Options};
use crate::owner::OwnerLock;
use crate::previous;
use crate::server::Server;

/// A crash recovery fits in here: our clusters are small.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A fast shutdown writes one checkpoint. After that `SIGQUIT`: no checkpoint, recovery at the next start.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const QUIT_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A running server and the right to its folder. Dropping it ends the server cleanly.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    programs: Programs,
    layout: Layout,
    log_file: PathBuf,
    /// A server that ignored `stop` is not given the same time again by `drop`.
    stop_tried: bool,
    // Released last, so that the next owner finds a server that has ended.
    _owner: OwnerLock,
}

/// What is run, and how: the same for every start of one cluster.
#[derive(Debug)]
struct Programs {
    launcher: PathBuf,
    program: PathBuf,
    durability: Durability,
}

impl Programs {
    fn start(&self, layout: &Layout, log: File) -> Result<Server, StartError> {
        let arguments = server_arguments(layout, self.durability);
        let command = launcher::command(&self.launcher, &self.program, &arguments, layout, &log)?;
        // The server alone keeps the log open from here on: its lock tells the next start when all of it has ended.
        drop(log);
        Server::spawn(command, &self.launcher)
    }
}

/// Starts the folder's cluster and waits until it accepts connections. Blocks for about a third of a second,
/// the first time for one or two seconds more, and for half a minute where the server has to be fetched.
pub fn start(options: &Options) -> Result<Cluster, StartError> {
    std::fs::create_dir_all(&options.folder).map_err(io_at("create the folder", &options.folder))?;
    // Postgres runs with another working directory, and the folder's name decides the fallback folders.
    let folder = options.folder.canonicalize().map_err(io_at("open the folder", &options.folder))?;
    let owner = OwnerLock::take(&folder)?;
    let layout = layout::choose(&folder, options.durability)?;

    let mut log = layout.open_log()?;
    previous::retire(&layout, &log)?;
    log.set_len(0).map_err(io_at("empty the log", &layout.log_file()))?;

    if options.durability == Durability::Ephemeral {
        remove_folder(&layout.data)?;
    }
    let major = layout.major()?;
    let binaries = binaries::find(options, major, &layout)?;
    if major.is_none() {
        initdb::run(&binaries, &layout, options.durability, &mut log)?;
    }

    let (launcher, durability) = (options.launcher.clone(), options.durability);
    let programs = Programs { launcher, program: binaries.postgres, durability };
    let server = programs.start(&layout, log)?;
    let cluster =
        Cluster { server, programs, log_file: layout.log_file(), layout, stop_tried: false, _owner: owner };
    cluster.wait_until_ready()?;
    tracing::debug!(
        postgres.pid = cluster.pid(),
        postgres.folder = %cluster.layout.path.display(),
        postgres.major = binaries.major,
        "the embedded Postgres is ready"
    );
    Ok(cluster)
}

/// Starts the cluster, prints `{"url":…,"pid":…}` and waits until this process is killed or the server ends.
pub fn hold(options: &Options) -> Result<(), StartError> {
    let cluster = start(options)?;
    // The URL is percent-encoded: it needs no JSON escapes.
    let line = format!("{{\"url\":\"{}\",\"pid\":{}}}\n", cluster.url("postgres"), cluster.pid());
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .map_err(io_at("write to", Path::new("standard output")))?;
    drop(out);
    let status = cluster.server.wait();
    Err(StartError::Exited {
        status,
        log_file: cluster.log_file.clone(),
        last_lines: cluster.layout.log_tail(),
    })
}

impl Cluster {
    /// The connection URL of one of its databases. `postgres` always exists.
    pub fn url(&self, database: &str) -> String {
        let host = percent_encode(self.layout.socket.as_os_str().as_bytes());
        format!("postgres://{DATABASE_USER}@localhost/{}?host={host}", percent_encode(database.as_bytes()))
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.layout.socket
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What the server wrote since this start.
    pub fn log_file(&self) -> &Path {
        &self.log_file
    }

    /// How the server ended; `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.server.exit_status()
    }

    /// Starts a server that has ended again, on the same data and the same address; blocks until it accepts connections.
    /// The folder stays ours meanwhile, and the log goes on where it was.
    pub fn restart(&mut self) -> Result<(), StartError> {
        if self.server.exit_status().is_none() {
            return Ok(());
        }
        let log = self.layout.open_log()?;
        // Sessions outlive a killed server for a moment. Two servers on one folder would ruin it.
        previous::retire(&self.layout, &log)?;
        // Outside our folder somebody may have tidied up.
        self.layout.make_private(&self.layout.socket)?;
        self.server = self.programs.start(&self.layout, log)?;
        self.stop_tried = false;
        let ready = self.wait_until_ready();
        if ready.is_err() {
            // One that runs without ever becoming ready would never be started again.
            self.end()?;
        }
        ready
    }

    /// Ends the server: sessions are closed, the data is written out. Close connection pools first, for they
    /// would log broken connections.
    pub fn stop(mut self) -> Result<(), StartError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), StartError> {
        self.stop_tried = true;
        let signals =
            [(rustix::process::Signal::INT, STOP_WITHIN), (rustix::process::Signal::QUIT, QUIT_WITHIN)];
        for (signal, patience) in signals {
            self.server.signal(signal);
            if self.server.wait_for(patience).is_some() {
                self.layout.remove_socket_folder();
                return Ok(());
            }
        }
        Err(StartError::NotStopped { pid: self.pid(), log_file: self.log_file.clone() })
    }

    /// `postmaster.pid` says when the server is ready. Connecting instead would fill its log with refusals.
    fn wait_until_ready(&self) -> Result<(), StartError> {
        let deadline = Instant::now() + READY_WITHIN;
        // The pid is compared because a crash leaves the old file behind, with its old `ready`.
        let is_ready = |lock: previous::LockFile| lock.ready && lock.pid == self.pid();
        while !previous::read_lock_file(&self.layout.pid_file()).is_some_and(is_ready) {
            let ended = self.server.wait_for(POLL);
            if ended.is_none() && Instant::now() < deadline {
                continue;
            }
            let (log_file, last_lines) = (self.log_file.clone(), self.layout.log_tail());
            return Err(match ended {
                Some(status) => StartError::Exited { status, log_file, last_lines },
                None => StartError::NotReady { seconds: READY_WITHIN.as_secs(), log_file, last_lines },
            });
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.stop_tried
            && let Err(error) = self.end()
        {
            tracing::error!(%error, "the embedded Postgres did not stop");
        }
    }
}

/// The command line wins over every configuration file in the data folder.
fn server_arguments(layout: &Layout, durability: Durability) -> Vec<OsString> {
    let mut socket = OsString::from("unix_socket_directories=");
    socket.push(quoted(&layout.socket));
    let mut settings: Vec<OsString> = vec![socket];
    let common = [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "port=5432",
        "shared_buffers=64MB",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_destination=stderr",
        "log_checkpoints=off",
    ];
    let by_durability: &[&str] = match durability {
        Durability::Durable => &["max_connections=100", "fsync=on"],
        Durability::Ephemeral => &[
            "max_connections=200",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            // Tells our services that this is on purpose.
            "nexrole.may_lose_data=on",
        ],
    };
    settings.extend(common.iter().chain(by_durability).map(OsString::from));

    let mut arguments = vec![OsString::from("-D"), layout.data.clone().into_os_string()];
    arguments.extend(settings.into_iter().flat_map(|setting| [OsString::from("-c"), setting]));
    arguments
}

/// The setting is a list, in which a comma or a space in a folder's name would otherwise count.
fn quoted(path: &Path) -> OsString {
    let mut quoted = OsString::from("\"");
    quoted.push(path.to_string_lossy().replace('"', "\"\""));
    quoted.push("\"");
    quoted
}

fn percent_encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut encoded, &byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").unwrap_or(()),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_survive_odd_folder_names() {
        assert_eq!(percent_encode(b"/a b/c,d&e%"), "/a%20b/c%2Cd%26e%25");
        assert_eq!(quoted(Path::new("/a, \"b\"")), "\"/a, \"\"b\"\"\"");
    }
}
