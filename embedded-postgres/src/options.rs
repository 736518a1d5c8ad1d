//! What a caller chooses: where a cluster lives, what its data is worth, and which programs run it.

use std::ffi::OsString;
use std::path::PathBuf;

/// The only database user. It exists inside the cluster, not on the host.
pub(crate) const DATABASE_USER: &str = "nexrole";

/// How much a cluster's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Kept between starts, safe against a power cut, checksummed.
    Durable,
    /// Wiped at every start and unsafe against a crash of the host: for tests. It lives in a folder of its
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
    /// An executable that calls [`launch`](crate::launch) when it is run as
    /// `<launcher> postgres-launch <owner pid> <program> <args…>`.
    pub launcher: PathBuf,
    /// The value of `PATH`, where server binaries are looked for, and `npm` if there are none anywhere.
    pub search_path: Option<OsString>,
    /// A folder of server binaries. When given, nothing else is searched.
    pub bin_dir: Option<PathBuf>,
}
