//! The embedded Postgres, started, killed and started again.
//!
//! In: the server binaries of this machine, and the `nexrole` executable as launcher and as a killable owner
//! (`postgres-hold <folder>`). Out: what a user finds after each accident. Nothing is left running.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod commands;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use embedded_postgres::{Cluster, Durability, Options, StartError};
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use testkit::{
    process::{Bystander, Stopped, has_ended, is_gone, pid, signal, state, stays, until},
    report::is_root_or_skipped,
    scratch::Scratch,
};

use crate::support::own_server::{NEXROLE, Owner, options};

/// The kernel's "nobody", whom every machine has.
const NOBODY: u32 = 65534;

#[tokio::test]
async fn data_survives_a_stop_and_a_start() {
    let scratch = Scratch::new("durable");
    let cluster = start(&scratch, Durability::Durable);
    write(&cluster.url("postgres"), "kept").await;
    for (setting, value) in [("fsync", "on"), ("data_checksums", "on"), ("listen_addresses", "")] {
        assert_eq!(ask(&cluster.url("postgres"), &format!("SHOW {setting}")).await, value, "{setting}");
    }
    assert_eq!(ask(&cluster.url("postgres"), "SHOW server_encoding").await, "UTF8");
    let pid = cluster.pid();
    cluster.stop().unwrap();
    assert!(is_gone(pid), "collected, not a zombie");

    let cluster = start(&scratch, Durability::Durable);
    assert_eq!(cluster.exit_status(), None);
    assert_eq!(read(&cluster.url("postgres")).await, "kept");
    let log = fs::read_to_string(cluster.log_file()).unwrap();
    assert_eq!(log.matches("ready to accept connections").count(), 1, "the log starts anew with each start");
    let (pid, log) = (cluster.pid(), cluster.log_file().to_owned());
    drop(cluster);
    assert!(is_gone(pid), "dropping ends the server, too");
    assert!(fs::read_to_string(log).unwrap().contains("database system is shut down"));
}

#[tokio::test]
async fn killing_the_owner_ends_the_server_cleanly_and_keeps_the_data() {
    let scratch = Scratch::new("kill-owner");
    let mut owner = Owner::hold(&scratch.0);
    write(&owner.url, "kept").await;
    let log = scratch.0.join("postgres.log");
    owner.kill();
    until("the server has ended", || has_ended(owner.server));
    assert!(fs::read_to_string(&log).unwrap().contains("database system is shut down"), "not a crash");

    let cluster = start(&scratch, Durability::Durable);
    assert_eq!(read(&cluster.url("postgres")).await, "kept");
}

#[tokio::test]
async fn a_start_waits_for_the_last_process_of_the_old_server() {
    for accident in ["the owner dies", "the server dies, then the owner"] {
        let scratch = Scratch::new("old-session");
        let mut owner = Owner::hold(&scratch.0);
        write(&owner.url, "kept").await;
        // A session that cannot end by itself: it outlives even a killed server.
        let mut session = PgConnection::connect(&owner.url).await.unwrap();
        let backend: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut session).await.unwrap();
        let backend = u32::try_from(backend).unwrap();
        let stopped = Stopped::stop(backend);
        if accident != "the owner dies" {
            signal(owner.server, Signal::KILL);
        }
        owner.kill();

        let starting = start_in_a_thread(&scratch);
        stays(accident, || !starting.is_finished());
        drop(stopped);
        let cluster = starting.join().unwrap().unwrap();
        assert!(has_ended(backend), "{accident}");
        assert_eq!(read(&cluster.url("postgres")).await, "kept", "{accident}");
    }
}

#[tokio::test]
async fn killing_server_and_owner_keeps_the_data() {
    let scratch = Scratch::new("kill-both");
    let mut owner = Owner::hold(&scratch.0);
    write(&owner.url, "kept").await;
    // A stopped owner cannot collect its child, so that the server stays behind as a zombie; whether process 1
    // collects it later depends on the machine.
    let _stopped = Stopped::stop(owner.child.id());
    signal(owner.server, Signal::KILL);
    until("the server is a zombie", || state(owner.server) == Some('Z'));
    assert!(scratch.0.join("data/postmaster.pid").exists());
    assert!(scratch.0.join("socket/.s.PGSQL.5432.lock").exists());
    owner.kill();

    let cluster = start(&scratch, Durability::Durable);
    assert_eq!(read(&cluster.url("postgres")).await, "kept");
}

#[tokio::test]
async fn lock_files_that_name_a_zombie_or_an_unrelated_process_do_not_matter() {
    let scratch = Scratch::new("stale-locks");
    start(&scratch, Durability::Durable).stop().unwrap();
    // Postgres disregards processes of other users, so these are the server's own.
    let user = fs::metadata(scratch.0.join("data")).unwrap();
    let run = |program: &str| {
        Bystander(Command::new(program).arg("600").uid(user.uid()).gid(user.gid()).spawn().unwrap())
    };
    let (zombie, unrelated) = (run("true"), run("sleep"));
    until("the child is a zombie", || state(zombie.0.id()) == Some('Z'));
    for named in [zombie.0.id(), unrelated.0.id()] {
        let mut owner = Owner::hold(&scratch.0);
        write(&owner.url, "kept").await;
        signal(owner.server, Signal::KILL);
        let said = owner.fails();
        assert!(said.contains("Postgres ended"), "{said}");
        for file in ["data/postmaster.pid", "socket/.s.PGSQL.5432.lock"] {
            let path = scratch.0.join(file);
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().next(), Some(owner.server.to_string().as_str()));
            fs::write(path, text.replacen(&owner.server.to_string(), &named.to_string(), 1)).unwrap();
        }
        let cluster = start(&scratch, Durability::Durable);
        assert_eq!(read(&cluster.url("postgres")).await, "kept");
    }
}

#[tokio::test]
async fn a_server_that_was_started_by_hand_is_not_fought() {
    let scratch = Scratch::new("by-hand");
    let cluster = start(&scratch, Durability::Durable);
    let program = fs::read_link(format!("/proc/{}/exe", cluster.pid())).unwrap();
    cluster.stop().unwrap();
    let data = scratch.0.join("data");
    let mut by_hand = Command::new(program);
    by_hand.arg("-D").arg(&data).args(["-c", "listen_addresses="]).arg("-k").arg(&data);
    let owner = fs::metadata(&data).unwrap();
    let by_hand = by_hand.uid(owner.uid()).gid(owner.gid()).stderr(Stdio::null()).spawn().unwrap();
    let mut by_hand = Bystander(by_hand);
    until("it is ready", || {
        fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    });

    // Our start waits for it to end, and takes over as soon as it does.
    let starting = start_in_a_thread(&scratch);
    stays("it is left alone", || !starting.is_finished() && !has_ended(by_hand.0.id()));
    signal(by_hand.0.id(), Signal::INT);
    assert!(by_hand.0.wait().unwrap().success());
    starting.join().unwrap().unwrap().stop().unwrap();
}

#[test]
fn a_second_owner_is_told_who_is_first() {
    let scratch = Scratch::new("second");
    let cluster = start(&scratch, Durability::Durable);
    let error = embedded_postgres::start(&options(&scratch.0, Durability::Durable)).unwrap_err();
    assert!(matches!(error, StartError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    let text = error.to_string();
    assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
    assert!(text.contains("Stop that one first, or set NEXROLE_DATA"), "{text}");

    let mut other =
        Command::new(NEXROLE).arg("postgres-hold").arg(&scratch.0).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    other.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!other.wait().unwrap().success());
    assert!(said.contains("is in use by another Nexrole"), "{said}");
    cluster.stop().unwrap();
    start(&scratch, Durability::Durable).stop().unwrap();
}

#[tokio::test]
async fn a_kill_during_the_first_start_leaves_nothing_half_made() {
    let scratch = Scratch::new("interrupted");
    let unfinished = scratch.0.join("data.init");
    let mut owner = Owner::spawn(&scratch.0);
    until("initdb is at work", || unfinished.join("PG_VERSION").exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(!scratch.0.join("data").exists());

    let cluster = start(&scratch, Durability::Durable);
    write(&cluster.url("postgres"), "works").await;
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn a_folder_with_a_long_name_gets_its_socket_in_tmp() {
    let scratch = Scratch::new("long");
    let folder = scratch.0.join("a folder, with a \"name\" ".repeat(5));
    for _ in 0..2 {
        let cluster = embedded_postgres::start(&options(&folder, Durability::Durable)).unwrap();
        let socket = cluster.socket_dir().to_owned();
        assert!(socket.starts_with("/tmp"), "{}", socket.display());
        assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
        write(&cluster.url("postgres"), "works").await;
        cluster.stop().unwrap();
        assert!(!socket.exists(), "what lies outside the folder is tidied up");
    }
}

#[tokio::test]
async fn a_folder_with_an_odd_name_works() {
    let scratch = Scratch::new("odd");
    let folder = scratch.0.join("ä, \"b\" %20&c=d");
    let cluster = embedded_postgres::start(&options(&folder, Durability::Ephemeral)).unwrap();
    assert!(cluster.socket_dir().starts_with(&folder));
    write(&cluster.url("postgres"), "works").await;
}

#[tokio::test]
async fn an_ephemeral_cluster_is_wiped_and_never_touches_a_durable_one() {
    let scratch = Scratch::new("ephemeral");
    let durable = start(&scratch, Durability::Durable);
    write(&durable.url("postgres"), "durable").await;
    durable.stop().unwrap();

    let cluster = start(&scratch, Durability::Ephemeral);
    write(&cluster.url("postgres"), "fleeting").await;
    let settings = [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("autovacuum", "off"),
        ("wal_level", "minimal"),
        ("max_connections", "200"),
    ];
    for (setting, value) in settings {
        assert_eq!(ask(&cluster.url("postgres"), &format!("SHOW {setting}")).await, value, "{setting}");
    }
    cluster.stop().unwrap();

    let cluster = start(&scratch, Durability::Ephemeral);
    assert_eq!(
        ask(&cluster.url("postgres"), "SELECT coalesce(to_regclass('note')::text, 'none')").await,
        "none"
    );
    cluster.stop().unwrap();
    let durable = start(&scratch, Durability::Durable);
    assert_eq!(read(&durable.url("postgres")).await, "durable");
}

#[test]
fn the_socket_is_private_and_ctrl_c_stays_in_the_terminal() {
    let scratch = Scratch::new("private");
    let cluster = start(&scratch, Durability::Ephemeral);
    let socket = fs::metadata(cluster.socket_dir()).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o700);
    assert_ne!(socket.uid(), 0, "Postgres never runs as root");
    let group = rustix::process::getpgid(Some(pid(cluster.pid()))).unwrap();
    assert_eq!(group, pid(cluster.pid()), "a process group of its own");
    assert_eq!(fs::metadata(cluster.log_file()).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn root_may_keep_project_and_program_in_its_home() {
    if !is_root_or_skipped("root_may_keep_project_and_program_in_its_home") {
        return;
    }
    let home = Scratch::in_folder(Path::new("/root"), "root-home");
    fs::set_permissions(&home.0, fs::Permissions::from_mode(0o700)).unwrap();
    let launcher = home.0.join("nexrole");
    fs::copy(NEXROLE, &launcher).unwrap();
    let options = Options { launcher, ..options(&home.0.join("postgres"), Durability::Durable) };

    let cluster = embedded_postgres::start(&options).unwrap();
    let _elsewhere = Scratch(cluster.log_file().parent().unwrap().to_owned());
    assert!(cluster.log_file().starts_with("/var/lib"), "{}", cluster.log_file().display());
    write(&cluster.url("postgres"), "kept").await;
    cluster.stop().unwrap();
    let cluster = embedded_postgres::start(&options).unwrap();
    assert_eq!(read(&cluster.url("postgres")).await, "kept");
    let error = embedded_postgres::start(&options).unwrap_err();
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
}

#[tokio::test]
async fn an_ordinary_user_needs_nothing_special_and_root_continues_as_that_user() {
    if !is_root_or_skipped("an_ordinary_user_needs_nothing_special_and_root_continues_as_that_user") {
        return;
    }
    let scratch = Scratch::new("ordinary");
    std::os::unix::fs::chown(&scratch.0, Some(NOBODY), Some(NOBODY)).unwrap();
    let folder = scratch.0.join("postgres");
    let ordinary = |folder: &Path| {
        let executable = fs::File::open(NEXROLE).unwrap();
        let mut command = Owner::command(folder, &executable);
        Owner::await_ready(command.uid(NOBODY).gid(NOBODY).spawn().unwrap())
    };
    let mut owner = ordinary(&folder);
    // As root, who may enter the private socket folder.
    write(&owner.url, "kept").await;
    assert_eq!(fs::metadata(folder.join("data")).unwrap().uid(), NOBODY);
    owner.kill();
    let cluster = embedded_postgres::start(&options(&folder, Durability::Durable)).unwrap();
    assert_eq!(read(&cluster.url("postgres")).await, "kept");
    cluster.stop().unwrap();
    let owner = ordinary(&folder);
    assert_eq!(read(&owner.url).await, "kept", "root's run left nothing that shuts the user out");
}

#[test]
fn missing_or_wrong_binaries_are_explained() {
    let scratch = Scratch::new("binaries");
    let bin_dir = scratch.0.join("bin");
    fs::create_dir(&bin_dir).unwrap();
    let folder = scratch.0.join("postgres");
    let wanted = Options { bin_dir: Some(bin_dir.clone()), ..options(&folder, Durability::Durable) };
    let none = embedded_postgres::start(&wanted).unwrap_err().to_string();
    assert!(none.contains(&bin_dir.display().to_string()), "{none}");
    assert!(none.contains("Install the package `postgresql`"), "{none}");
    assert!(none.contains("set DATABASE_URL"), "{none}");

    for program in ["postgres", "initdb"] {
        let path = bin_dir.join(program);
        fs::write(&path, "#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let old = embedded_postgres::start(&wanted).unwrap_err().to_string();
    assert!(old.contains("is version 14, but 15 or newer is needed"), "{old}");

    let cluster = embedded_postgres::start(&options(&folder, Durability::Durable)).unwrap();
    cluster.stop().unwrap();
    let version = folder.join("data/PG_VERSION");
    let real = fs::read_to_string(&version).unwrap();
    let other = embedded_postgres::start(&wanted).unwrap_err().to_string();
    assert!(other.contains(&format!("was written by Postgres {}", real.trim())), "{other}");
    assert!(other.contains("(found: 14)"), "{other}");
    fs::write(&version, "").unwrap();
    let broken = embedded_postgres::start(&wanted).unwrap_err().to_string();
    assert!(broken.contains("is not a Postgres data folder"), "{broken}");
    assert!(folder.join("data/base").exists(), "never made anew over existing data");
}

#[test]
fn a_server_that_ends_early_is_quoted() {
    let scratch = Scratch::new("early-end");
    start(&scratch, Durability::Durable).stop().unwrap();
    fs::write(scratch.0.join("data/postgresql.conf"), "nonsense = 1\n").unwrap();
    let error = embedded_postgres::start(&options(&scratch.0, Durability::Durable)).unwrap_err();
    assert!(matches!(error, StartError::Exited { .. }), "{error}");
    assert!(error.to_string().contains("unrecognized configuration parameter \"nonsense\""), "{error}");
}

#[test]
fn a_launcher_whose_owner_is_gone_starts_nothing() {
    let launch = |owner: u32| {
        let mut command = Command::new(NEXROLE);
        command.arg("postgres-launch").arg(owner.to_string()).args(["/bin/echo", "started"]).output().unwrap()
    };
    assert_eq!(launch(std::process::id()).stdout, b"started\n");
    let orphan = launch(1);
    assert!(!orphan.status.success() && orphan.stdout.is_empty());
    assert!(String::from_utf8_lossy(&orphan.stderr).contains("the owner is gone already"));
}

fn start(scratch: &Scratch, durability: Durability) -> Cluster {
    embedded_postgres::start(&options(&scratch.0, durability)).unwrap()
}

/// Returns when the start owns the folder, and so has nothing to wait for but an old server.
fn start_in_a_thread(scratch: &Scratch) -> JoinHandle<Result<Cluster, StartError>> {
    let options = options(&scratch.0, Durability::Durable);
    let starting = std::thread::spawn(move || embedded_postgres::start(&options));
    let me = format!("{}\n", std::process::id());
    let lock = scratch.0.join("owner.lock");
    until("our start owns the folder", || fs::read_to_string(&lock).is_ok_and(|owner| owner == me));
    starting
}

async fn write(url: &str, text: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS note (text text); TRUNCATE note")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("INSERT INTO note VALUES ($1)").bind(text).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn read(url: &str) -> String {
    ask(url, "SELECT text FROM note").await
}

async fn ask(url: &str, query: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let query = sqlx::AssertSqlSafe(query.to_owned());
    let answer = sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}
