//! Unpacks a package of server binaries.
//!
//! In: the verified archive. Out: a folder with its programs, its libraries under all their names, readable and
//! executable for every user: the server's user is not always ours.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{StartError, io_at};
use crate::subprocess;

/// A second or two, and longer on a busy disk.
const WITHIN: Duration = Duration::from_secs(300);
/// npm puts everything into this folder of an archive.
const TOP: &str = "package";
/// The package's own list of what npm's archives cannot carry.
const LINKS: &str = "native/pg-symlinks.json";

/// One symbolic link, both ends relative to the package.
#[derive(Debug, Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// Unpacks into `side`, and returns the folder that was made in there.
pub(crate) fn unpack(archive: &[u8], side: &Path, search_path: &OsStr) -> Result<PathBuf, StartError> {
    // tar, which every host with npm has, finds gzip by itself.
    let mut tools = search_path.to_owned();
    tools.push(":/usr/bin:/bin");
    let verified = side.join("verified.tgz");
    std::fs::write(&verified, archive).map_err(io_at("write", &verified))?;
    let input = File::open(&verified).map_err(io_at("open", &verified))?;
    tool("tar", ["-x", "-z", "-o", "-f", "-"], side, &tools, input.into())?;

    let top = side.join(TOP);
    make_links(&top)?;
    // The archive's modes are cut by our umask.
    tool("chmod", ["-R", "u+rwX,go+rX,go-w", TOP], side, &tools, Stdio::null())?;
    // After a power cut, a complete folder must not hold empty files. A `sync` that cannot do this is no reason
    // to fail.
    drop(tool("sync", ["-f", TOP], side, &tools, Stdio::null()));
    Ok(top)
}

fn tool<const N: usize>(
    name: &'static str,
    arguments: [&str; N],
    side: &Path,
    tools: &OsString,
    input: Stdio,
) -> Result<(), StartError> {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(side).env_clear().env("PATH", tools).env("LC_ALL", "C");
    command.stdin(input);
    match subprocess::run(&mut command, WITHIN, &side.join("tool.log"))? {
        (Some(status), _) if status.success() => Ok(()),
        (Some(status), said) => Err(StartError::Unpack { tool: name, said: format!("{said} ({status})") }),
        (None, said) => Err(StartError::Unpack { tool: name, said: format!("no end in sight; {said}") }),
    }
}

/// Without them the programs do not find the ICU libraries.
fn make_links(top: &Path) -> Result<(), StartError> {
    let list = top.join(LINKS);
    let text = std::fs::read(&list).map_err(io_at("read", &list))?;
    let links: Vec<Link> =
        serde_json::from_slice(&text).map_err(|error| io_at("understand", &list)(error.into()))?;
    for Link { source, target } in links {
        let stays_inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        if !stays_inside(&source) || !stays_inside(&target) {
            let outside = std::io::Error::other(format!("{} leaves the package", target.display()));
            return Err(io_at("follow", &list)(outside));
        }
        // Relative, for the package is about to be renamed.
        let up = target.components().skip(1).map(|_| "..").collect::<PathBuf>();
        let link = top.join(target);
        symlink(up.join(source), &link).map_err(io_at("make the link", &link))?;
    }
    Ok(())
}
