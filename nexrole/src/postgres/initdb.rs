//! Makes a new, empty cluster.
//!
//! In: the binaries and the folders. Out: a complete data folder, or none: it is made under another name and
//! renamed at the end, so that an interrupted first start leaves nothing half-made.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::binaries::Binaries;
use super::error::{StartError, io_at};
use super::home::Home;
use super::{DATABASE_USER, Durability};

/// `C.UTF-8` sorts by code point and knows letters; where the machine lacks it, `C` knows only ASCII letters.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Runs `initdb`; what it writes goes to the log, whose lock it holds until it has ended.
pub(super) fn run(
    binaries: &Binaries,
    home: &Home,
    durability: Durability,
    log: &mut File,
) -> Result<(), StartError> {
    let unfinished = home.data.with_extension("init");
    let log_path = home.log_file();
    for locale in LOCALES {
        remove_folder(&unfinished)?;
        home.make_private(&unfinished)?;
        log.set_len(0).map_err(io_at("empty the log", &log_path))?;
        let out = log.try_clone().map_err(io_at("share the log", &log_path))?;
        let err = log.try_clone().map_err(io_at("share the log", &log_path))?;

        let mut command = plain(&binaries.initdb, home);
        // `trust` is safe only because the socket's folder is private and TCP is off.
        command.args(["-U", DATABASE_USER, "-A", "trust", "-E", "UTF8", "--no-instructions"]);
        command.arg(format!("--locale={locale}"));
        command.arg(match durability {
            Durability::Durable => "--data-checksums",
            Durability::Ephemeral => "--no-sync",
        });
        command.arg("-D").arg(&unfinished).stdout(out).stderr(err);
        let status = command.status().map_err(io_at("run", &binaries.initdb))?;
        if status.success() {
            std::fs::rename(&unfinished, &home.data).map_err(io_at("rename", &unfinished))?;
            return settle_on_disk(&home.path);
        }
        let output = home.log_tail();
        if !output.contains("locale") || Some(&locale) == LOCALES.last() {
            remove_folder(&unfinished)?;
            return Err(StartError::Initdb { data: home.data.clone(), output });
        }
    }
    Ok(())
}

/// A command that runs as the server's user, with an environment in which nothing can surprise Postgres.
pub(super) fn plain(program: impl AsRef<OsStr>, home: &Home) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
    command.current_dir(&home.path).stdin(Stdio::null());
    // The terminal's Ctrl-C must not reach the database before its users have finished.
    command.process_group(0);
    if let Some(user) = home.user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Removes exactly this folder; an absent one is fine.
pub(super) fn remove_folder(path: &Path) -> Result<(), StartError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// After a power cut the renamed folder must still be there.
pub(super) fn settle_on_disk(folder: &Path) -> Result<(), StartError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at("write out", folder))
}
