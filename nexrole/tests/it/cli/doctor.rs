//! `nexrole doctor` and `nexrole invariants`, as processes: what an operator is told. In: worlds in which one thing is wrong.
//! Out: that this is said, with what helps, and nothing else; no secret; and nothing is changed anywhere.

use std::{collections::BTreeMap, process::Stdio};

use bot::discord::inspect;
use nexrole::{children::free_port, doctor::Check};
use sandbox::stripe::{Fault, KEY};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::{
    crypto::Keyring,
    db::pg_roles::Login,
    domain::audit::{
        Actor,
        AuditAction::{self, RoleGranted, RoleLost, RoleRevoked},
    },
};
use sqlx::PgConnection;
use testkit::{openapi, scratch::Scratch};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

use crate::support::{
    own_server::NEXROLE,
    postgres_proxy::PostgresProxy,
    tenants::{ENCRYPTION_KEYS, numbered},
    world::{AuditLine, SECRET, World},
};

const OTHER_KEY: &str = "k1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const TOKEN: &str = "any-token";

/// What was said: by check, the states, details and fixes.
struct Said {
    code: Option<i32>,
    by_check: BTreeMap<String, Vec<Value>>,
    text: String,
}

impl Said {
    fn of(output: &std::process::Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty(), "{errors}");
        let mut by_check: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in text.lines() {
            let finding: Value = serde_json::from_str(line).expect("an object");
            by_check.entry(finding["check"].as_str().expect("a name").to_owned()).or_default().push(finding);
        }
        Self { code: output.status.code(), by_check, text }
    }

    fn with(&self, state: &str) -> Vec<&str> {
        let hit = |findings: &Vec<Value>| findings.iter().any(|finding| finding["state"] == state);
        self.by_check.iter().filter(|(_, findings)| hit(findings)).map(|(name, _)| name.as_str()).collect()
    }

    /// The worst state of a check.
    fn state(&self, check: &str) -> &str {
        let order = ["ok", "ask", "warn", "fail"];
        let rank = |finding: &&Value| order.iter().position(|state| finding["state"] == **state);
        self.by_check[check].iter().max_by_key(rank).expect("a finding")["state"].as_str().expect("a state")
    }

    /// These checks fail, no other, and the first says so and what helps.
    fn fails(&self, checks: &[&str], detail: &str, fix: &str) {
        let mut expected = checks.to_vec();
        expected.sort_unstable();
        assert_eq!(self.with("fail"), expected, "{}", self.text);
        assert_eq!(self.code, Some(1), "{}", self.text);
        let said = |finding: &&Value| {
            let has =
                |field: &str, text: &str| finding[field].as_str().is_some_and(|said| said.contains(text));
            finding["state"] == "fail" && has("detail", detail) && has("fix", fix)
        };
        assert!(self.by_check[checks[0]].iter().any(|finding| said(&finding)), "{}", self.text);
    }
}

fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(NEXROLE);
    command.args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).kill_on_drop(true);
    command.envs(world.variables()).env("ENCRYPTION_KEYS", ENCRYPTION_KEYS);
    command.env("SECURITY_CONTACT", "security@example.com");
    command.env("BIND", world.gateway_url.trim_start_matches("http://"));
    command
}

async fn doctor(world: &World, changes: &[(&str, &str)]) -> Said {
    // The bot's own port is any; nothing answers at this one.
    let nowhere = format!("127.0.0.1:{}", free_port().expect("a port"));
    let mut command = command(world, &["doctor", "--json", "--bot", &nowhere]);
    command.envs(changes.iter().copied());
    let said = Said::of(&command.output().await.expect("nexrole starts"));
    let names: Vec<&str> = said.by_check.keys().map(String::as_str).collect();
    let mut all: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
    all.sort_unstable();
    assert_eq!(names, all, "every check says something, whatever fails");
    for secret in [KEY, SECRET, TOKEN, "hunter2", "hunter%2F2", &ENCRYPTION_KEYS[3..], &OTHER_KEY[3..]] {
        assert!(!said.text.contains(secret), "{}", said.text);
    }
    said
}

#[tokio::test]
async fn all_is_well_and_what_cannot_be_seen_is_asked() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    let said = doctor(&world, &[("PUBLIC_URL", &world.gateway_url)]).await;
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(
        said.with("ask"),
        [
            "keys.age",
            "operator.backups",
            "operator.disks",
            "operator.logins",
            "operator.network",
            "operator.payments",
            "operator.providers",
            "services.bot",
        ],
        "{}",
        said.text
    );
    // Of the tests' own Postgres, and of a gateway without a proxy.
    let known = ["database.checksums", "database.durability", "web.tls"];
    let warned: Vec<&str> = said.with("warn").into_iter().filter(|check| !known.contains(check)).collect();
    assert!(warned.is_empty() && said.state("web.tls") == "warn", "{}", said.text);
    assert!(said.by_check["stripe.permissions"][0]["detail"].as_str().unwrap().contains("1 account"));

    // For people: the same, short, and with the bot where it answers.
    let bot = world.gateway_url.trim_start_matches("http://");
    let output = command(&world, &["doctor", "--bot", bot]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for line in [
        "configuration\n",
        "  ✓ reachable    Postgres ",
        "  ? logins       does everybody",
        "  ✓ bot          ",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(text.contains("\"Who may log in\"") && text.contains(" for you to answer\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 130), "{text}");
    for secret in [KEY, SECRET, TOKEN, &ENCRYPTION_KEYS[3..]] {
        assert!(!text.contains(secret), "{text}");
    }
    if openapi::discord().is_some() {
        let checked = world.checked().await.unwrap();
        for (method, path) in inspect::ROUTES {
            let route = (method.to_owned(), path.to_owned());
            assert!(checked.routes.contains_key(&route), "{method} {path} was never called");
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn checking_changes_nothing_anywhere() {
    let world = World::without_services().await;
    numbered(&world.login(Login::Operator), ENCRYPTION_KEYS, 1).await;
    world.map("price", &world.price.clone(), world.vip).await;
    let before = world.database().rows_by_table().await;
    world.discord.clear_requests().await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    doctor(&world, &[]).await;
    assert_eq!(world.database().rows_by_table().await, before);
    let (at_discord, at_stripe) =
        (world.discord.requests().await.unwrap(), world.stripe.requests().await.unwrap());
    assert!(at_discord.len() >= 4 && at_stripe.len() >= 6, "{at_discord:?} {at_stripe:?}");
    for request in at_discord.iter().chain(&at_stripe) {
        assert_eq!(request.method, "GET", "{request:?}");
    }
    // Postgres itself would refuse.
    let mut db: PgConnection = shared::store::health_facts::connect(world.database_url()).await.unwrap();
    let written = sqlx::query("INSERT INTO guilds (guild_id) VALUES (1)").execute(&mut db).await.unwrap_err();
    assert_eq!(written.as_database_error().unwrap().code().as_deref(), Some("25006"), "{written}");
    world.close().await;
}

#[tokio::test]
async fn wrong_variables_come_together_and_the_rest_is_checked_all_the_same() {
    let world = World::without_services().await;
    let said = doctor(&world, &[("STRIPE_SECRET_KEY", "sk_live_hunter2")]).await;
    said.fails(&["configuration.variables"], "STRIPE_SECRET_KEY: is a secret key", "rk_test_");
    assert_eq!(said.state("discord.token"), "ok", "{}", said.text);
    assert_eq!(said.state("database.schema"), "ok", "{}", said.text);
    assert_eq!(said.state("stripe.key"), "ask", "{}", said.text);

    let said = doctor(&world, &[("PUBLIC_URL", "http://roles.example"), ("LEASE_SECONDS", "1")]).await;
    said.fails(&["configuration.variables"], "PUBLIC_URL: must be https", "PUBLIC_URL=https://");
    assert_eq!(said.by_check["configuration.variables"].len(), 2, "{}", said.text);
    world.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_stripes_key_is_said() {
    let world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    let stripe =
        async |key: &str| doctor(&world, &[("STRIPE_SECRET_KEY", key), ("STRIPE_WEBHOOK_SECRET", "")]).await;
    let read = json!({ "customers": "read", "events": "read", "prices": "read", "products": "read" });
    let key = world.stripe.create_key("rk_test", Some(read)).await.unwrap();
    let said = stripe(&key).await;
    said.fails(&["stripe.permissions"], "may not read Subscriptions", "Read on Subscriptions");
    assert!(said.text.contains("may not read Payment Links: what is sold is not listed"), "{}", said.text);
    let thin = "may not read Invoices, Checkout Sessions: thin events about them are not acted on";
    assert!(said.text.contains(thin), "{}", said.text);
    let once = "may not read PaymentIntents, Charges and Refunds, Disputes: one-time purchases give nothing";
    assert!(said.text.contains(once), "{}", said.text);
    let portal = "may not read Customer portal: members are shown no page to manage or cancel";
    assert!(said.text.contains(portal), "{}", said.text);
    assert_eq!(said.state("web.address"), "ok", "nobody needs to reach us\n{}", said.text);
    world.stripe.change_key(&key, json!({ "state": "revoked" })).await.unwrap();
    stripe(&key).await.fails(&["stripe.key"], "does not know the key", "restricted");

    // A key in the database, and the variables of nobody.
    let ring = Keyring::parse(ENCRYPTION_KEYS).unwrap();
    let connection = numbered(&world.login(Login::Operator), ENCRYPTION_KEYS, 1).await.connection;
    let sealed = ring.seal(&connection.place("api_key"), b"rk_live_hunter2").unwrap();
    world.connections_get_key(&sealed).await;
    let said = stripe(KEY).await;
    said.fails(
        &["stripe.key", "discord.server"],
        "is in test mode, its key in live mode",
        "connect it again",
    );
    world.close().await;
}

#[tokio::test]
async fn what_keeps_members_from_logging_in_is_said() {
    let world = World::without_services().await;
    let id = sandbox::discord::BOT_ID.to_string();
    let (origin, wanted) = ("https://192.0.2.1", "https://192.0.2.1/oauth/discord/callback");
    let variables =
        [("PUBLIC_URL", origin), ("DISCORD_CLIENT_ID", &id), ("DISCORD_CLIENT_SECRET", "hunter2")];
    let said = doctor(&world, &variables).await;
    assert_eq!(said.state("discord.login"), "fail", "{}", said.text);
    assert!(said.text.contains(&format!("Redirects: add {wanted}")), "{}", said.text);
    world.discord.set_oauth(json!({ "redirect_uris": [wanted] })).await.unwrap();
    let said = doctor(&world, &variables).await;
    assert_eq!(said.state("discord.login"), "ok", "{}", said.text);
    let said = doctor(&world, &[variables[0], ("DISCORD_CLIENT_ID", "7"), variables[2]]).await;
    assert_eq!(said.state("discord.login"), "warn", "{}", said.text);
    world.close().await;
}

#[tokio::test]
async fn what_keeps_the_bot_from_giving_roles_is_said() {
    let world = World::start().await;
    let (discord, guild, vip) = (&world.discord, world.guild, world.vip);
    discord.fault(Fault::status(401).on("GET", "/users/@me")).await.unwrap();
    doctor(&world, &[]).await.fails(&["discord.token"], "refuses the token", "Reset Token");

    discord.set_role(guild, vip, json!({ "position": 60 })).await.unwrap();
    doctor(&world, &[]).await.fails(&["discord.roles"], "role VIP is above", "drag Nexrole above VIP");
    discord.set_role(guild, vip, json!({ "position": 1 })).await.unwrap();

    let state = discord.state().await.unwrap();
    let guilds = state["guilds"].as_array().unwrap();
    let id = guild.to_string();
    let ours = guilds.iter().find(|g| g["id"] == id.as_str()).unwrap();
    let roles = ours["roles"].as_array().unwrap();
    let own = roles.iter().find(|role| role["name"] == "Nexrole").unwrap()["id"].as_str().unwrap();
    let own: u64 = own.parse().unwrap();
    discord.set_role(guild, own, json!({ "permissions": "0" })).await.unwrap();
    doctor(&world, &[]).await.fails(&["discord.permissions"], "lacks Manage Roles", "Manage Roles on");
    discord.set_role(guild, own, json!({ "permissions": "8" })).await.unwrap();
    discord.allow_members_intent(false).await.unwrap();
    let said = doctor(&world, &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!((said.state("discord.permissions"), said.state("discord.intents")), ("warn", "warn"));
    assert!(said.text.contains("Administrator off"), "{}", said.text);

    discord.set_role(guild, vip, json!({ "permissions": "4" })).await.unwrap();
    let said = doctor(&world, &[]).await;
    assert_eq!((said.code, said.state("discord.roles")), (Some(0), "warn"), "{}", said.text);
    assert!(said.text.contains("VIP is given to nobody else: it gives Ban Members"), "{}", said.text);
    discord.delete_role(guild, vip).await.unwrap();
    doctor(&world, &[]).await.fails(&["discord.roles"], "does not exist any more", "map another");
    let again = discord.create_role(guild, "VIP again").await.unwrap();
    world.map("price", &world.price, again).await;
    let listed = async || world.is_listed(again).await && !world.is_listed(vip).await;
    world.until("the list was read", listed).await;
    let said = doctor(&world, &[]).await;
    assert!(said.state("discord.roles") == "ok" && !said.text.contains("any more"), "{}", said.text);
    discord.kick_bot(guild).await.unwrap();
    let invitation = format!("client_id={}&scope=bot", sandbox::discord::BOT_ID);
    doctor(&world, &[]).await.fails(&["discord.server"], "the bot is not in server", &invitation);
    world.close().await;
}

#[tokio::test]
async fn a_database_that_is_public_forgets_or_is_behind_is_said() {
    let world = World::without_services().await;
    // Reserved for documentation: nobody answers there.
    let public = "postgres://u:hunter2@192.0.2.1:5432/d?sslmode=verify-full";
    let said = doctor(&world, &[("DATABASE_URL", public), ("STRIPE_WEBHOOK_SECRET", "")]).await;
    said.fails(
        &["database.address", "database.reachable"],
        "192.0.2.1 is on a public address",
        "switch the public address off",
    );
    let unseen = ["database.durability", "discord.roles", "stripe.key", "web.address", "web.hsts", "web.tls"];
    for check in unseen {
        assert_eq!(said.state(check), "ask", "{check}: not looked at is not well\n{}", said.text);
    }
    assert!(!said.text.contains("every mapped role") && !said.text.contains("no webhooks"), "{}", said.text);

    for setting in ["nexrole.may_lose_data = off", "synchronous_commit = off"] {
        world.database().set(setting).await;
    }
    let said = doctor(&world, &[]).await;
    said.fails(&["database.durability"], "synchronous_commit", "ALTER SYSTEM SET synchronous_commit = on");
    assert!(said.text.contains("the provider's settings"), "{}", said.text);

    world.database().set("nexrole.may_lose_data = on").await;
    assert_eq!(doctor(&world, &[]).await.state("database.durability"), "warn");
    world.forget_the_newest_migration().await;
    doctor(&world, &[]).await.fails(&["database.schema"], "that are missing: 1", "nexrole migrate");
    world.close().await;
}

#[tokio::test]
async fn secrets_that_do_not_open_and_old_keys_are_said() {
    let world = World::without_services().await;
    numbered(&world.login(Login::Operator), ENCRYPTION_KEYS, 1).await;
    let said = doctor(&world, &[("ENCRYPTION_KEYS", OTHER_KEY)]).await;
    // The bot is not in that server either.
    let fix = "the key of that id in ENCRYPTION_KEYS is another one";
    said.fails(&["keys.open", "discord.server"], "2 sealed with 'k1' cannot be opened", fix);
    let old = ENCRYPTION_KEYS.replace("k1:", "k20260101:");
    let said = doctor(&world, &[("ENCRYPTION_KEYS", &format!("{ENCRYPTION_KEYS},{old}"))]).await;
    assert_eq!((said.state("keys.open"), said.state("keys.age")), ("ok", "warn"), "{}", said.text);
    let young = shared::crypto::generate("k20991231");
    let said = doctor(&world, &[("ENCRYPTION_KEYS", young.expose_secret())]).await;
    assert_eq!((said.state("keys.open"), said.state("keys.age")), ("fail", "ok"), "{}", said.text);
    world.close().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said() {
    let world = World::without_services().await;
    let then = "Sun, 06 Nov 1994 08:49:37 GMT";
    let me = json!({ "id": "1100000000000000003", "username": "Nexrole" });
    let at_discord = Fault::status(200).on("GET", "/users/@me").header("date", then).body(me);
    world.discord.fault(at_discord).await.unwrap();
    let at_stripe = Fault::status(200).on("GET", "/v1/customers").header("date", then).body(json!({}));
    world.stripe.fault(at_stripe).await.unwrap();
    let said = doctor(&world, &[]).await;
    said.fails(&["clock.discord", "clock.stripe"], "s ahead of Discord's", "NTP");
    assert_eq!(said.state("clock.database"), "ok", "{}", said.text);
    world.close().await;
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_and_a_service_that_waits_are_said() {
    let mut world = World::without_services().await;
    world.start_gateway().await;
    let elsewhere = world.variables().into_iter().find(|(name, _)| *name == "STRIPE_API_URL").unwrap().1;
    let said = doctor(&world, &[("PUBLIC_URL", &elsewhere)]).await;
    said.fails(&["web.address"], "answers with status 404", "let the proxy pass everything");
    let said = doctor(&world, &[("HTTP_PROXY", "http://127.0.0.1:9")]).await;
    assert_eq!(said.state("services.gateway"), "ok", "no proxy leads to this machine\n{}", said.text);
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bind = other.local_addr().unwrap().to_string();
    let page = async {
        let (mut stream, _) = other.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    };
    let changes = [("BIND", bind.as_str())];
    let (said, ()) = tokio::join!(doctor(&world, &changes), page);
    said.fails(&["services.gateway"], "by something else than the service", "BIND or PORT");
    // The proxy's certificate is nobody's.
    let port = free_port().expect("a port");
    let said = doctor(&world, &[("PUBLIC_URL", &format!("https://localhost:{port}"))]).await;
    said.fails(&["web.address"], "does not answer", "is its certificate good?");
    assert_eq!(said.state("web.tls"), "ask", "{}", said.text);

    world.migrations_succeeded(false).await;
    // An answer of /readyz stands for half a second.
    let url = format!("{}/readyz", world.gateway_url);
    world.until("it waits", async || world.http.get(&url).send().await.unwrap().status() == 503).await;
    let said = doctor(&world, &[]).await;
    said.fails(
        &["services.gateway", "database.schema"],
        "the schema is behind this release",
        "goes on by itself",
    );
    world.migrations_succeeded(true).await;
    world.close().await;
}

#[tokio::test]
async fn invariants_that_are_broken_are_named_with_their_server() {
    let world = World::without_services().await;
    numbered(&world.login(Login::Operator), ENCRYPTION_KEYS, 1).await;
    let guild = 200_000_000_000_000_001;
    let invariants = async || {
        let output = command(&world, &["invariants", "--json"]).output().await.unwrap();
        Said::of(&output)
    };
    let change = async |user: u64, action: AuditAction| {
        let (actor, cause) = (Actor::Bot, "x".to_owned());
        let (user, role) = (Some(user), Some(7));
        world
            .write_audit(AuditLine { guild, actor, action, user, role, cause, address: None, change: None })
            .await;
    };
    for action in [RoleGranted, RoleRevoked, RoleGranted, RoleLost, RoleGranted] {
        change(1, action).await;
    }
    world.an_event_is_unread().await;
    world.a_job_was_due(guild, 5).await;
    // No row is wrong because of this.
    world.database().set("nexrole.may_lose_data = off").await;
    let said = invariants().await;
    assert_eq!((said.code, said.with("ok").len(), said.by_check.len()), (Some(0), 3, 3), "{}", said.text);

    change(1, RoleGranted).await;
    change(2, RoleRevoked).await;
    // A server that was disconnected has an audit log too.
    world.connections_become("disconnected").await;
    let said = invariants().await;
    world.connections_become("active").await;
    said.fails(&["invariants.changes"], &format!("(server {guild}: 2)"), "report");
    world.lose_the_reads().await;
    world.jobs_were_due(11).await;
    let all = ["invariants.jobs", "invariants.events", "invariants.changes"];
    invariants().await.fails(&all, &format!("(server {guild}: 1)"), "does the bot run?");
    // The doctor checks too. Told to wait is not overdue.
    world.pause_for_an_hour().await;
    let said = doctor(&world, &[("STRIPE_API_URL", "http://127.0.0.1:9")]).await;
    assert_eq!(said.state("invariants.jobs"), "ok", "{}", said.text);
    assert_eq!((said.state("invariants.events"), said.state("invariants.changes")), ("fail", "fail"));
    said.fails(
        &["stripe.key", "discord.server", "database.durability", "invariants.changes", "invariants.events"],
        "Stripe did not answer",
        "api.stripe.com",
    );
    world.close().await;
}

#[tokio::test]
async fn a_database_that_goes_silent_is_given_up_and_what_it_did_not_say_is_asked() {
    let world = World::without_services().await;
    let silent_at = async |question: &str| {
        let proxy = PostgresProxy::to(world.database_url()).await;
        proxy.silence(question, 1);
        let said = doctor(&world, &[("DATABASE_URL", &proxy.url)]).await;
        said.fails(&["database.reachable"], "no answer within 20 seconds", "");
        assert_eq!((said.state("stripe.key"), said.state("discord.roles")), ("ask", "ask"), "{}", said.text);
        said
    };
    let (first, later) = tokio::join!(silent_at("listen_addresses"), silent_at("FROM mapped_roles"));
    assert_eq!((first.state("database.schema"), later.state("database.schema")), ("ask", "ok"));
    world.close().await;
}

#[tokio::test]
async fn without_any_variable_it_says_where_to_begin() {
    let folder = Scratch::new("doctor-empty");
    let mut command = Command::new(NEXROLE);
    command.args(["doctor", "--json", "--bot", "127.0.0.1:9"]).env_clear().env("BIND", "127.0.0.1:9");
    let output = command.current_dir(&folder.0).stdin(Stdio::null()).output().await.unwrap();
    let said = Said::of(&output);
    said.fails(&["database.reachable", "configuration.variables"], "no `nexrole up`", "start `nexrole up`");
    assert!(said.text.contains("DISCORD_TOKEN: is required"), "{}", said.text);
    assert_eq!((said.state("stripe.key"), said.state("web.address")), ("ask", "ask"), "{}", said.text);
}

#[tokio::test]
async fn a_mail_server_is_asked_and_given_no_mail() {
    use sandbox::smtp::{self, Fault, Options, Security};

    let world = World::start().await;
    let login = Some(("roles".to_owned(), "hunter/2".to_owned()));
    let server =
        smtp::serve(Options { port: 0, security: Security::StartTls, login }).await.expect("a server");
    let url = |password| format!("smtp://roles:{password}@localhost:{}?tls=required", server.address.port());
    let (good, wrong) = (url("hunter%2F2"), url("hunter2"));
    let with = |url| {
        [("SMTP_URL", url), ("SMTP_CA", server.certificate.as_str()), ("MAIL_FROM", "roles@example.com")]
    };
    let said = doctor(&world, &with(&good)).await;
    assert_eq!((said.state("mail.server"), said.state("mail.domain")), ("ok", "ask"), "{}", said.text);
    assert!(said.text.contains("_dmarc.example.com"), "{}", said.text);
    let said = doctor(&world, &with(&wrong)).await;
    said.fails(&["mail.server"], "535", "user and password");
    server.fault(Fault::HideStartTls);
    let said = doctor(&world, &with(&good)).await;
    said.fails(&["mail.server"], "nothing is sent without TLS", "smtps://");
    assert!(server.mails().is_empty() && !server.commands().iter().any(|heard| heard == "MAIL"));
    world.finish().await;
}
