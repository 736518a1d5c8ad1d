//! Claiming what one bought, by the page on which Stripe's Payment Link ends: whose it becomes, and whose it never does.

use futures::future::join_all;
use reqwest::StatusCode;
use sandbox::discord::Fault;
use serde_json::{Value, json};
use shared::db::pg_roles::Login;

use super::browser::{Browser, Page};
use crate::support::{
    tenants::{ENCRYPTION_KEYS, numbered},
    world::World,
};

/// Claims of one account in a minute.
const PER_MINUTE: usize = 6;

impl World {
    /// Somebody whom Stripe does not know pays by the owner's Payment Link. Out: the session.
    pub(super) async fn pays_by_link(&self, visit: Value) -> String {
        let after = format!("{}/claim?session_id={{CHECKOUT_SESSION_ID}}", self.gateway_url);
        let link = json!({ "price": self.price, "redirect_url": after });
        let link = self.stripe.create_payment_link(link).await.expect("it is answered");
        let bought = self.stripe.buy(&link, visit).await.expect("it is answered");
        bought["id"].as_str().expect("an id").to_owned()
    }

    /// A price of something that is sold once.
    async fn once(&self, amount: i64) -> String {
        let price = json!({ "product": self.product, "unit_amount": amount, "type": "one_time" });
        self.stripe.create_price_with(price).await.expect("it is answered")
    }

    pub(super) async fn links(&self) -> Vec<(i64, String)> {
        let links = "SELECT user_id, proof FROM member_links ORDER BY user_id";
        sqlx::query_as(links).fetch_all(self.db()).await.expect("the query is good")
    }

    async fn reads_of(&self, session: &str) -> usize {
        let requests = self.stripe.requests().await.expect("Stripe answers");
        // What a claim reads; the read of a purchase expands its lines.
        let path = format!("/v1/checkout/sessions/{session}");
        requests.iter().filter(|call| call.path_and_query == path).count()
    }
}

pub(super) fn path(session: &str) -> String {
    format!("/claim?session_id={session}")
}

impl Browser<'_> {
    /// Opens the claim's page, and says yes to it.
    pub(super) async fn claims(&self, session: &str, name: &str) -> Page {
        let page = self.open(&path(session)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        self.send(page.form(&format!("Yes, give it to @{name}"))).await
    }
}

#[tokio::test]
async fn who_paid_claims_it_and_sees_the_role_arrive() {
    let world = World::with_login().await;
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let session = world.pays_by_link(json!({ "email": "ana@example.com" })).await;
    let browser = world.browser();
    // From Stripe: the page opens itself once more, for a login that may be there.
    let led = browser.led_to(&path(&session)).await;
    assert_eq!(
        (led.status, led.refresh()),
        (StatusCode::OK, Some(format!("0; url={}", path(&session)).as_str()))
    );
    let first = browser.open(&path(&session)).await;
    assert_eq!((first.status, first.title()), (StatusCode::UNAUTHORIZED, "Log in first".to_owned()));
    let next = browser.log_in(ana, &first.link("Log in with Discord")).await;
    let asked = browser.open(&next).await;
    assert_eq!(asked.title(), "Is this your purchase, @ana?");
    assert!(!asked.html.contains("not in the server"), "{}", asked.html);
    assert_eq!(
        (world.links().await, world.reads_of(&session).await),
        (vec![], 0),
        "nothing is bound by looking"
    );
    let done = browser.send(asked.form("Yes, give it to @ana")).await;
    let roles = format!("/roles/{}", world.guild);
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, roles.as_str()));
    browser.until_title(&world, &roles, "Your role is there").await;
    assert!(world.discord.member_roles(world.guild, ana).await.unwrap().unwrap().contains(&world.vip));
    assert_eq!(world.links().await, [(i64::try_from(ana).unwrap(), "checkout".to_owned())]);
    let line = "SELECT actor || ' ' || action FROM audit_log WHERE action = 'member.linked'";
    let lines: Vec<String> = sqlx::query_scalar(line).fetch_all(world.db()).await.unwrap();
    assert_eq!(lines, ["member member.linked"]);
    // Once more changes nothing, and leads to the same page.
    let again = browser.claims(&session, "ana").await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, roles.as_str()));
    assert_eq!(world.links().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_one_claimed_another_cannot_and_does_not_learn_who_it_was() {
    let world = World::with_login().await;
    let session = world.pays_by_link(json!({})).await;
    let (ana, anas) = world.logged_in("ana").await;
    let (_, eves) = world.logged_in("eve").await;
    assert_eq!(anas.claims(&session, "ana").await.status, StatusCode::SEE_OTHER);
    let page = eves.claims(&session, "eve").await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert_eq!(page.title(), "This purchase belongs to another account");
    assert!(!page.html.contains("ana") && !page.html.contains(&ana.to_string()), "{}", page.html);
    let roles = format!("/roles/{}", world.guild);
    assert_eq!(eves.open(&roles).await.title(), "Nothing is linked to you here");
    anas.until_title(&world, &roles, "Your role is there").await;
    assert_eq!(world.links().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn of_many_who_claim_at_once_exactly_one_has_it() {
    let world = World::with_login().await;
    let session = world.pays_by_link(json!({})).await;
    let mut forms = Vec::new();
    let mut browsers = Vec::new();
    for name in ["ana", "ben", "eve", "tom"] {
        let (user, browser) = world.logged_in(name).await;
        let page = browser.open(&path(&session)).await;
        forms.push(page.form(&format!("Yes, give it to @{name}")));
        browsers.push((user, browser));
    }
    // Each twice, as who clicks twice.
    let tries = browsers.iter().zip(&forms).chain(browsers.iter().zip(&forms));
    let pages = join_all(tries.map(|((_, browser), form)| browser.send(form.clone()))).await;
    let won: Vec<usize> =
        (0..8).filter(|n| pages[*n].status == StatusCode::SEE_OTHER).map(|n| n % 4).collect();
    assert!(won.len() == 2 && won[0] == won[1], "{won:?}: one person, each time");
    assert!(pages.iter().all(|page| matches!(page.status.as_u16(), 303 | 409)));
    assert_eq!(world.links().await, [(i64::try_from(browsers[won[0]].0).unwrap(), "checkout".to_owned())]);
    world.finish().await;
}

#[tokio::test]
async fn a_session_that_proves_too_little_binds_nothing_and_says_why() {
    let world = World::with_login().await;
    let (ana, browser) = world.logged_in("ana").await;
    let open = world.stripe.open_session(json!({ "prices": [world.price] })).await.unwrap();
    let expired = world.stripe.open_session(json!({ "prices": [world.price] })).await.unwrap();
    world.stripe.expire_session(&expired).await.unwrap();
    let somebodys = world.pays_by_link(json!({ "client_reference_id": "81384788765712385" })).await;
    let named =
        world.stripe.open_session(json!({ "prices": [world.price], "metadata": { "discord_user_id": "7" } }));
    let named = named.await.unwrap();
    world.stripe.complete_session(&named, json!({})).await.unwrap();
    let once = world.once(5_000).await;
    let guests = world.stripe.open_session(json!({ "prices": [once] })).await.unwrap();
    world.stripe.complete_session(&guests, json!({})).await.unwrap();
    for (session, status, title) in [
        (open.as_str(), 409, "This purchase is not complete yet"),
        (&expired, 410, "This link is too old"),
        (&somebodys, 409, "This purchase is meant for somebody else"),
        (&named, 409, "This purchase is meant for somebody else"),
        (&guests, 409, "This purchase has no customer"),
        ("cs_test_guess", 404, "There is no such purchase"),
    ] {
        let page = browser.claims(session, "ana").await;
        assert_eq!((page.status.as_u16(), page.title().as_str()), (status, title), "{session}");
    }
    assert_eq!(world.links().await, []);
    // One's own id, or a seller's own words, are no reason to wait.
    let (_, another) = world.logged_in("ben").await;
    let order = world.pays_by_link(json!({ "client_reference_id": "order-17" })).await;
    assert_eq!(another.claims(&order, "ben").await.status, StatusCode::SEE_OTHER);
    let (tom, toms) = world.logged_in("tom").await;
    let own = world.pays_by_link(json!({ "client_reference_id": tom.to_string() })).await;
    assert_eq!(toms.claims(&own, "tom").await.status, StatusCode::SEE_OTHER);
    assert!(world.links().await.iter().all(|(user, _)| *user != i64::try_from(ana).unwrap()));
    world.settle().await;
    world.close().await;
}

#[tokio::test]
async fn an_address_that_is_none_is_answered_without_asking_stripe() {
    let world = World::with_login().await;
    let (_, browser) = world.logged_in("ana").await;
    for path in [
        "/claim",
        "/claim?session_id=",
        "/claim?session_id=..%2Fcustomers",
        "/claim?session_id=cs_test_1&session_id=cs_test_2",
        "/claim?session_id=pi_1",
        "/claim/x?session_id=cs_test_1",
        "/claim/7?session_id=cs_test_1",
    ] {
        let page = browser.open(path).await;
        assert_eq!(
            (page.status, page.title().as_str()),
            (StatusCode::NOT_FOUND, "There is no such purchase"),
            "{path}"
        );
    }
    let live = browser.open("/claim?session_id=cs_live_1").await;
    assert_eq!(
        (live.status, live.title().as_str()),
        (StatusCode::NOT_FOUND, "This address is not complete"),
        "no such mode"
    );
    assert_eq!(browser.open("/roles/x").await.status, StatusCode::NOT_FOUND);
    world.finish().await;
}

#[tokio::test]
async fn a_bank_debit_is_linked_at_once_and_gives_the_role_when_the_bank_pays() {
    let world = World::with_login().await;
    let once = world.once(5_000).await;
    world.map("price", &once, world.vip).await;
    let params = json!({ "prices": [once], "customer_creation": "always" });
    let session = world.stripe.open_session(params).await.unwrap();
    world.stripe.complete_session(&session, json!({ "payment": "pending" })).await.unwrap();
    let (ana, browser) = world.logged_in("ana").await;
    assert_eq!(browser.claims(&session, "ana").await.status, StatusCode::SEE_OTHER);
    let roles = format!("/roles/{}", world.guild);
    browser.until_title(&world, &roles, "Your bank has not paid yet").await;
    assert_eq!(world.discord.member_roles(world.guild, ana).await.unwrap(), Some([].into()));
    world.stripe.settle_session(&session, true).await.unwrap();
    world
        .until("the role is there", async || browser.open(&roles).await.title() == "Your role is there")
        .await;
    world.finish().await;
}

#[tokio::test]
async fn who_is_not_in_the_server_is_warned_and_gets_the_role_on_joining() {
    let world = World::with_login().await;
    let session = world.pays_by_link(json!({})).await;
    let tom = world.discord.sign_up("tom_alt").await.unwrap();
    let browser = world.browser();
    let claim = format!("/login/discord?next=%2Fclaim%3Fsession_id%3D{session}");
    let next = browser.log_in(tom, &claim).await;
    let page = browser.open(&next).await;
    assert!(page.html.contains("@tom_alt is not in the server"), "{}", page.html);
    // Not you? Another account, and then back here.
    let other = page.link("Not you? Use another Discord account");
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let next = browser.log_in(ana, &other).await;
    let page = browser.open(&next).await;
    assert_eq!(page.title(), "Is this your purchase, @ana?");
    let next = browser.log_in(tom, &page.link("Not you? Use another Discord account")).await;
    let page = browser.open(&next).await;
    let done = browser.send(page.form("Yes, give it to @tom_alt")).await;
    browser.until_title(&world, done.location(), "Join the server").await;
    world.discord.rejoin(world.guild, tom).await.unwrap();
    browser.until_title(&world, done.location(), "Your role is there").await;
    world.close().await;
}

#[tokio::test]
async fn a_role_that_the_bot_cannot_give_is_delayed_and_one_that_somebody_gave_is_there() {
    let world = World::with_login().await;
    let roles = format!("/roles/{}", world.guild);
    let (ana, anas) = world.logged_in("ana").await;
    world.discord.give_role(world.guild, ana, world.vip).await.unwrap();
    let session = world.pays_by_link(json!({})).await;
    anas.claims(&session, "ana").await;
    anas.until_title(&world, &roles, "Your role is there").await;
    world.settle().await;
    // Above the bot's own.
    world.discord.set_role(world.guild, world.vip, json!({ "position": 60 })).await.unwrap();
    let (_, toms) = world.logged_in("tom").await;
    let session = world.pays_by_link(json!({})).await;
    toms.claims(&session, "tom").await;
    toms.until_title(&world, &roles, "Your role is delayed").await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.unwrap();
    toms.until_title(&world, &roles, "Your role is there").await;
    world.close().await;
}

#[tokio::test]
async fn a_role_that_is_only_observed_is_not_waited_for() {
    let world = World::with_login().await;
    let observed = world.discord.create_role(world.guild, "Watched").await.unwrap();
    let holder = world.discord.join(world.guild, "holder").await.unwrap();
    world.discord.give_role(world.guild, holder, observed).await.unwrap();
    let other = json!({ "product": world.product, "unit_amount": 700 });
    let price = world.stripe.create_price_with(other).await.unwrap();
    world.map("price", &price, observed).await;
    world.until_every_mapped_role_is_seen().await;
    let session = world.stripe.open_session(json!({ "prices": [price] })).await.unwrap();
    world.stripe.complete_session(&session, json!({})).await.unwrap();
    let (_, browser) = world.logged_in("ana").await;
    browser.claims(&session, "ana").await;
    let roles = format!("/roles/{}", world.guild);
    browser.until_title(&world, &roles, "Your purchase is linked to you").await;
    world.close().await;
}

#[tokio::test]
async fn stripes_troubles_bind_nothing_and_the_next_try_does() {
    let world = World::with_login().await;
    let session = world.pays_by_link(json!({})).await;
    world.heard().await;
    let (_, browser) = world.logged_in("ana").await;
    for fault in [
        sandbox::stripe::Fault::status(500),
        sandbox::stripe::Fault::status(429).header("retry-after", "1"),
        sandbox::stripe::Fault::reset(),
        sandbox::stripe::Fault::status(200).text("<h1>Hello</h1>"),
    ] {
        world.stripe.fault(fault.clone().on("GET", "/v1/checkout/sessions/")).await.unwrap();
        let page = browser.claims(&session, "ana").await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}: {}", page.html);
        assert_eq!(page.title(), "We could not check your purchase");
        assert_eq!(page.link("Try again"), path(&session));
        assert_eq!(world.links().await, []);
    }
    world
        .until("Stripe may be asked again", async || {
            browser.claims(&session, "ana").await.status == StatusCode::SEE_OTHER
        })
        .await;
    world.close().await;
}

/// Role changes need the calls of Discord's API that there are.
#[tokio::test]
async fn discord_is_asked_once_whether_somebody_is_in_the_server_and_before_the_page_needs_it() {
    let world = World::with_login().await;
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let session = world.pays_by_link(json!({})).await;
    let asked = async || world.discord_calls("GET", &format!("/members/{ana}")).await;
    let browser = world.browser();
    let first = browser.open(&path(&session)).await;
    assert_eq!(asked().await, 0);
    browser.log_in(ana, &first.link("Log in with Discord")).await;
    world.until("the login has it asked", async || asked().await == 1).await;
    for _ in 0..5 {
        assert_eq!(browser.open(&path(&session)).await.title(), "Is this your purchase, @ana?");
    }
    assert_eq!(asked().await, 1);
    // About another server it is another question, and one that is no customer of ours is not asked about at all.
    browser.open("/roles/4711").await;
    assert_eq!(asked().await, 1);
    world.finish().await;
}

#[tokio::test]
async fn discords_silence_keeps_nobody_from_claiming() {
    let world = World::with_login().await;
    let session = world.pays_by_link(json!({})).await;
    let (ana, browser) = world.logged_in("ana").await;
    let hang = Fault::hang().for_ms(5_000).on("GET", &format!("/members/{ana}"));
    world.discord.fault(hang).await.unwrap();
    assert_eq!(browser.claims(&session, "ana").await.status, StatusCode::SEE_OTHER);
    world
        .until("it arrives", async || {
            browser.open(&format!("/roles/{}", world.guild)).await.title() == "Your role is there"
        })
        .await;
    world.close().await;
}

#[tokio::test]
async fn where_several_servers_are_served_the_address_names_one() {
    let world = World::with_login().await;
    let operator = world.login(Login::Operator);
    numbered(&operator, ENCRYPTION_KEYS, 1).await;
    operator.close().await;
    let session = world.pays_by_link(json!({})).await;
    let (_, browser) = world.logged_in("ana").await;
    // What was bought in one server's account is nothing in another's, whatever the address says.
    let page = browser.open(&format!("/claim/200000000000000001?session_id={session}")).await;
    let refused = browser.send(page.form("Yes, give it to @ana")).await;
    assert!(refused.status.is_client_error() || refused.status.is_server_error(), "{refused:?}");
    let links = "SELECT count(*) FROM member_links";
    let links: i64 = sqlx::query_scalar(links).fetch_one(world.db()).await.expect("they are counted");
    assert_eq!(links, 0);
    let page = browser.open(&path(&session)).await;
    assert_eq!((page.status, page.title().as_str()), (StatusCode::NOT_FOUND, "This address is not complete"));
    let page = browser.open(&format!("/claim/{}?session_id={session}", world.guild)).await;
    let done = browser.send(page.form("Yes, give it to @ana")).await;
    assert_eq!(done.location(), format!("/roles/{}", world.guild));
    browser.until_title(&world, done.location(), "Your role is there").await;
    world.close().await;
}

#[tokio::test]
async fn guesses_cost_one_account_its_minute_and_nobody_else_theirs() {
    let world = World::with_login().await;
    let (_, browser) = world.logged_in("eve").await;
    let mut statuses = Vec::new();
    for guess in 0..=PER_MINUTE {
        statuses.push(browser.claims(&format!("cs_test_guess{guess}"), "eve").await.status.as_u16());
    }
    assert_eq!(statuses, [vec![404; PER_MINUTE], vec![429]].concat());
    let session = world.pays_by_link(json!({})).await;
    let (_, anas) = world.logged_in("ana").await;
    assert_eq!(anas.claims(&session, "ana").await.status, StatusCode::SEE_OTHER);
    world.settle().await;
    world.finish().await;
}

/// The page hears that the role has come, without being loaded again and again meanwhile; and only whoever is logged in hears anything.
#[tokio::test]
async fn the_arrival_of_the_role_is_told_to_the_page_that_waits_for_it() {
    let world = World::with_login().await;
    // The bot tries again after some seconds.
    world.discord.fault(sandbox::Fault::status(500).on("PUT", "/roles/")).await.unwrap();
    let session = world.pays_by_link(json!({})).await;
    let (_, browser) = world.logged_in("ana").await;
    let roles = browser.claims(&session, "ana").await.location().to_owned();
    browser.until_title(&world, &roles, "Your role is on its way").await;
    let page = browser.open(&roles).await;
    let events = page.events();
    assert_eq!(events, format!("{roles}/events?shown=on_the_way"));
    let mut told = Box::pin(browser.open(&events));
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut told).await;
    assert!(early.is_err(), "nothing has changed: {early:?}");
    let told = told.await;
    assert_eq!(told.headers["content-type"], "text/event-stream");
    assert_eq!((told.status, told.html.as_str()), (StatusCode::OK, "event: changed\ndata:\n\n"));
    browser.until_title(&world, &roles, "Your role is there").await;
    // What the page showed may have changed before it asked.
    let told = browser.open(&events).await;
    assert!(told.html.starts_with("event: changed"), "{}", told.html);
    assert!(!browser.open(&roles).await.html.contains("data-events"), "nothing more is to come");
    let stranger = world.browser().open(&events).await;
    assert_eq!((stranger.status, stranger.html.as_str()), (StatusCode::NO_CONTENT, ""));
    world.close().await;
}
