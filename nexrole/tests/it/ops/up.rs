//! `nexrole up` and `init`, as processes: what an operator runs.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nexrole::children::free_port;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::support::world::{Member, SECRET, World};

const NEXROLE: &str = env!("CARGO_BIN_EXE_nexrole");

/// A folder for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nexrole-up-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
    }
}

fn up(folder: &Path) -> Command {
    let mut command = Command::new(NEXROLE);
    command.arg("up").current_dir(folder).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    // What a killed service held is soon free.
    command.env("LEASE_SECONDS", "3").env("POLL_SECONDS", "0.1").env("METRICS_BIND", "127.0.0.1:0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("it runs");
    kill_process(pid, signal).expect("it hears");
}

/// Processes of ours whose command line has this word and whose parent is `parent`.
fn children(parent: u32, word: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&format!(" {word} --parent {parent} ")) {
            found.push(pid);
        }
    }
    found
}

#[tokio::test]
async fn one_command_runs_everything_and_restarts_what_died() {
    let world = World::without_services().await;
    let (folder, port) = (Folder::new("run"), free_port().expect("a port"));
    let webhook = format!("http://127.0.0.1:{port}/webhooks/stripe");
    world.stripe.set_webhook(&webhook, SECRET).await.unwrap();
    let mut command = up(&folder.0);
    command.envs(world.variables());
    let log = fs::File::create(folder.0.join("log")).unwrap();
    command.env("BIND", format!("127.0.0.1:{port}")).stderr(log);
    let mut child = command.spawn().unwrap();
    let parent = child.id().unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    let ana: Member = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // Both services are killed; a payment while they are away; they come back by themselves.
    let victims = [children(parent, "gateway"), children(parent, "bot")].concat();
    assert_eq!(victims.len(), 2, "one gateway, one bot");
    for victim in &victims {
        kill_process(Pid::from_raw(*victim).unwrap(), Signal::KILL).unwrap();
    }
    let ben = world.member().await;
    world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    assert!(victims.iter().all(|old| !children(parent, "gateway").contains(old)));
    // What is hinted at after a read is read a little later, and by nobody once it has stopped.
    world.heard().await;
    signal(&child, Signal::TERM);
    let status =
        tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("it stops").unwrap();
    assert!(status.success(), "{status}: {}", fs::read_to_string(folder.0.join("log")).unwrap());
    assert!(children(parent, "gateway").is_empty() && children(parent, "bot").is_empty());
    world.finish().await;
}

/// Everything from the file that `init` writes: what the two services must not share is in it once.
#[tokio::test]
async fn a_dotenv_file_and_a_secret_in_a_file_are_enough() {
    let world = World::without_services().await;
    let (folder, port) = (Folder::new("dotenv"), free_port().expect("a port"));
    let webhook = format!("http://127.0.0.1:{port}/webhooks/stripe");
    world.stripe.set_webhook(&webhook, SECRET).await.unwrap();
    let metrics = free_port().expect("a port");
    let mut file = format!("PORT={port}\nMETRICS_BIND=127.0.0.1:{metrics}\n");
    for (name, value) in world.variables() {
        if name == "DATABASE_URL" {
            let path = folder.0.join("database-url");
            fs::write(&path, value).unwrap();
            file.push_str(&format!("DATABASE_URL_FILE={}\n", path.display()));
        } else {
            file.push_str(&format!("{name}={value}\n"));
        }
    }
    fs::write(folder.0.join(".env"), file).unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    let mut command = up(&folder.0);
    command.env_remove("METRICS_BIND").stderr(fs::File::create(folder.0.join("log")).unwrap());
    let mut child = command.spawn().unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let scraped = world.http.get(format!("http://127.0.0.1:{metrics}/metrics")).send().await.unwrap();
    assert!(scraped.text().await.unwrap().contains("nexrole_webhooks_total"), "the gateway's own numbers");
    world.heard().await;
    signal(&child, Signal::TERM);
    let status =
        tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("it stops").unwrap();
    let log = fs::read_to_string(folder.0.join("log")).unwrap();
    assert!(status.success() && !log.contains("starting it again"), "{status}: {log}");
    world.finish().await;
}

#[tokio::test]
async fn a_dotenv_line_that_cannot_be_parsed_is_found_without_its_value() {
    let folder = Folder::new("unparsed");
    fs::write(folder.0.join(".env"), "GUILD_ID=1\nDISCORD_TOKEN=hunter2 abc\n").unwrap();
    let output = up(&folder.0).stderr(Stdio::piped()).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("line 2 is not NAME=value") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn with_its_own_database_the_operators_commands_find_it() {
    let world = World::without_services().await;
    let (folder, port) = (Folder::new("own"), free_port().expect("a port"));
    world.stripe.set_webhook(&format!("http://127.0.0.1:{port}/webhooks/stripe"), SECRET).await.unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(NEXROLE);
        command
            .args(arguments)
            .current_dir(&folder.0)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
    };
    let before = command(&["connections"]).output().await.unwrap();
    assert_eq!(before.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&before.stderr).contains("no `nexrole up` with its own database"));
    let mut up = up(&folder.0);
    up.envs(world.variables()).env_remove("DATABASE_URL").env("BIND", format!("127.0.0.1:{port}"));
    let mut child = up.stderr(fs::File::create(folder.0.join("log")).unwrap()).spawn().unwrap();
    let url = folder.0.join(".nexrole/database-url");
    world.until("the database is there", async || url.exists()).await;
    let (guild, role) = (world.guild.to_string(), world.vip.to_string());
    let map = ["map", "add", "--guild", &guild, "--price", &world.price, "--role", &role];
    // The schema comes a moment after the database.
    world.until("it is mapped", async || command(&map).output().await.unwrap().status.success()).await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until("they have VIP", async || world.has(&ana, world.vip).await).await;
    let why = command(&["why", "--guild", &guild, "--member", &ana.user.to_string()]).output().await.unwrap();
    assert!(String::from_utf8_lossy(&why.stdout).contains("is active"));
    let mut doctor = command(&["doctor", "--json"]);
    doctor.envs(world.variables()).env_remove("DATABASE_URL").env("BIND", format!("127.0.0.1:{port}"));
    let output = doctor.args(["--bot", &format!("127.0.0.1:{port}")]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for check in [
        "database.reachable",
        "database.address",
        "database.tls",
        "database.schema",
        "database.durability",
        "database.checksums",
        "discord.roles",
        "services.gateway",
        "invariants.changes",
    ] {
        assert!(said.contains(&format!("{{\"check\":\"{check}\",\"state\":\"ok\"")), "{check}: {said}");
    }
    signal(&child, Signal::TERM);
    let status =
        tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it stops").unwrap();
    assert!(
        status.success() && !url.exists(),
        "{status}: {}",
        fs::read_to_string(folder.0.join("log")).unwrap()
    );
    world.close().await;
}

#[tokio::test]
async fn both_services_problems_come_in_one_message() {
    let folder = Folder::new("problems");
    let output = up(&folder.0)
        .env("GUILD_ID", "x")
        .env("STRIPE_SECRET_KEY", "sk_live_hunter2")
        .output()
        .await
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{message}");
    for variable in ["GUILD_ID", "STRIPE_SECRET_KEY", "DISCORD_TOKEN"] {
        assert!(message.contains(&format!("  {variable}: ")), "{variable} is missing in\n{message}");
    }
    assert!(!message.contains("DATABASE_URL:"), "the database is ours to provide\n{message}");
    assert!(!message.contains("hunter2") && !folder.0.join(".nexrole").exists());
}

#[tokio::test]
async fn init_writes_a_file_to_fill_in_once() {
    let folder = Folder::new("init");
    let init = async || Command::new(NEXROLE).arg("init").current_dir(&folder.0).output().await.unwrap();
    let first = init().await;
    let said = String::from_utf8(first.stdout).unwrap();
    assert!(first.status.success() && said.contains("permissions=268435456"), "{said}");
    let path = folder.0.join(".env");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let keys = text.lines().find_map(|line| line.strip_prefix("ENCRYPTION_KEYS=")).expect("a key");
    shared::crypto::Keyring::parse(keys).expect("a good key");
    let second = init().await;
    assert!(!second.status.success() && String::from_utf8_lossy(&second.stderr).contains("there already"));
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing was changed");
}
