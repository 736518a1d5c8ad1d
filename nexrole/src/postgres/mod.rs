//! A private Postgres server for one folder, made from the server binaries that this machine has, or that npm has.
//!
//! In: `Options`. Out: a `Cluster` that accepts connections on a Unix socket, and ends with its owner.
//!
//! **Invariant:** one owner per folder; nothing listens on TCP; no server outlives the process that started it
//! (on Linux the kernel sees to that, even after `kill -9`).

mod binaries;
mod error;
mod fetch;
mod guard;
mod home;
mod initdb;
mod owner;
mod previous;
mod server;
mod unpack;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

pub use error::StartError;
pub use guard::{guard, this_program};

use error::io_at;
use home::Home;
use owner::OwnerLock;
use server::Server;

/// The only database user. It exists inside the cluster, not on the machine.
const DATABASE_USER: &str = "nexrole";
/// A crash recovery fits in here: our clusters are small.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A fast shutdown writes one checkpoint. After that `SIGQUIT`: no checkpoint, recovery at the next start.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const QUIT_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// How much a cluster's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Kept between starts, safe against a power cut, checksummed.
    Durable,
    /// Wiped at every start and unsafe against a crash of the machine: for tests. It lives in a folder of its
    /// own, so that a wrong setting can never wipe a durable cluster.
    Ephemeral,
}

/// Where a cluster lives and what runs it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster's own folder, such as `.nexrole/postgres`. Created when missing.
    pub folder: PathBuf,
    /// Whether the data is kept.
    pub durability: Durability,
    /// The `nexrole` executable, which is run as `<guard> postgres-guard <owner pid> <program> <args…>`.
    pub guard: PathBuf,
    /// The value of `PATH`, where server binaries are looked for, and `npm` if there are none anywhere.
    pub search_path: Option<OsString>,
    /// A folder of server binaries. When given, nothing else is searched.
    pub bin_dir: Option<PathBuf>,
}

/// A running server and the right to its folder. Dropping it ends the server cleanly.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    launch: Launch,
    home: Home,
    log_file: PathBuf,
    /// A server that ignored `stop` is not given the same time again by `drop`.
    stop_tried: bool,
    // Released last, so that the next owner finds a server that has ended.
    _owner: OwnerLock,
}

/// What is run, and how: the same for every start of one cluster.
#[derive(Debug)]
struct Launch {
    guard: PathBuf,
    program: PathBuf,
    durability: Durability,
}

impl Launch {
    fn server(&self, home: &Home, log: File) -> Result<Server, StartError> {
        let arguments = server_arguments(home, self.durability);
        let command = guard::guarded(&self.guard, &self.program, &arguments, home, &log)?;
        // The server alone keeps the log open from here on: its lock tells the next start when all of it has ended.
        drop(log);
        Server::spawn(command, &self.guard)
    }
}

/// Starts the folder's cluster and waits until it accepts connections. Blocks for about a third of a second,
/// the first time for one or two seconds more, and for half a minute where the server has to be fetched.
pub fn start(options: &Options) -> Result<Cluster, StartError> {
    std::fs::create_dir_all(&options.folder).map_err(io_at("create the folder", &options.folder))?;
    // Postgres runs with another working directory, and the folder's name decides the fallback folders.
    let folder = options.folder.canonicalize().map_err(io_at("open the folder", &options.folder))?;
    let owner = OwnerLock::take(&folder)?;
    let home = home::settle(&folder, options.durability)?;

    let mut log = home.open_log()?;
    previous::retire(&home, &log)?;
    log.set_len(0).map_err(io_at("empty the log", &home.log_file()))?;

    if options.durability == Durability::Ephemeral {
        initdb::remove_folder(&home.data)?;
    }
    let major = home.major()?;
    let binaries = binaries::find(options, major, &home)?;
    if major.is_none() {
        initdb::run(&binaries, &home, options.durability, &mut log)?;
    }

    let (guard, durability) = (options.guard.clone(), options.durability);
    let launch = Launch { guard, program: binaries.postgres, durability };
    let server = launch.server(&home, log)?;
    let cluster =
        Cluster { server, launch, log_file: home.log_file(), home, stop_tried: false, _owner: owner };
    cluster.wait_until_ready()?;
    tracing::debug!(
        postgres.pid = cluster.pid(),
        postgres.folder = %cluster.home.path.display(),
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
        last_lines: cluster.home.log_tail(),
    })
}

impl Cluster {
    /// The connection URL of one of its databases. `postgres` always exists.
    pub fn url(&self, database: &str) -> String {
        let host = percent_encode(self.home.socket.as_os_str().as_bytes());
        format!("postgres://{DATABASE_USER}@localhost/{}?host={host}", percent_encode(database.as_bytes()))
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.home.socket
    }

    /// The server's process id.
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
        let log = self.home.open_log()?;
        // Sessions outlive a killed server for a moment. Two servers on one folder would ruin it.
        previous::retire(&self.home, &log)?;
        // Outside our folder somebody may have tidied up.
        self.home.make_private(&self.home.socket)?;
        self.server = self.launch.server(&self.home, log)?;
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
                self.home.forget_socket();
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
        while !previous::read_lock_file(&self.home.pid_file()).is_some_and(is_ready) {
            let ended = self.server.wait_for(POLL);
            if ended.is_none() && Instant::now() < deadline {
                continue;
            }
            let (log_file, last_lines) = (self.log_file.clone(), self.home.log_tail());
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
fn server_arguments(home: &Home, durability: Durability) -> Vec<OsString> {
    let mut socket = OsString::from("unix_socket_directories=");
    socket.push(quoted(&home.socket));
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
            // Tells our services that this is on purpose (`shared::store::database`).
            "nexrole.may_lose_data=on",
        ],
    };
    settings.extend(common.iter().chain(by_durability).map(OsString::from));

    let mut arguments = vec![OsString::from("-D"), home.data.clone().into_os_string()];
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
