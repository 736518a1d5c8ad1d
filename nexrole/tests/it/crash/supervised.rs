//! `nexrole up` with its own Postgres, of which everything is killed in turn. It brings all of it back by itself.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use nexrole::children::free_port;
use rustix::process::Signal;
use testkit::{process::signal, scratch::Scratch};
use tokio::process::Command;

use crate::support::{
    own_server::NEXROLE,
    world::{SECRET, World},
};

/// "Seconds", for a machine that is busy with other tests: alone it takes less than one.
const SECONDS: Duration = Duration::from_secs(20);

/// The process whose parent is `parent`, with this in its command line.
fn child(parent: u32, words: &str) -> Option<u32> {
    fs::read_dir("/proc").expect("/proc").flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit(") ").next()?.split(' ');
        let (state, parent_of_it) = (fields.next()?, fields.next()?);
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (state != "Z" && parent_of_it == parent.to_string() && line.contains(words)).then_some(pid)
    })
}

#[tokio::test]
async fn up_brings_back_its_postgres_and_the_services_stay() {
    let world = World::without_services().await;
    let (scratch, port) = (Scratch::new("supervised"), free_port().expect("a port"));
    world.stripe.set_webhook(&format!("http://127.0.0.1:{port}/webhooks/stripe"), SECRET).await.expect("set");
    let nexrole = |argument: &[&str]| {
        let mut command = Command::new(NEXROLE);
        command
            .args(argument)
            .current_dir(&scratch.0)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        if let Some(bin_dir) = crate::support::own_server::bin_dir() {
            command.env("PG_BIN", bin_dir);
        }
        command
    };
    let mut up = nexrole(&["up"]);
    up.envs(world.variables()).env_remove("DATABASE_URL").env("BIND", format!("127.0.0.1:{port}"));
    up.env("LEASE_SECONDS", "3")
        .env("POLL_SECONDS", "0.1")
        .env("METRICS_BIND", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let log = scratch.0.join("log");
    let mut up =
        up.stderr(fs::File::create(&log).expect("a log")).kill_on_drop(true).spawn().expect("it starts");
    let us = up.id().expect("it runs");
    let (guild, role) = (world.guild.to_string(), world.vip.to_string());
    let map = ["map", "add", "--guild", &guild, "--price", &world.price, "--role", &role];
    let mapped = async || nexrole(&map).output().await.expect("it starts").status.success();
    world.until("it is mapped", mapped).await;
    let pays = async || {
        let member = world.member().await;
        world.subscribes(&member).await;
        let began = Instant::now();
        world.until("they have VIP", async || world.has(&member, world.vip).await).await;
        began.elapsed()
    };
    pays().await;

    // A second one in the same folder says who is first, and ends.
    let mut second = nexrole(&["up"]);
    second.envs(world.variables()).env_remove("DATABASE_URL").env("BIND", "127.0.0.1:0");
    let second = second.output().await.expect("it starts");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("is in use by another Nexrole (process {us})")), "{said}");
    assert!(said.contains("Stop that one first, or set NEXROLE_DATA"), "{said}");

    let services = || [child(us, "service gateway"), child(us, "service bot")];
    let (before, first) = (services(), child(us, "-D").expect("Postgres runs"));
    assert!(before.iter().all(Option::is_some), "{before:?}");
    for round in 1..=2 {
        let postmaster = child(us, "-D").expect("Postgres runs");
        signal(postmaster, Signal::KILL);
        let took = pays().await;
        println!(
            "postmaster killed: a payment during the outage had its role after {:.2} s",
            took.as_secs_f64()
        );
        assert!(took < SECONDS, "round {round}: {took:?}");
        assert_ne!(child(us, "-D"), Some(postmaster), "a new one");
    }
    let postmaster = child(us, "-D").expect("Postgres runs");
    let session = child(postmaster, "nexrole_main").expect("a session of a service");
    signal(session, Signal::KILL);
    let took = pays().await;
    println!("a session of Postgres killed: {:.2} s", took.as_secs_f64());
    assert!(took < SECONDS && child(us, "-D") == Some(postmaster), "{took:?}: it restarts by itself");
    assert_eq!(services(), before, "the services waited and reconnected");
    assert_ne!(first, postmaster);

    // The worst: Postgres is killed, and its owner before it could do anything about it.
    signal(us, Signal::STOP);
    signal(postmaster, Signal::KILL);
    up.kill().await.expect("killed");
    let text = fs::read_to_string(&log).expect("a log");
    assert_eq!(text.matches("Postgres ended; starting it again").count(), 2, "{text}");
    let mut up = nexrole(&["up"]);
    up.envs(world.variables()).env_remove("DATABASE_URL").env("BIND", format!("127.0.0.1:{port}"));
    up.env("LEASE_SECONDS", "3")
        .env("POLL_SECONDS", "0.1")
        .env("METRICS_BIND", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut up =
        up.stderr(fs::File::create(&log).expect("a log")).kill_on_drop(true).spawn().expect("it starts");
    let took = pays().await;
    println!("`up` and Postgres killed, started again: {:.2} s", took.as_secs_f64());
    signal(up.id().expect("it runs"), Signal::TERM);
    let ended = tokio::time::timeout(SECONDS, up.wait()).await.expect("it stops").expect("it ends");
    assert!(ended.success(), "{}", fs::read_to_string(&log).expect("a log"));
    world.close().await;
}
