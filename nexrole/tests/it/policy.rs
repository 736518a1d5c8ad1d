//! What `SECURITY.md` and `security/controls.toml` promise and a test can hold us to: the policy's words, what the code may
//! name, and stories in which somebody asks for more than we give.

use std::{fs, path::Path};

use sandbox::stripe::Fault;
use serde_json::json;

use crate::{
    bad_input::event,
    tidy::{code, product},
    world::World,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Product code without comments, line by line.
fn statements() -> impl Iterator<Item = (String, String)> {
    product().filter(|(path, _)| !path.starts_with("sandbox")).flat_map(|(path, text)| {
        let lines = code(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.map(|line| (path.display().to_string(), line.to_owned())).collect::<Vec<_>>()
    })
}

#[test]
fn the_policy_says_how_to_report_and_what_follows() {
    let policy = text_of("SECURITY.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for promise in [
        "in private",
        "what you did",
        "what happened",
        "what somebody could do with it",
        "within 24 hours",
        "within 72 hours",
        "keep you informed",
        "credit",
        "no bounty",
        "Please do not publish before a fix is out",
        "90 days",
        "we will not take legal action",
        "Supported versions",
        "Scope",
    ] {
        assert!(policy.contains(promise), "SECURITY.md does not say: {promise}");
    }
}

#[test]
fn what_the_policy_links_to_is_there() {
    let policy = text_of("SECURITY.md");
    let links: Vec<&str> = policy.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for wanted in ["docs/threats.md", "docs/hardening.md", "docs/ARCHITECTURE.md", "security/controls.toml"] {
        assert!(links.contains(&wanted), "SECURITY.md does not link to {wanted}");
    }
    for link in links.iter().filter(|link| !link.contains("://")) {
        let file = link.split('#').next().expect("a part");
        assert!(root().join(file).exists(), "SECURITY.md links to {link}");
    }
    assert!(text_of("README.md").contains("(SECURITY.md)"));
}

#[test]
fn what_is_planned_is_dated_and_changes_of_security_are_announced() {
    let dated = text_of("docs/roadmap.md");
    let date = dated.split_once("As of ").and_then(|(_, rest)| rest.get(..10)).expect("a date");
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(date, format).unwrap_or_else(|error| panic!("docs/roadmap.md, {date}: {error}"));
    assert!(text_of("CHANGELOG.md").contains("### Security\n- "));
    for link in ["(docs/roadmap.md)", "(CHANGELOG.md)"] {
        assert!(text_of("README.md").contains(link), "README.md does not link to {link}");
    }
}

/// sqlx takes fixed texts only, unless it is told that a made one is safe.
#[test]
fn no_statement_is_made_of_what_somebody_wrote() {
    // Commands about databases, by their checked names; roles, whose names stand there, milliseconds, and a guild's id, whose
    // type is a number: SET and BEGIN take no parameters.
    let known = [
        "nexrole/src/database.rs",
        "shared/src/db/pool.rs",
        "shared/src/db/pg_roles.rs",
        "shared/src/db/tenant.rs",
    ];
    for (file, line) in statements().filter(|(file, _)| !known.contains(&file.as_str())) {
        for word in ["AssertSqlSafe", "QueryBuilder", ".leak()", "Box::leak"] {
            assert!(!line.contains(word), "{file}: {line}");
        }
    }
}

#[test]
fn nobody_has_a_password_or_a_token_that_cannot_be_taken_back() {
    for entry in fs::read_dir(root().join("migrations")).expect("migrations") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("UTF-8").to_lowercase();
        assert!(
            path.extension().is_none_or(|e| e != "sql") || !text.contains("password"),
            "{}",
            path.display()
        );
    }
    let crates = text_of("Cargo.lock");
    for word in ["jwt", "jsonwebtoken", "jose", "paseto", "bcrypt"] {
        let named = |line: &&str| line.starts_with("name = ") && line.contains(word);
        assert_eq!(crates.lines().find(named), None);
    }
}

/// No telemetry: these are the only addresses that the services know by themselves.
#[test]
fn the_services_know_two_addresses_stripes_and_discords() {
    let examples = ["roles.example.com", "YOUR.HOST"];
    let mut hosts = Vec::new();
    for (file, line) in statements() {
        for rest in line.split("https://").skip(1) {
            let host: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || ".-".contains(*c)).collect();
            if !host.is_empty() && !examples.contains(&host.as_str()) {
                assert!(["api.stripe.com", "discord.com"].contains(&host.as_str()), "{file}: {line}");
                hosts.push(host);
            }
        }
    }
    assert!(hosts.len() >= 2, "{hosts:?}");
}

#[test]
fn the_bot_asks_for_two_intents_and_never_reads_messages() {
    let mut seen = 0;
    for (file, line) in statements() {
        for rest in line.split("GatewayIntents::").skip(1) {
            let intent: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // `empty` asks for nothing.
            assert!(["GUILDS", "GUILD_MEMBERS", "empty"].contains(&intent.as_str()), "{file}: {line}");
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn the_compose_file_keeps_the_database_to_itself() {
    let compose = text_of("compose.yaml");
    let published: Vec<&str> =
        compose.lines().map(str::trim).filter(|line| line.starts_with("ports:")).collect();
    assert_eq!(
        published,
        [r#"ports: ["127.0.0.1:8080:8080"]"#],
        "the gateway alone, for a proxy on this machine"
    );
    assert!(compose.contains("database: { internal: true }"));
    let postgres = compose.split("\n  postgres:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    assert!(postgres.is_some_and(|service| service.contains("networks: [database]")));
}

/// Everything that there is to do, and then what both were asked.
#[tokio::test]
async fn stripe_hears_nothing_but_get_and_discord_only_of_roles() {
    let world = World::start().await;
    let ana = world.fan().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.interact(world.guild, ana.user, "status").await.unwrap();
    world.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": true })).await.unwrap();
    world.heard().await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.delete_customer(&ana.customer).await.unwrap();
    world.heard().await;

    let at_stripe = world.stripe.requests().await.unwrap();
    assert!(at_stripe.len() >= 5, "{at_stripe:?}");
    let known = ["customers", "events", "payment_links", "prices", "subscription_items", "subscriptions"];
    for request in &at_stripe {
        assert_eq!(request.method, "GET", "{request:?}");
        let object = request.path.trim_start_matches("/v1/").split('/').next().unwrap();
        assert!(known.contains(&object), "{request:?}");
    }
    for request in world.discord.requests().await.unwrap() {
        let known = |(method, route): &(&str, &str)| *method == request.method && fits(&request.path, route);
        assert!(bot::discord::ROUTES.iter().any(known), "{request:?}");
    }
    world.finish().await;
}

/// Whether a path, with its version in front, is of a route with `{names}`.
fn fits(path: &str, route: &str) -> bool {
    let path: Vec<&str> = path.trim_start_matches("/api/v10").split('/').collect();
    let route: Vec<&str> = route.split('/').collect();
    path.len() == route.len()
        && path.iter().zip(&route).all(|(part, name)| name.starts_with('{') || part == name)
}

/// How many rows of the whole database hold a text.
async fn rows_with(world: &World, text: &str) -> i64 {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let tables: Vec<String> =
        sqlx::query_scalar(tables).fetch_all(world.db()).await.expect("the query is good");
    assert!(tables.len() >= 14, "{tables:?}");
    let mut rows = 0;
    for table in tables {
        let query = format!("SELECT count(*) FROM \"{table}\" AS line WHERE position($1 IN line::text) > 0");
        let query = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(query)).bind(text);
        rows += query.fetch_one(world.db()).await.expect("the query is good");
    }
    rows
}

#[tokio::test]
async fn of_a_buyer_nothing_but_ids_is_kept() {
    const CANARIES: [&str; 4] = ["4242424242424242", "ana.canary@example.com", "Ana Canary", "770431"];
    let [card, email, name, amount] = CANARIES;
    let world = World::start().await;
    let ana = world.fan().await;
    let wish = json!({ "customer": ana.customer, "prices": [world.price], "status": "incomplete" });
    let subscription = world.stripe.subscribe_with(wish).await.unwrap();
    world.heard().await;
    // Every field that could carry them does: in what is read from Stripe,
    let change =
        json!({ "name": name, "description": format!("{name} {card}"), "email": email, "phone": card });
    world.stripe.update_customer(&ana.customer, change).await.unwrap();
    let full = json!({
        "id": subscription, "object": "subscription", "customer": ana.customer, "status": "active",
        "description": card, "default_payment_method": { "card": { "number": card }, "billing_details": { "email": email } },
        "metadata": { card: name }, "items": { "has_more": false, "data": [{
            "id": "si_1", "metadata": { "x": card }, "price": { "id": world.price, "product": world.product, "nickname": card } }] },
    });
    let read = Fault::status(200)
        .on("GET", &format!("/v1/subscriptions/{subscription}"))
        .body(full.clone())
        .times(100);
    world.stripe.fault(read).await.unwrap();
    // and in what it says by itself.
    for (id, event_type) in [("evt_c1", "customer.subscription.updated"), ("evt_c2", "charge.succeeded")] {
        assert_eq!(world.post_signed(&event(id, event_type, &full, false)).await.status(), 200);
    }
    let invoice = json!({ "id": "in_1", "object": "invoice", "subscription": subscription, "amount_paid": 770_431,
                          "customer_email": email, "customer_name": name, "payment_intent": card });
    assert_eq!(world.post_signed(&event("evt_c3", "invoice.paid", &invoice, false)).await.status(), 200);
    world.until_vip(&ana).await;
    world.heard().await;
    assert!(rows_with(&world, &ana.customer).await >= 2, "the search finds what is there");
    for canary in [card, email, name, amount] {
        assert_eq!(rows_with(&world, canary).await, 0, "{canary} was kept");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_its_owner_revoked_ends_reading_and_takes_no_role() {
    let world = World::start().await;
    let ana = world.fan().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    world.stripe.fault(Fault::status(401).on("GET", "/v1/").times(100_000)).await.unwrap();
    // Signed webhooks still come; even one that says "canceled" is no more than a hint.
    world.stripe.set_subscription(&subscription, json!({ "status": "canceled" })).await.unwrap();
    let refused = "SELECT count(*) FROM stripe_sync WHERE last_error LIKE '%refused the key%'";
    world.until("the refusal is noted", async || world.number(refused).await >= 1).await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    // Given again, it goes on where it was.
    world.stripe.clear_faults().await.unwrap();
    sqlx::query("UPDATE stripe_sync SET next_at = now() WHERE next_at IS NOT NULL")
        .execute(world.db())
        .await
        .unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn no_answer_opens_itself_to_pages_of_other_origins() {
    let world = World::start().await;
    for path in ["/healthz", "/readyz", "/webhooks/stripe", "/nowhere"] {
        for origin in ["null", "https://evil.example", world.gateway_url.as_str()] {
            for method in [reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::OPTIONS] {
                let request = world.http.request(method.clone(), format!("{}{path}", world.gateway_url));
                let request =
                    request.header("Origin", origin).header("Access-Control-Request-Method", "POST");
                let answer = request.send().await.unwrap();
                let opened =
                    answer.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(opened, None, "{method} {path} of {origin}");
            }
        }
    }
    world.finish().await;
}
