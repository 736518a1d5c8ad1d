//! Ties a server's life to its owner's.
//!
//! In: the server's command line. Out: that same process, turned into the server, which the kernel will ask to
//! shut down when its owner dies. The detour through our own executable exists because the request has to be
//! made by the server's process itself, after it has become the unprivileged user (that change cancels it).

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::error::{StartError, io_at};
use crate::layout::Layout;

/// A command that is ready to be spawned, with the open file that it is started through.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) command: Command,
    /// Must stay open until the command has been spawned.
    pub(crate) _executable: Option<File>,
}

/// What the hidden subcommand `postgres-launch <owner pid> <program> <args…>` does. Returns only on failure;
/// what it writes ends up in the server's log.
pub fn launch(args: &[OsString]) -> ExitCode {
    match become_server(args) {
        Ok(never) => match never {},
        Err(message) => {
            eprintln!("postgres-launch: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The running executable, for [`Options::launcher`](crate::Options::launcher). On Linux by a name that survives a rebuild of the file.
pub fn this_program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Ok(running) } else { std::env::current_exe() }
}

pub(crate) fn command(
    launcher: &Path,
    program: &Path,
    arguments: &[OsString],
    layout: &Layout,
    log: &File,
) -> Result<Launch, StartError> {
    // Through an open file the unprivileged user can run an executable inside a folder that it may not enter,
    // such as root's home.
    let executable = File::open(launcher).ok();
    let by_descriptor = executable
        .as_ref()
        .map(|file| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())))
        .filter(|path| path.exists());
    let mut command = layout.command(by_descriptor.as_deref().unwrap_or(launcher));
    command
        .arg0("nexrole")
        .arg("postgres-launch")
        .arg(std::process::id().to_string())
        .arg(program)
        .args(arguments);
    let log_path = layout.log_file();
    command.stdout(log.try_clone().map_err(io_at("share the log", &log_path))?);
    command.stderr(log.try_clone().map_err(io_at("share the log", &log_path))?);
    Ok(Launch { command, _executable: executable })
}

fn become_server(args: &[OsString]) -> Result<Infallible, String> {
    let [owner, program, arguments @ ..] = args else {
        return Err("expected <owner pid> <program> <args…>; this command is not for people".to_owned());
    };
    follow(owner)?;
    let error = Command::new(program).args(arguments).exec();
    Err(format!("could not run {}: {error}", Path::new(program).display()))
}

#[cfg(target_os = "linux")]
fn follow(owner: &OsStr) -> Result<(), String> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    // `SIGINT` is Postgres' fast shutdown: sessions are ended, the data is written out.
    set_parent_process_death_signal(Some(Signal::INT))
        .map_err(|error| format!("no death signal: {error}"))?;
    // An owner that died before the line above will never send the signal.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    match parent {
        Some(parent) if owner.to_str() == Some(parent.as_str()) => Ok(()),
        _ => Err("the owner is gone already".to_owned()),
    }
}

/// Elsewhere an abandoned server is ended by the next start.
#[cfg(not(target_os = "linux"))]
fn follow(_owner: &OsStr) -> Result<(), String> {
    Ok(())
}
