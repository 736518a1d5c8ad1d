//! The right to a cluster folder.
//!
//! In: the folder. Out: a lock that the kernel gives back when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{StartError, io_at};
use crate::files::give_to_owner_of;

/// A locked file without a pid: its owner is about to write it; or it was given up, and a process that another thread is
/// just starting holds a copy of the descriptor until its `exec`.
const BLANK_FOR: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(20);

/// Held as long as the cluster lives. The server does not inherit it: std opens files close-on-exec.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    file: File,
}

impl OwnerLock {
    pub(crate) fn take(folder: &Path) -> Result<Self, StartError> {
        let path = folder.join("owner.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_at("open", &path))?;
        give_to_owner_of(folder, &file).map_err(io_at("set the owner of", &path))?;
        let deadline = Instant::now() + BLANK_FOR;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let pid = written_pid(&mut file);
                    if pid.is_some() || Instant::now() > deadline {
                        return Err(StartError::InUse { pid, folder: folder.to_owned() });
                    }
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::Error(error)) => return Err(io_at("lock", &path)(error)),
            }
        }
        let record = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        record(&mut file).map_err(io_at("write", &path))?;
        Ok(Self { file })
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // A pid that has been given up would only mislead. The file stays: removing it while another process
        // is about to lock it would let two owners in.
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(%error, "could not clear owner.lock");
        }
    }
}

fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    // The newline shows that the number is complete.
    text.strip_suffix('\n').and_then(|pid| pid.parse().ok())
}
