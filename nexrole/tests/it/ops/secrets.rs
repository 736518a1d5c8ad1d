//! Nothing that is secret, or about a person, is shown or kept. In: a world in which each such thing has a value of its own, with
//! the services as processes that log all there is to log. Out: everything they wrote, said and stored, and no such value in it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use nexrole::children::{Plan, Running, Service, free_port};
use sandbox::Fault;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::{
    actions::reference::{self, Made},
    config::Env,
    crypto::Keyring,
    db::{pg_roles::Login, tenant},
    ids::{GuildId, UserId},
};
use testkit::scratch::Scratch;

use crate::support::{
    own_server::NEXROLE,
    signing::{event, sign},
    tenants::{NewTenant, SECOND_GUILD, SealedTenant},
    world::World,
};

const TOKEN: &str = "MTAxMDEw.CANARY.bot-token-5d1c0e";
const WEBHOOK_SECRET: &str = "whsec_CANARYenvironment7f3a";
const SEALED_WEBHOOK_SECRET: &str = "whsec_CANARYsealed91bb";
const PASSWORD: &str = "CANARYpassword4e2d";
const KEY: &str = "Q0FOQVJZa2V5Q0FOQVJZa2V5Q0FOQVJZa2V5Q0FOQVI=";
const EMAIL: &str = "canary.person@example.test";
/// The same where an id belongs. Without the line's end it would be one: an owner may have made it up, and ids are kept.
const NO_ID: &str = "canary.person@example.test\n";
const NAME: &str = "Canary Personname";
const CARD: &str = "4242424242424242";
const ADDRESS: &str = "17 Canary Lane";

/// A value that must not be found, and its other spellings.
fn spellings(value: &str) -> Vec<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let decimal: Vec<String> = value.bytes().map(|byte| byte.to_string()).collect();
    vec![
        value.to_owned(),
        value.replace('@', "%40").replace(' ', "%20"),
        hex::encode(value),
        STANDARD.encode(value),
        // As the bytes of a Basic authorization without a user.
        STANDARD.encode(format!("{value}:")),
        decimal.join(", "),
    ]
}

/// Everything that was seen, by where.
#[derive(Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, text: impl AsRef<str>) {
        let all = self.0.entry(place.into()).or_default();
        all.push_str(text.as_ref());
        all.push('\n');
    }

    /// `place: line` of each hit, shortened.
    fn hits(&self, canaries: &[&str]) -> Vec<String> {
        let mut hits = Vec::new();
        for (place, text) in &self.0 {
            let lower = text.to_lowercase();
            for spelling in canaries.iter().flat_map(|canary| spellings(canary)) {
                let Some(at) = lower.find(&spelling.to_lowercase()) else { continue };
                let line = lower[..at].matches('\n').count();
                let line = text.lines().nth(line).unwrap_or_default();
                hits.push(format!("{place}: {spelling}: {}", line.chars().take(300).collect::<String>()));
            }
        }
        hits
    }
}

/// A service as a process, its secrets in files.
struct Process {
    plan: Plan,
    running: Running,
}

struct Stage {
    world: World,
    scratch: Scratch,
    gateway: Process,
    bot: Process,
    metrics: [String; 2],
    api_keys: [String; 2],
    endpoint: String,
    /// Of a personal link.
    token: String,
}

/// Secrets as files, everything else as it is.
fn service_env(folder: &Path, secrets: &[(&str, &str)], plain: &[(&str, &str)]) -> Env {
    let mut env =
        Env::from_pairs(plain.iter().copied()).with("RUST_LOG", "trace,tungstenite::protocol=trace");
    for (name, value) in secrets {
        let path = folder.join(name.to_lowercase());
        fs::write(&path, value).expect("written");
        env = env.with(&format!("{name}_FILE"), path.to_str().expect("UTF-8"));
    }
    env
}

impl Stage {
    async fn set() -> Self {
        let mut world = World::without_services().await;
        let scratch = Scratch::new("secrets");
        let ports = [(); 4].map(|()| free_port().expect("a port"));
        world.gateway_url = format!("http://127.0.0.1:{}", ports[0]);
        world.stripe.set_webhook(&world.webhook(), WEBHOOK_SECRET).await.expect("Stripe answers");
        let api_keys = [
            world.stripe.create_key("rk_test", None).await.expect("Stripe answers"),
            world.stripe.create_key("rk_test", None).await.expect("Stripe answers"),
        ];
        let keys = format!("canary-id:{KEY}");
        let endpoint = seal(&world, &keys, &api_keys[1]).await;
        let token = personal(&world, &keys).await;
        let given: BTreeMap<&str, String> = world.variables().into_iter().collect();
        let database_url = with_password(&given["DATABASE_URL"]);
        let metrics = [ports[2], ports[3]].map(|port| format!("127.0.0.1:{port}"));
        let common =
            [("GUILD_ID", given["GUILD_ID"].as_str()), ("LEASE_SECONDS", "3"), ("POLL_SECONDS", "0.1")];
        let secrets = [
            ("DATABASE_URL", database_url.as_str()),
            ("STRIPE_SECRET_KEY", &api_keys[0]),
            ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("ENCRYPTION_KEYS", &keys),
        ];
        let plain =
            [&common[..], &[("STRIPE_API_URL", &given["STRIPE_API_URL"]), ("METRICS_BIND", &metrics[0])]];
        let gateway = service_env(&scratch.0, &secrets, &plain.concat());
        let secrets = [("DATABASE_URL", database_url.as_str()), ("DISCORD_TOKEN", TOKEN)];
        let plain =
            [&common[..], &[("DISCORD_API_URL", &given["DISCORD_API_URL"]), ("METRICS_BIND", &metrics[1])]];
        let bot = service_env(&scratch.0, &secrets, &plain.concat());
        world.map("price", &world.price.clone(), world.vip).await;
        let gateway = Process::start(Service::Gateway, gateway, ports[0], &scratch.0).await;
        let bot = Process::start(Service::Bot, bot, ports[1], &scratch.0).await;
        let configured = async || {
            let answer = world.http.post(world.webhook()).send().await;
            answer.is_ok_and(|answer| answer.status() == 400)
        };
        world.until("the configured connection is known", configured).await;
        Self { world, scratch, gateway, bot, metrics, api_keys, endpoint, token }
    }

    fn canaries(&self) -> Vec<&str> {
        // The first 15 letters of a token are for people.
        let keys = self.api_keys.iter().map(String::as_str).chain([&self.token[15..]]);
        let fixed = [TOKEN, WEBHOOK_SECRET, SEALED_WEBHOOK_SECRET, PASSWORD, KEY, EMAIL, NAME, CARD, ADDRESS];
        keys.chain(fixed).collect()
    }

    /// The operator's commands that handle secrets, or show what is about people; those that must fail too.
    async fn operate(&self, seen: &mut Seen) {
        let (guild, role) = (self.world.guild.to_string(), self.world.vip.to_string());
        let file = |name: &str, content: &str| {
            let path = self.scratch.0.join(name);
            fs::write(&path, content).expect("written");
            path.to_str().expect("UTF-8").to_owned()
        };
        let (key, secret) = (file("key", &self.api_keys[1]), file("secret", SEALED_WEBHOOK_SECRET));
        let (no_key, no_secret) = (file("no-key", TOKEN), file("no-secret", EMAIL));
        let connect = ["connect", "--guild", "333333333333333333", "--webhook-secret-file"];
        for (works, arguments) in [
            (true, [&connect[..], &[&secret, "--key-file", &key]].concat()),
            (false, [&connect[..], &[&secret, "--key-file", &no_key]].concat()),
            (false, [&connect[..], &[&no_secret, "--key-file", &key]].concat()),
            (true, vec!["keys", "generate"]),
            (true, vec!["keys", "status"]),
            (true, vec!["keys", "rotate"]),
            (true, vec!["export", "--guild", &guild]),
            (true, vec!["export", "--guild", &guild, "--format", "csv"]),
            (true, vec!["map", "list", "--guild", &guild]),
            (true, vec!["map", "preview", "--guild", &guild, "--role", &role]),
            (false, vec!["map", "add", "--guild", &guild, "--price", NO_ID, "--role", &role]),
        ] {
            let mut command = tokio::process::Command::new(NEXROLE);
            command.args(&arguments).env_clear().env("RUST_LOG", "trace").current_dir(&self.scratch.0);
            for name in ["DATABASE_URL", "ENCRYPTION_KEYS"] {
                command.env(format!("{name}_FILE"), self.scratch.0.join(name.to_lowercase()));
            }
            let output = command.output().await.expect("nexrole starts");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.success(), works, "{arguments:?}: {said}");
            assert!(!said.trim().is_empty(), "{arguments:?}");
            // What somebody typed comes back to them.
            let said = if arguments.contains(&NO_ID) { said.replace(EMAIL, "") } else { said };
            seen.add(format!("nexrole {}", arguments[..2].join(" ")), said);
        }
    }

    /// What the services wrote, what the database holds, and what their environment tells.
    async fn scan(&self, seen: &mut Seen) {
        for process in [&self.gateway, &self.bot] {
            let (word, pid) = (process.plan.service.word(), process.running.pid().expect("it runs"));
            let log = fs::read(process.plan.log.as_ref().expect("it has one")).expect("a log");
            seen.add(format!("log of {word}"), String::from_utf8_lossy(&log));
            let environment = fs::read(format!("/proc/{pid}/environ")).expect("its environment");
            seen.add(format!("environment of {word}"), String::from_utf8_lossy(&environment));
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).expect("its arguments");
            seen.add(format!("arguments of {word}"), String::from_utf8_lossy(&arguments));
        }
        for address in &self.metrics {
            let scraped = self.world.http.get(format!("http://{address}/metrics")).send().await;
            seen.add("metrics", scraped.expect("it answers").text().await.expect("text"));
        }
        for (table, rows) in self.world.database().rows_by_table().await {
            seen.add(
                format!("table {table}"),
                rows.join(
                    "
",
                ),
            );
        }
    }
}

impl Process {
    async fn start(service: Service, env: Env, port: u16, folder: &Path) -> Self {
        let log = Some(folder.join(format!("{}.log", service.word())));
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        let plan = Plan { program: PathBuf::from(NEXROLE), service, env, listen, log };
        let running = plan.start_ready().await.expect("it starts");
        Self { plan, running }
    }
}

/// A second server whose secrets are in the database, and which is read. Out: its webhook address' last part.
async fn seal(world: &World, keys: &str, api_key: &str) -> String {
    let second = NewTenant {
        keys,
        api_key: Some(api_key),
        metadata_links: Some(true),
        ..NewTenant::new(SECOND_GUILD, SEALED_WEBHOOK_SECRET)
    };
    let SealedTenant { connection, endpoint } = second.connect(&world.login(Login::Operator)).await;
    let mut tenant = world.tenant(connection.guild).await;
    shared::store::stripe_cursors::ensure(&mut tenant, connection.id).await.expect("made");
    tenant.commit().await.expect("committed");
    endpoint
}

/// The token of somebody's personal link, as the gateway makes it with these keys.
async fn personal(world: &World, keys: &str) -> String {
    let gateway = world.login(Login::Gateway);
    let guild = GuildId::from_u64(world.guild).expect("a guild");
    let mut tenant = tenant::begin(&gateway, guild).await.expect("it begins");
    let peppers = reference::peppers(Some(&Keyring::parse(keys).expect("keys")));
    let user = UserId::from_u64(7).expect("a user");
    let made = reference::make(&mut tenant, &peppers, user).await.expect("it is made");
    tenant.commit().await.expect("it is kept");
    gateway.close().await;
    match made {
        Made::Token(token) => token.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// The password is not asked for by the tests' Postgres; it is in the address all the same.
fn with_password(url: &str) -> String {
    let (user, rest) = url.split_once('@').expect("a user");
    let user = user.rsplit_once('/').map_or(user, |(_, user)| user);
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("postgres://{user}:{PASSWORD}@{rest}")
}

/// An object in which every text that Stripe lets people write is one of the canaries.
fn stuffed(id: &str) -> Value {
    json!({
        "id": id, "object": "subscription", "customer": "cus_stuffed", "status": EMAIL,
        "description": format!("{NAME} {CARD}"), "customer_email": EMAIL, "customer_name": NAME,
        "billing_details": { "name": NAME, "email": EMAIL, "address": { "line1": ADDRESS } },
        "payment_method": { "card": { "number": CARD, "last4": "4242" } },
        "metadata": { "discord_user_id": CARD, CARD: EMAIL, "card": CARD, "name": NAME },
        "items": { "data": [{ "id": NAME, "price": { "id": EMAIL, "product": CARD } }] },
    })
}

#[tokio::test]
async fn no_secret_and_nothing_about_a_person_is_logged_stored_or_answered() {
    let stage = Stage::set().await;
    let (world, mut seen) = (&stage.world, Seen::default());

    // An ordinary life, of a customer with a name and an address.
    let ana = world.member().await;
    let about = json!({ "email": EMAIL, "name": NAME, "description": CARD, "address": { "line1": ADDRESS } });
    world.stripe.update_customer(&ana.customer, about).await.expect("Stripe answers");
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let metadata = json!({ "description": EMAIL, "metadata": { "card": CARD, "name": NAME } });
    world.stripe.set_subscription(&subscription, metadata).await.expect("Stripe answers");
    world.heard().await;

    // Somebody pays by a personal link, whose token comes with the event and with the session.
    let session = json!({ "prices": [world.price], "client_reference_id": stage.token });
    let session = world.stripe.open_session(session).await.expect("Stripe answers");
    world.stripe.complete_session(&session, json!({})).await.expect("Stripe answers");
    world.until("it waits", async || world.personal_links().await == [(7, "pending".to_owned())]).await;

    // Events stuffed with what must not stay, accepted and refused; to the sealed endpoint too.
    let sealed = format!("{}/{}", world.webhook(), stage.endpoint);
    for (number, kind) in
        ["customer.subscription.updated", "customer.updated", "invoice.paid", "charge.failed", EMAIL]
            .into_iter()
            .enumerate()
    {
        for (url, secret) in [(world.webhook(), WEBHOOK_SECRET), (sealed.clone(), SEALED_WEBHOOK_SECRET)] {
            let object =
                if number == 1 { json!({ "id": NO_ID, "email": EMAIL }) } else { stuffed(&subscription) };
            let body = event(&format!("evt_stuffed_{number}"), kind, &object, false);
            let request =
                world.http.post(&url).header("Stripe-Signature", sign(&body, secret)).body(body.clone());
            answered(&mut seen, request).await;
            let request =
                world.http.post(&url).header("Stripe-Signature", sign(&body, "whsec_wrong")).body(body);
            answered(&mut seen, request).await;
        }
    }
    for body in
        [format!("{{\"id\":\"{CARD}\",\"email\":\"{EMAIL}\""), format!("[\"{EMAIL}\"]"), EMAIL.to_owned()]
    {
        let signature = sign(body.as_bytes(), WEBHOOK_SECRET);
        answered(
            &mut seen,
            world.http.post(world.webhook()).header("Stripe-Signature", signature).body(body),
        )
        .await;
    }
    let odd = format!("{}/{EMAIL}?secret={WEBHOOK_SECRET}", world.webhook());
    answered(&mut seen, world.http.post(odd).header("Authorization", TOKEN).body(CARD)).await;

    // Errors whose bodies quote what they were about.
    let quoted = json!({ "error": { "type": "invalid_request_error", "code": EMAIL,
        "message": format!("Invalid key {} for {NAME} {EMAIL} {CARD}", stage.api_keys[0]) } });
    let quoting = async |status: u16| {
        let calls = world.stripe.requests().await.expect("Stripe answers");
        calls.iter().filter(|call| call.fault.is_some() && call.status == Some(status)).count()
    };
    for status in [400, 401, 402, 403, 429, 500] {
        // What a key is refused with its discounts is read without them.
        let times = if status == 403 { 2 } else { 1 };
        let fault = Fault::status(status).times(times).body(quoted.clone());
        world.stripe.fault(fault.on("GET", "/v1/subscriptions/")).await.expect("the fault is queued");
        let object = json!({ "id": subscription });
        let body = event(&format!("evt_failing_{status}"), "customer.subscription.updated", &object, false);
        let signature = sign(&body, WEBHOOK_SECRET);
        answered(
            &mut seen,
            world.http.post(world.webhook()).header("Stripe-Signature", signature).body(body),
        )
        .await;
        let quoted = async || quoting(status).await == times as usize;
        world.until("an error that quotes was answered", quoted).await;
        let failed = async || world.reads_where(|read| read.attempts > 0 && read.last_error.is_some()).await;
        world.until("it is written down why", async || failed().await > 0).await;
        world.reads_are_due().await;
        // Otherwise its next attempt would meet the next fault.
        world.until("it is read at last", async || failed().await == 0).await;
    }
    world.stripe.clear_faults().await.expect("Stripe answers");
    let refused = json!({ "code": 50013, "message": format!("{TOKEN} {EMAIL}") });
    for fault in [Fault::status(500).text(TOKEN), Fault::status(403).body(refused)] {
        world.discord.fault(fault.times(1).on("DELETE", "/roles/")).await.expect("the fault is queued");
    }
    let admin = world.discord.join(world.guild, "admin").await.expect("Discord answers");
    world.stripe.cancel(&subscription).await.expect("Stripe answers");
    for call in ["DELETE 500", "DELETE 403"] {
        let tried = async || world.role_calls().await.iter().any(|made| made == call);
        world.until("taking the role failed, and failed again", tried).await;
    }
    let status = world.discord.interact(world.guild, admin, "status").await.expect("Discord answers");
    seen.add("/status", status.text());
    world.discord.drop_gateway().await.expect("Discord answers");
    for path in ["/healthz", "/readyz", "/nowhere", "/metrics"] {
        answered(&mut seen, world.http.get(format!("{}{path}", world.gateway_url))).await;
    }
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    for arguments in [
        &["connections"][..],
        &["why", "--guild", &guild, "--member", &member],
        &["catalogue", "--guild", &guild],
    ] {
        let said = world.nexrole(arguments).await.unwrap_or_else(|error| error);
        seen.add(format!("nexrole {}", arguments[0]), said);
    }
    stage.operate(&mut seen).await;

    stage.scan(&mut seen).await;
    // What is not logged cannot leak: the libraries did speak, and the awkward paths were taken.
    let (gateway, bot) = (&seen.0["log of gateway"], &seen.0["log of bot"]);
    for said in ["sqlx::query", "hyper_util::client", "a webhook was refused", "a signed webhook is no event"]
    {
        assert!(gateway.contains(said), "the gateway's log has no {said}");
    }
    // Of serenity only what says nothing is left: its types, and its HTTP client over ours.
    for said in ["tungstenite", "hyper_util::client", "bot::gateway", "sqlx::query"] {
        assert!(bot.contains(said), "the bot's log has no {said}");
    }
    let hits = seen.hits(&stage.canaries());
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));

    let Stage { world, scratch, gateway, bot, .. } = stage;
    gateway.running.stop().await.expect("it stops");
    bot.running.stop().await.expect("it stops");
    drop(scratch);
    world.close().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_costs_no_word_of_its_password() {
    let scratch = Scratch::new("password");
    let closed = free_port().expect("a port");
    let cases = [
        (format!("127.0.0.1:{closed}/x"), Service::Gateway),
        (format!("localhost:{closed}/x?sslmode=verify-full"), Service::Bot),
        ("localhost/x?host=/nowhere".to_owned(), Service::Gateway),
    ];
    // At once: each waits as long as a database may take.
    let seen = join_all(cases.iter().enumerate().map(async |(number, (rest, service))| {
        let url = format!("postgres://somebody:{PASSWORD}@{rest}");
        let commands = [&["connections"][..], &["keys", "status"], &["migrate"]];
        let commands = join_all(commands.map(|arguments| refused(&scratch, &url, arguments)));
        let name = number.to_string();
        let (mut seen, commands) = tokio::join!(unready(&scratch, &name, *service, &url), commands);
        for (command, said) in commands {
            seen.add(command, said);
        }
        seen
    }));
    for seen in seen.await {
        let hits = seen.hits(&[PASSWORD, TOKEN]);
        assert!(hits.is_empty(), "{}", hits.join("\n"));
    }
}

/// What a service shows whose database cannot be reached.
async fn unready(scratch: &Scratch, name: &str, service: Service, url: &str) -> Seen {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let secrets = [("DATABASE_URL", url), ("DISCORD_TOKEN", TOKEN)];
    let plain =
        [("METRICS_BIND", "127.0.0.1:0"), ("DISCORD_API_URL", "http://127.0.0.1:1"), ("POLL_SECONDS", "0.1")];
    let folder = scratch.0.join(name);
    fs::create_dir(&folder).expect("a folder");
    let env = service_env(&folder, &secrets, &plain);
    let port = free_port().expect("a port");
    let (log, listen) = (folder.join("log"), SocketAddr::from(([127, 0, 0, 1], port)));
    let plan = Plan { program: PathBuf::from(NEXROLE), service, env, listen, log: Some(log.clone()) };
    let running = plan.start().expect("it starts");
    let ready = format!("http://{listen}/readyz");
    let answer = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            match http.get(&ready).send().await {
                Ok(answer) => return answer.text().await.expect("text"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    let mut seen = Seen::default();
    seen.add("/readyz", answer.await.expect("it answers"));
    let log_has = || fs::read_to_string(&log).expect("a log");
    assert!(seen.0["/readyz"].contains("the database does not answer"), "{:?}", seen.0);
    assert!(log_has().contains("the database does not answer"), "{}", log_has());
    running.kill().await.expect("killed");
    seen.add("log", log_has());
    seen
}

/// What a command says that cannot reach its database.
async fn refused(scratch: &Scratch, url: &str, arguments: &[&str]) -> (String, String) {
    let mut command = tokio::process::Command::new(NEXROLE);
    command.args(arguments).env_clear().env("DATABASE_URL", url).env("RUST_LOG", "trace");
    let output = command.current_dir(&scratch.0).output().await.expect("nexrole starts");
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    (arguments.join(" "), String::from_utf8_lossy(&said).into_owned())
}

async fn answered(seen: &mut Seen, request: reqwest::RequestBuilder) {
    let answer = request.send().await.expect("the gateway answers");
    let headers = format!("{:?}", answer.headers());
    seen.add("answers", format!("{} {headers} {}", answer.status(), answer.text().await.expect("text")));
}

/// A search that finds nothing proves something only if it finds what is there.
#[test]
fn the_search_finds_a_value_in_each_of_its_spellings() {
    for spelling in spellings(EMAIL) {
        let mut seen = Seen::default();
        seen.add("somewhere", format!("first\nbefore {spelling} after"));
        assert!(!seen.hits(&[EMAIL]).is_empty(), "{spelling}");
        assert!(seen.hits(&[TOKEN]).is_empty());
    }
}
