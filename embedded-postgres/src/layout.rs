//! Where a cluster lives, and as which user it runs.
//!
//! In: the wanted folder. Out: a `Layout` whose folders the server's user may enter: Postgres refuses to run as
//! root, so root hands it to an unprivileged user, who may not be able to enter root's own folders.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{StartError, io_at};
use crate::files::give_to_owner_of;
use crate::options::Durability;

/// What the kernel allows for a socket's path is 108 bytes on Linux and 104 on macOS.
const LONGEST_SOCKET: usize = 100;
const SOCKET_NAME: &str = ".s.PGSQL.5432";
const LOG_LINES_SHOWN: usize = 20;
/// Named as a last resort: the kernel's own "nobody".
const OVERFLOW_USER: User = User { uid: 65534, gid: 65534 };

/// An unprivileged user of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The folders of one cluster. Root keeps `path` for itself, so that the server's user cannot put links in the
/// way of files that root writes; only `data` and `socket` belong to that user.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) path: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) socket: PathBuf,
    /// The user to become before running the server; `None` when we are an ordinary user already.
    pub(crate) user: Option<User>,
}

/// Finds a folder that the server's user may enter: the wanted one, else one in `/var/lib`.
pub(crate) fn choose(folder: &Path, durability: Durability) -> Result<Layout, StartError> {
    let data_name = match durability {
        Durability::Durable => "data",
        Durability::Ephemeral => "ephemeral",
    };
    if !rustix::process::geteuid().is_root() {
        return Layout::new(folder, data_name, None);
    }

    let elsewhere = PathBuf::from(format!("/var/lib/nexrole-{}", fingerprint(folder)));
    let moved_before = elsewhere.join(data_name).exists() && !folder.join(data_name).exists();
    if !moved_before {
        let user = user_for(folder, data_name)?;
        open_to_all(folder)?;
        if may_enter(folder, user)? {
            return Layout::new(folder, data_name, Some(user));
        }
    }
    tracing::info!(
        postgres.wanted = %folder.display(),
        postgres.folder = %elsewhere.display(),
        "the unprivileged Postgres user may not enter the wanted folder; the database lives elsewhere"
    );
    std::fs::create_dir_all(&elsewhere).map_err(io_at("create the folder", &elsewhere))?;
    let user = user_for(&elsewhere, data_name)?;
    open_to_all(&elsewhere)?;
    if !may_enter(&elsewhere, user)? {
        return Err(StartError::NoEntry { path: elsewhere, uid: user.uid });
    }
    Layout::new(&elsewhere, data_name, Some(user))
}

impl Layout {
    fn new(path: &Path, data_name: &str, user: Option<User>) -> Result<Self, StartError> {
        let mut layout =
            Self { path: path.to_owned(), data: path.join(data_name), socket: path.join("socket"), user };
        let longest = layout.socket.join(SOCKET_NAME);
        // The URL and the server's settings carry the path as text.
        if longest.as_os_str().len() > LONGEST_SOCKET || longest.to_str().is_none() {
            layout.socket = PathBuf::from(format!("/tmp/nexrole-pg-{}-{}", layout.uid(), fingerprint(path)));
        }
        layout.make_private(&layout.socket)?;
        Ok(layout)
    }

    #[cfg(test)]
    pub(crate) fn for_tests(path: &Path) -> Self {
        Self { path: path.to_owned(), data: path.join("data"), socket: path.join("socket"), user: None }
    }

    /// The user that owns and runs the server.
    pub(crate) fn uid(&self) -> u32 {
        self.user.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid)
    }

    /// A command that runs as the server's user, with an environment in which nothing can surprise Postgres.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir(&self.path).stdin(Stdio::null());
        // The terminal's Ctrl-C must not reach the database before its users have finished.
        command.process_group(0);
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// A folder that only the server's user (and root) may enter. `/tmp` is shared, so one that is already
    /// there has to be proven ours.
    pub(crate) fn make_private(&self, path: &Path) -> Result<(), StartError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {
                if let Some(user) = self.user {
                    std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid))
                        .map_err(io_at("set the owner of", path))?;
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(path).map_err(io_at("look at", path))?;
                let ours = found.is_dir() && found.uid() == self.uid() && found.mode() & 0o077 == 0;
                if ours {
                    Ok(())
                } else {
                    Err(StartError::SocketFolder { path: path.to_owned(), uid: self.uid() })
                }
            }
            Err(error) => Err(io_at("create the folder", path)(error)),
        }
    }

    /// A socket folder in `/tmp` goes with the server. Only an empty one can be removed this way.
    pub(crate) fn remove_socket_folder(&self) {
        if !self.socket.starts_with(&self.path) {
            // A folder that is in use or gone already is no reason to fail a stop.
            drop(std::fs::remove_dir(&self.socket));
        }
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    pub(crate) fn socket_file(&self) -> PathBuf {
        self.socket.join(SOCKET_NAME)
    }

    pub(crate) fn socket_lock_file(&self) -> PathBuf {
        self.socket.join(format!("{SOCKET_NAME}.lock"))
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// Opened for appending, because several server processes write to it.
    pub(crate) fn open_log(&self) -> Result<File, StartError> {
        let path = self.log_file();
        let log = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let log = log.map_err(io_at("open", &path))?;
        give_to_owner_of(&self.path, &log).map_err(io_at("set the owner of", &path))?;
        Ok(log)
    }

    /// The last lines of the log, for an error message.
    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read(self.log_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// The major version that wrote the data; `None` when there is no data yet.
    pub(crate) fn major(&self) -> Result<Option<u32>, StartError> {
        if !self.data.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(self.data.join("PG_VERSION")).unwrap_or_default();
        let major = text.trim().parse().ok();
        major.map(Some).ok_or_else(|| StartError::NotACluster { data: self.data.clone() })
    }
}

/// The user that root becomes. Existing data decides, for Postgres only opens data of its own user, and a `postgres`
/// user may appear on the host later than the data.
fn user_for(folder: &Path, data_name: &str) -> Result<User, StartError> {
    for path in [folder.join(data_name), folder.to_owned()] {
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.uid() != 0 => return Ok(User { uid: found.uid(), gid: found.gid() }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_at("look at", &path)(error)),
        }
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Ok(["postgres", "nobody"].iter().find_map(|name| user_named(name, &passwd)).unwrap_or(OVERFLOW_USER))
}

fn user_named(name: &str, passwd: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let user = User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? };
    (user.uid != 0).then_some(user)
}

/// The folder itself is ours to open; its parents are not.
fn open_to_all(folder: &Path) -> Result<(), StartError> {
    let owner = std::fs::metadata(folder).map_err(io_at("look at", folder))?.uid();
    if owner == 0 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o755))
            .map_err(io_at("open to every user the folder", folder))?;
    }
    Ok(())
}

/// Tried instead of computed from mode bits: access lists and mounts have a say, too.
fn may_enter(folder: &Path, user: User) -> Result<bool, StartError> {
    let mut visit = Command::new("/bin/sh");
    visit.args(["-c", "exit 0"]).env_clear().stdin(Stdio::null());
    visit.current_dir(folder).uid(user.uid).gid(user.gid);
    match visit.status() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(io_at("enter, as an unprivileged user,", folder)(error)),
    }
}

/// A short name for a path, the same in every build (FNV-1a; std's hasher may change between releases).
fn fingerprint(path: &Path) -> String {
    let hash = path.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_exact_name_and_never_root() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresx:x:7:7::/:\npostgres:x:101:104:,,,:/var:/bin/sh\nfake:x:0:0::/:\n";
        assert_eq!(user_named("postgres", passwd), Some(User { uid: 101, gid: 104 }));
        assert_eq!(user_named("nobody", passwd), None);
        assert_eq!(user_named("fake", passwd), None);
    }

    #[test]
    fn a_fingerprint_never_changes_between_builds() {
        assert_eq!(fingerprint(Path::new("a")), "af63dc4c8601ec8c");
    }
}
