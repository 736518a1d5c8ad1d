//! Secrets at rest: `nexrole keys` and `nexrole connect` as processes, and a gateway that lacks a key.

use std::{
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use secrecy::ExposeSecret;
use serde_json::json;
use shared::{
    crypto::{Fingerprint, Keyring},
    db::pg_roles::Login,
    store::stripe_connections::{self, Connection},
};
use testkit::scratch::Scratch;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::support::{
    cluster::Database,
    own_server::NEXROLE,
    scale,
    signing::{event, sign},
    tenants::{ENCRYPTION_KEYS, all_sealed, numbered},
    world::World,
};

const OLD: &str = "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn ring(keys: &str) -> Keyring {
    Keyring::parse(keys).expect("good keys")
}

fn nexrole(database: &str, keys: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(NEXROLE);
    command.args(arguments).env_clear().env("DATABASE_URL", database).env("ENCRYPTION_KEYS", keys);
    command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(database: &str, keys: &str, arguments: &[&str]) -> Output {
    nexrole(database, keys, arguments).output().await.expect("nexrole starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn status_says_what_each_key_is_needed_for_and_fails_when_one_is_missing() {
    let database = Database::create().await;
    let generated = run(&database.url, OLD, &["keys", "generate"]).await;
    let line = String::from_utf8(generated.stdout.clone()).unwrap();
    ring(line.trim());
    assert!(text(&generated).contains("nexrole keys rotate"));
    let empty = run(&database.url, OLD, &["keys", "status"]).await;
    assert!(empty.status.success() && text(&empty).contains("nothing is sealed with it"), "{}", text(&empty));

    let operator = database.login(Login::Operator);
    numbered(&operator, OLD, 1).await;
    numbered(&operator, NEW, 2).await;
    let both = run(&database.url, &format!("{NEW},{OLD}"), &["keys", "status"]).await;
    let said = text(&both);
    assert!(both.status.success() && said.contains("new  seals and opens"), "{said}");
    assert!(said.contains("old  opens, of unknown age: 1 × stripe_connections.api_key, 1 ×"), "{said}");

    let another = "old:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    for (keys, fix) in [
        (NEW.to_owned(), "2 sealed with 'old' cannot be opened: add the key 'old' to ENCRYPTION_KEYS again"),
        (format!("{NEW},{another}"), "the key of that id in ENCRYPTION_KEYS is another one"),
        (String::new(), "2 sealed with 'new' cannot be opened"),
    ] {
        for command in ["status", "rotate"] {
            let output = run(&database.url, &keys, &["keys", command]).await;
            let said = text(&output);
            if keys.is_empty() && command == "rotate" {
                assert_eq!(output.status.code(), Some(78), "{said}");
                continue;
            }
            assert_eq!(output.status.code(), Some(1), "{command}: {said}");
            assert!(command == "rotate" || said.contains(fix), "{said}");
            assert!(said.contains("'old'") && said.contains("ENCRYPTION_KEYS"), "{said}");
            assert!(!said.contains("AAAAAAAA") && !said.contains("AQEBAQ"), "{said}");
        }
    }
    database.remove().await;
}

/// Somebody reads all the time, somebody connects all the time, and the command dies again and again.
#[tokio::test]
async fn rotation_under_load_with_kills_loses_nothing_and_leaves_nothing_on_the_old_key() {
    let (kills, servers) = if scale::is_full() { (20, 3_000) } else { (4, 700) };
    let database = Database::create().await;
    let operator = database.login(Login::Operator);
    for number in 0..servers {
        numbered(&operator, OLD, number).await;
    }
    let both = format!("{NEW},{OLD}");
    let (over, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reader = tokio::spawn({
        let (pool, keyring, over, opened) =
            (operator.clone(), ring(&both), Arc::clone(&over), Arc::clone(&opened));
        async move {
            while !over.load(SeqCst) {
                for value in all_sealed(&pool).await {
                    value.opens(&keyring).expect("it opens, sealed by whichever key");
                    opened.fetch_add(1, SeqCst);
                }
            }
        }
    });
    let writer = tokio::spawn({
        let (pool, keys, over) = (operator.clone(), both.clone(), Arc::clone(&over));
        async move {
            // Odd ones: what it seals anew is no work for the command, which is held at even ones.
            let mut number = 1;
            while !over.load(SeqCst) {
                numbered(&pool, &keys, number % servers).await;
                number += 14;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let left = async || database.connections_sealed_with("old").await;
    for kill in 1..=kills {
        // Somebody holds a row in the middle of what is left, and there it dies. Watching how far it got, and killing it then,
        // would kill it too late on a busy machine: once it is through, nothing is left for the next.
        let hold = database.hold_numbered(servers * kill / (kills + 1) / 2 * 2).await;
        let mut running =
            nexrole(&database.url, &both, &["keys", "rotate"]).stdout(Stdio::null()).spawn().unwrap();
        let began = std::time::Instant::now();
        while !database.a_rotation_waits().await {
            let ended = running.try_wait().unwrap();
            assert!(ended.is_none(), "kill {kill}: it ended with {ended:?} before it came to the row");
            assert!(began.elapsed() < Duration::from_secs(60), "kill {kill}: it does not come to the row");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        running.kill().await.unwrap();
        hold.rollback().await.unwrap();
        assert!(left().await > 0, "kill {kill} was half way");
    }
    let last = run(&database.url, &both, &["keys", "rotate"]).await;
    assert!(last.status.success(), "{}", text(&last));
    over.store(true, SeqCst);
    reader.await.expect("no value failed to open");
    writer.await.expect("every connection was made");
    println!("{kills} kills, each half way; {} values opened meanwhile", opened.load(SeqCst));
    assert_eq!(left().await, 0);
    let values = all_sealed(&operator).await;
    assert_eq!(values.len() as u64, servers * 2);
    assert!(values.iter().all(|value| value.opens(&ring(NEW)).is_ok()), "the old key is not needed any more");
    let again = run(&database.url, NEW, &["keys", "rotate"]).await;
    assert!(text(&again).contains(&format!("0 anew, {} before", servers * 2)), "{}", text(&again));
    let status = run(&database.url, &both, &["keys", "status"]).await;
    assert!(
        status.status.success()
            && text(&status)
                .contains("old  opens, of unknown age: nothing is sealed with it; it can be removed")
    );
    database.remove().await;
}

#[tokio::test]
async fn a_missing_key_costs_its_own_server_503_and_nobody_else_anything() {
    let mut world = World::without_services().await;
    let mut endpoints = Vec::new();
    for (number, keys) in [(1, ENCRYPTION_KEYS), (2, OLD)] {
        endpoints.push(numbered(&world.login(Login::Operator), keys, number).await.endpoint);
    }
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let body = event("evt_1", "new.type", &json!({}), false);
    for (endpoint, expected) in endpoints.iter().zip([200, 503]) {
        let url = format!("{}/webhooks/stripe/{endpoint}", world.gateway_url);
        let signature = sign(&body, "whsec_a");
        let answer = world
            .http
            .post(url)
            .header("Stripe-Signature", signature)
            .body(body.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), expected, "{}", answer.text().await.unwrap());
    }
    let ready = world.http.get(format!("{}/readyz", world.gateway_url)).send().await.unwrap();
    assert_eq!(ready.status(), 200, "one server's key is no reason to serve nobody");
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn connect_seals_what_files_hold_and_takes_no_secret_key() {
    let (database, scratch) = (Database::create().await, Scratch::new("connect"));
    let operator = database.login(Login::Operator);
    let file = |name: &str, content: &str| {
        let path = scratch.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, secret) = (file("key", "rk_test_canary\n"), file("secret", "whsec_canary\n"));
    let (sk, none) = (file("sk", "sk_live_canary"), file("none", "canary"));
    let guild = "200000000000000001";
    let connect = ["connect", "--guild", guild, "--key-file"];
    for (more, wrong) in [
        (&[sk.as_str()][..], "is a secret key, which could move money"),
        (&[none.as_str()], "is not a restricted key"),
        (&[&key, "--webhook-secret-file", &none], "is not a list of whsec_"),
        (&[&key, "--label", "environment"], "taken"),
        (&["-", "--webhook-secret-file", "-"], "only one"),
    ] {
        let refused = run(&database.url, OLD, &[&connect[..], more].concat()).await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused).contains(wrong) && !text(&refused).contains("canary"), "{}", text(&refused));
    }
    let keyless = run(&database.url, "", &[&connect[..], &[&key]].concat()).await;
    assert_eq!(keyless.status.code(), Some(78), "{}", text(&keyless));
    assert!(all_sealed(&operator).await.is_empty(), "nothing was stored by what was refused");

    let arguments = [&connect[..], &["-", "--webhook-secret-file", &secret]].concat();
    let mut child = nexrole(&database.url, OLD, &arguments);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"rk_test_canary\n").await.unwrap();
    let done = child.wait_with_output().await.unwrap();
    assert!(done.status.success() && !text(&done).contains("canary"), "{}", text(&done));
    let values = all_sealed(&operator).await;
    let opened: Vec<String> = values
        .iter()
        .map(|value| {
            let place = value.connection.place(value.column.name());
            ring(OLD).open(&place, &value.bytes).unwrap().expose_secret().to_owned()
        })
        .collect();
    assert_eq!(opened, ["rk_test_canary", "whsec_canary"]);

    // Connected again: what is not given stays. Each change is audited, secrets by their fingerprints.
    let renewed = file("renewed", "rk_test_canary_renewed");
    let links = run(&database.url, OLD, &[&connect[..], &[&renewed, "--metadata-links"]].concat()).await;
    assert!(text(&links).contains("Its webhook secret stays as it was."), "{}", text(&links));
    let same = run(&database.url, OLD, &[&connect[..], &[&renewed]].concat()).await;
    assert!(same.status.success(), "{}", text(&same));
    assert!(database.the_connection_links_and_verifies().await);
    let audited = database.audited_changes().await.join(
        "
",
    );
    let prints = ["rk_test_canary", "rk_test_canary_renewed", "whsec_canary"]
        .map(|secret| Fingerprint::of(&secret.into()).to_string());
    let expected = [
        r#"operator connection.set {"label": [null, "stripe"], "state": [null, "active"], "livemode": [null, "false"], "metadata_links": [null, "false"]}"#.to_owned(),
        format!(r#"operator connection.set {{"api_key": [null, "{}"], "webhook_secrets": [null, "{}"]}}"#, prints[0], prints[2]),
        r#"operator connection.set {"metadata_links": ["false", "true"]}"#.to_owned(),
        format!(r#"operator connection.set {{"api_key": ["{}", "{}"]}}"#, prints[0], prints[1]),
    ];
    assert_eq!(audited.lines().collect::<Vec<_>>(), expected);
    assert!(!audited.contains("canary"));
    let Connection { guild, id } = values[0].connection;
    let mut tenant = database.tenant(guild).await;
    let endpoint = stripe_connections::endpoint_id(&mut tenant, id).await.unwrap();
    assert!(text(&done).contains(&format!("/webhooks/stripe/{endpoint}")));
    drop(tenant);
    database.remove().await;
}
