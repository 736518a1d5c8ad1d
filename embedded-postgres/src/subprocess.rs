//! Runs a program that may hang or fail.
//!
//! In: a command and how long it may take. Out: how it ended, and the first lines of what it wrote as errors.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::{StartError, io_at};

const POLL: Duration = Duration::from_millis(50);
/// A refusal of npm says its reason first, and where in its source it happened after that.
const LINES_SHOWN: usize = 4;

/// Runs it to its end, or kills it after `patience`. Out: how it ended, and the first lines of what it wrote as
/// errors. These go through a file, for a full pipe would stop it.
pub(crate) fn run(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_an_end_is_ended() {
        let errors = std::env::temp_dir().join(format!("nexrole-endless-{}", std::process::id()));
        let mut endless = Command::new("/bin/sleep");
        let (status, _) = run(endless.arg("600"), Duration::from_millis(100), &errors).unwrap();
        assert_eq!(status, None);
        std::fs::remove_file(errors).unwrap();
    }
}
