//! Files and folders of a cluster: whose they are, that they survive a power cut, and how they go.
//!
//! In: paths. Out: nothing, or what the file system said and where.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use crate::error::{StartError, io_at};

/// Log and lock file of a folder belong to whoever owns the folder, else one run as root would lock its owner
/// out of later runs.
pub(crate) fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = std::fs::metadata(folder)?;
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Removes exactly this folder; an absent one is fine.
pub(crate) fn remove_folder(path: &Path) -> Result<(), StartError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// After a power cut the renamed folder must still be there.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StartError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at("write out", folder))
}

pub(crate) fn make_private_folder(path: &Path) -> Result<(), StartError> {
    // Open to nobody else until it is complete.
    DirBuilder::new().mode(0o700).create(path).map_err(io_at("create the folder", path))
}
