//! The embedded Postgres as a user of `nexrole` meets it: other users, root's closed home, nothing installed.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use embedded_postgres::Durability;
use rustix::process::Signal;
use testkit::{
    process::{Bystander, signal, until},
    report::is_root_or_skipped,
    scratch::Scratch,
};

use super::start;
use crate::support::own_server::{NEXROLE, bin_dir};

/// Nobody's number on this machine, as far as we know.
const OTHER_USER: u32 = 61_234;

/// `nexrole up`, complete but for what it would talk to.
fn up(folder: &Path) -> Command {
    let mut command = Command::new(NEXROLE);
    command.arg("up").current_dir(folder).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    for (name, value) in [
        ("GUILD_ID", "100000000000000001"),
        ("STRIPE_SECRET_KEY", "rk_test_none"),
        ("STRIPE_API_URL", "http://127.0.0.1:9"),
        ("DISCORD_TOKEN", "none"),
        ("DISCORD_API_URL", "http://127.0.0.1:9"),
        ("BIND", "127.0.0.1:0"),
    ] {
        command.env(name, value);
    }
    if let Some(bin_dir) = bin_dir() {
        command.env("PG_BIN", bin_dir);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[test]
fn another_user_of_the_machine_is_refused() {
    if !is_root_or_skipped("another_user_of_the_machine_is_refused") {
        return;
    }
    let scratch = Scratch::new("other-user");
    let cluster = start(&scratch, Durability::Durable);
    let owner = fs::metadata(cluster.socket_dir()).unwrap().uid();
    let executable = fs::File::open(NEXROLE).unwrap();
    let ask = |uid: u32| -> Output {
        let mut command = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()));
        command.arg("connections").current_dir("/").env_clear().env("DATABASE_URL", cluster.url("postgres"));
        command.uid(uid).gid(uid).output().unwrap()
    };
    assert_ne!(owner, OTHER_USER);
    let refused = ask(OTHER_USER);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("Permission denied"), "{said}");
    // The same command gets through as the server's own user, and finds that there is no schema.
    let admitted = ask(owner);
    let said = String::from_utf8_lossy(&admitted.stderr);
    assert!(!said.contains("Permission denied") && said.contains("does not exist"), "{said}");
}

#[test]
fn up_in_a_closed_home_says_where_its_data_is() {
    if !is_root_or_skipped("up_in_a_closed_home_says_where_its_data_is") {
        return;
    }
    let home = Scratch::in_folder(Path::new("/root"), "closed-home");
    fs::set_permissions(&home.0, fs::Permissions::from_mode(0o700)).unwrap();
    let log = home.0.join("log");
    let mut up = Bystander(up(&home.0).stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
    let note = home.0.join(".nexrole/database-url");
    until("the database is there", || fs::read_to_string(&note).is_ok_and(|url| !url.is_empty()));
    let url = fs::read_to_string(&note).unwrap();
    let socket = url.split_once("?host=").unwrap().1;
    let elsewhere = Scratch(Path::new(socket).parent().unwrap().to_owned());
    assert!(elsewhere.0.starts_with("/var/lib"), "{url}");
    signal(up.0.id(), Signal::TERM);
    let status = up.0.wait().unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert!(status.success(), "{status}: {said}");
    let line = said.lines().find(|line| line.contains("the database lives elsewhere")).expect(&said);
    assert!(line.contains(elsewhere.0.to_str().unwrap()), "{line}");
}

#[test]
fn without_server_programs_one_sentence_says_what_to_do() {
    let scratch = Scratch::new("nothing");
    let (empty, folder) = (scratch.0.join("empty"), scratch.0.join("folder"));
    fs::create_dir(&empty).unwrap();
    let mut hold = Command::new(NEXROLE);
    hold.arg("postgres-hold").arg(&folder).env_clear().env("PG_BIN", &empty);
    let mut up = up(&scratch.0);
    for command in [&mut hold, up.env("PG_BIN", &empty)] {
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let errors: Vec<&str> = said.lines().filter(|line| !line.contains("INFO")).collect();
        let [error] = errors[..] else { panic!("one line, not {errors:?}") };
        assert!(error.starts_with("nexrole: found no Postgres server on this machine"), "{error}");
        assert!(
            error.contains("Install the package `postgresql`") && error.contains("set DATABASE_URL"),
            "{error}"
        );
    }
}
