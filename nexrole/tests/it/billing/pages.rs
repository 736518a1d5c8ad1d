//! Stripe's own pages: on which an open invoice is paid, and on which members manage or cancel. Who is sent there, when, and that nothing
//! odd is shown.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use sandbox::stripe::Fault;
use serde_json::{Value, json};

use crate::support::world::{Member, World};

const LIST: &str = "/v1/subscriptions?";
const INVOICES: &str = "https://invoice.stripe.com/i/acct_1SandboxNexrole/test_";
const LOGINS: &str = "https://billing.stripe.com/p/login/test_";
const PASTED: &str = "https://billing.example.com/p/login/test_own";

/// A member whose renewal failed: their subscription, and its open invoice.
async fn late(world: &World) -> (Member, String, String) {
    let member = world.member().await;
    let subscription = world.subscribes(&member).await;
    world.until_vip(&member).await;
    world.stripe.set_payer(&member.customer, "declines").await.unwrap();
    let invoice = world.stripe.bill(&subscription).await.unwrap();
    world.until("the grace is known", async || world.days_left(&member).await == [Some(14)]).await;
    world.heard().await;
    (member, subscription, invoice)
}

/// What the member has read, the latest last.
async fn messages(world: &World, member: &Member) -> Vec<String> {
    let messages = world.discord.direct_messages(member.user).await.unwrap();
    messages.iter().map(|it| it.embeds[0]["description"].as_str().unwrap().to_owned()).collect()
}

async fn until_read(world: &World, member: &Member, number: usize) -> String {
    world.until("they have read it", async || messages(world, member).await.len() == number).await;
    messages(world, member).await.pop().unwrap()
}

/// A word of a text that begins so.
fn address(text: &str, begin: &str) -> Option<String> {
    text.split_whitespace().find(|word| word.starts_with(begin)).map(ToOwned::to_owned)
}

/// The last part of the address of the world's connection.
async fn connection(world: &World) -> String {
    let said = world.nexrole(&["connections"]).await.unwrap();
    let (_, rest) = said.split_once("/webhooks/stripe/").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn portal(world: &World, arguments: &[&str]) -> Result<String, String> {
    let connection = connection(world).await;
    world.of_guild(&[&["portal", connection.as_str()], arguments].concat()).await
}

/// The portal is read once more, and `nexrole connections` says this.
async fn until_portal_is(world: &World, said: &str) {
    world.portals_are_due().await;
    let says = async || world.nexrole(&["connections"]).await.unwrap().contains(said);
    world.until(&format!("connections say {said:?}"), says).await;
}

#[tokio::test]
async fn whose_renewal_fails_is_sent_to_the_page_of_the_invoice_until_it_is_paid() {
    let world = World::start().await;
    let (ana, subscription, invoice) = late(&world).await;
    let message = until_read(&world, &ana, 1).await;
    let told = address(&message, INVOICES).unwrap_or_else(|| panic!("no page in {message}"));
    assert!(message.contains("Please pay on this page of Stripe's: "), "{message}");
    assert!(address(&message, LOGINS).is_some(), "{message}");
    // Stripe gives another address at each read, and there may have been one since.
    world.heard().await;
    let page = world.invoice_page(&subscription).await.unwrap();
    let why = world.why(&ana).await;
    assert!(why.contains(&format!("the member pays what is open at Stripe: {page}\n")), "{why}");
    assert!(why.contains("Where they manage or cancel what they pay for: https://billing.stripe"), "{why}");
    for page in [told, page] {
        assert!(!world.said_anywhere(&page).await, "whoever has it sees the invoice");
    }

    world.stripe.step_invoice(&invoice, "pay").await.unwrap();
    let message = until_read(&world, &ana, 2).await;
    assert!(message.contains("has arrived") && address(&message, INVOICES).is_none(), "{message}");
    world.heard().await;
    assert_eq!(world.invoice_page(&subscription).await, None);
    let why = world.why(&ana).await;
    assert!(why.contains("Next: nothing to do") && !why.contains("invoice.stripe.com"), "{why}");
    world.finish().await;
}

/// Of a paused one and of an unpaid one, too, for a payment brings them back; not of one that has ended.
#[tokio::test]
async fn who_lost_the_role_is_sent_to_the_page_as_long_as_paying_brings_it_back() {
    let world = World::start().await;
    let (ana, subscription, invoice) = late(&world).await;
    until_read(&world, &ana, 1).await;
    world.stripe.set_subscription(&subscription, json!({ "status": "unpaid" })).await.unwrap();
    world.until_no_vip(&ana).await;
    let message = until_read(&world, &ana, 2).await;
    assert!(message.contains("If you pay after all") && address(&message, INVOICES).is_some(), "{message}");
    let why = world.why(&ana).await;
    assert!(address(&why, INVOICES).is_some(), "{why}");
    // Given up: nothing is to be paid any more.
    world.stripe.step_invoice(&invoice, "mark_uncollectible").await.unwrap();
    world.until_listed_once_more().await;
    assert_eq!(world.invoice_page(&subscription).await, None);
    let why = world.why(&ana).await;
    assert!(!why.contains("invoice.stripe.com"), "{why}");
    world.finish().await;
}

/// The subscription names another member than its customer is: that one is told, and what the payer bought is not theirs to see.
#[tokio::test]
async fn who_was_given_a_present_is_not_shown_the_payers_invoice() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let present = json!({ "customer": ana.customer, "prices": [world.price], "metadata": { "discord_user_id": ben.user.to_string() } });
    let present = world.stripe.subscribe_with(present).await.unwrap();
    world.until_vip(&ben).await;
    world.stripe.set_payer(&ana.customer, "declines").await.unwrap();
    world.stripe.bill(&present).await.unwrap();
    let message = until_read(&world, &ben, 1).await;
    assert!(
        message.contains("or pay, with the seller") && address(&message, INVOICES).is_none(),
        "{message}"
    );
    assert!(world.invoice_page(&present).await.is_some(), "there is one");
    world.finish().await;
}

#[tokio::test]
async fn an_ended_subscription_has_no_page() {
    let world = World::start().await;
    let (ana, subscription, _) = late(&world).await;
    assert!(address(&until_read(&world, &ana, 1).await, INVOICES).is_some());
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.heard().await;
    assert_eq!(world.invoice_page(&subscription).await, None);
    let message = until_read(&world, &ana, 2).await;
    assert!(message.contains("or buy it again") && address(&message, INVOICES).is_none(), "{message}");
    world.finish().await;
}

/// The subscription as a page has it.
async fn listed(world: &World, subscription: &str) -> Value {
    let expand = "expand[]=customer&expand[]=latest_invoice";
    let url = format!("{}/v1/subscriptions/{subscription}?{expand}", world.gateway_config().stripe_api_url);
    let answer = world.http.get(url).bearer_auth(sandbox::stripe::KEY).send().await.unwrap();
    answer.json().await.unwrap()
}

/// The daily list has another address each time: it replaces one that grows old, and no other.
#[tokio::test]
async fn a_list_writes_nothing_for_another_address_and_replaces_an_old_one() {
    let world = World::start().await;
    let (ana, subscription, invoice) = late(&world).await;
    until_read(&world, &ana, 1).await;
    world.settle().await;
    let first = world.invoice_page(&subscription).await.unwrap();
    let before = world.row_versions().await;
    world.until_listed_once_more().await;
    world.invoice_pages_age(4).await;
    let aged = world.row_versions().await;
    assert_ne!(aged, before, "that a row changed would be seen");
    world.until_listed_once_more().await;
    assert_eq!(world.row_versions().await, aged, "another address alone is no change");
    assert_eq!(world.invoice_page(&subscription).await.as_deref(), Some(&*first));

    // Older than Stripe promises, and nothing was read: it is not shown.
    world.invoice_pages_age(7).await;
    let why = world.why(&ana).await;
    assert!(why.contains("was read too long ago to work for sure"), "{why}");
    assert!(!why.contains("invoice.stripe.com"), "{why}");
    world.until_listed_once_more().await;
    let second = world.invoice_page(&subscription).await.unwrap();
    assert!(second.starts_with(INVOICES) && second != first, "{second}");
    assert!(world.why(&ana).await.contains(&second));

    // A page that shows of the invoice its id alone says nothing of it, whatever else it says.
    let mut bare = listed(&world, &subscription).await;
    (bare["latest_invoice"], bare["application_fee_percent"]) = (json!(invoice), json!(2.5));
    let page = json!({ "object": "list", "url": "/v1/subscriptions", "data": [bare], "has_more": false });
    world.stripe.fault(Fault::status(200).on("GET", LIST).body(page).times(1)).await.unwrap();
    world.until_listed_once_more().await;
    let fees = world.of_guild(&["members", "fees"]).await.unwrap();
    assert!(fees.contains("2.5 %"), "the list was applied: {fees}");
    assert_eq!(world.invoice_page(&subscription).await.as_deref(), Some(&*second));
    world.finish().await;
}

#[tokio::test]
async fn an_address_that_is_odd_is_shown_to_nobody() {
    let world = World::start().await;
    let (ana, subscription, _) = late(&world).await;
    until_read(&world, &ana, 1).await;
    let mut odd = listed(&world, &subscription).await;
    for url in ["http://invoice.stripe.com/i/1", "https://invoice.stripe.com/i/1) [x](https://evil.example"] {
        odd["latest_invoice"]["hosted_invoice_url"] = json!(url);
        let page = json!({ "object": "list", "url": "/v1/subscriptions", "data": [odd], "has_more": false });
        world.stripe.fault(Fault::status(200).on("GET", LIST).body(page).times(1)).await.unwrap();
        world.until_listed_once_more().await;
        assert_eq!(world.invoice_page(&subscription).await, None);
    }
    let why = world.why(&ana).await;
    assert!(why.contains("the member pays what is open at Stripe\n"), "{why}");

    // Nor what stands in our rows, should somebody have put it there.
    world.invoice_page_becomes(&subscription, "https://evil.example/<@1> x").await;
    let why = world.why(&ana).await;
    assert!(why.contains("the member pays what is open at Stripe\n") && !why.contains("evil"), "{why}");
    let page = json!({ "login_page": { "enabled": true, "url": "http://evil.example/p/login/test_x" } });
    world.stripe.change_portal(page).await.unwrap();
    world.portals_are_due().await;
    world.until("it was looked at", async || world.portals_to_read().await == 0).await;
    let said = world.nexrole(&["connections"]).await.unwrap();
    assert!(!said.contains("evil") && said.contains(LOGINS), "what was read before stays: {said}");
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_may_not_read_the_portal_costs_that_page_alone() {
    let mut world = World::without_services().await;
    let read =
        ["customers", "subscriptions", "invoices", "checkout_sessions", "events", "prices", "products"];
    let more = ["payment_links", "payment_intents", "charges", "disputes"];
    let allowed: serde_json::Map<String, Value> =
        read.iter().chain(&more).map(|name| ((*name).to_owned(), json!("read"))).collect();
    let key = world.stripe.create_key("rk_test", Some(allowed.into())).await.unwrap();
    world.set("STRIPE_SECRET_KEY", &key);
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    let (ana, ..) = late(&world).await;
    let message = until_read(&world, &ana, 1).await;
    assert!(address(&message, INVOICES).is_some() && !message.contains("manage or cancel"), "{message}");
    assert!(!world.why(&ana).await.contains("manage or cancel"));
    assert_eq!(world.cursors_where(|cursor| cursor.is_failing || cursor.last_error.is_some()).await, 0);
    let said = world.nexrole(&["connections"]).await.unwrap();
    assert!(said.contains("no page to manage or cancel: the key may not read Customer portal"), "{said}");
    let finding = world.doctor().await.remove("stripe.portal").unwrap();
    assert_eq!(finding["state"], "warn", "{finding}");
    assert!(
        finding["detail"].as_str().unwrap().contains("the key may not read Customer portal"),
        "{finding}"
    );
    let fix = format!("nexrole portal --guild {} {} LINK", world.guild, connection(&world).await);
    assert!(finding["fix"].as_str().unwrap().contains(&fix), "{finding}");

    let kept = portal(&world, &[PASTED]).await.unwrap();
    assert!(kept.contains(PASTED), "{kept}");
    assert!(world.why(&ana).await.contains(&format!("manage or cancel what they pay for: {PASTED}")));
    assert_eq!(world.doctor().await["stripe.portal"]["state"], "ok");
    world.finish().await;
}

#[tokio::test]
async fn the_portals_login_page_is_read_and_what_the_owner_pasted_wins() {
    let world = World::start().await;
    let read = |said: &str| address(&said.replace(')', " "), LOGINS);
    let said = world.nexrole(&["connections"]).await.unwrap();
    let page = read(&said).unwrap_or_else(|| panic!("no page in {said}"));
    assert!(said.contains(&format!("(manage or cancel: {page})")), "{said}");
    assert_eq!(portal(&world, &[PASTED]).await.unwrap().lines().count(), 1);
    assert!(portal(&world, &[PASTED]).await.unwrap().contains("It was so already"));
    until_portal_is(&world, &format!("(manage or cancel, as pasted: {PASTED})")).await;
    let (ana, ..) = late(&world).await;
    let message = until_read(&world, &ana, 1).await;
    assert!(message.contains(PASTED) && !message.contains(&page), "{message}");

    // Nobody says which page is right, and the rest goes on.
    let other = "https://billing.stripe.com/p/login/aFa5kD";
    for (link, why) in [
        (other, "that page is of live mode, and the connection is test"),
        ("https://billing.stripe.com/p/session/test_YWN", "for one customer"),
        ("https://dashboard.stripe.com/test/settings/billing/portal", "another page of Stripe's"),
        ("billing.stripe.com/p/login/test_x", "no address that begins with https://"),
        ("https://x:y@billing.stripe.com/p/login/test_x", "a user name or a port"),
    ] {
        let refused = portal(&world, &[link]).await.unwrap_err();
        let fix = "Activate link: https://billing.stripe.com/p/login/test_…";
        assert!(refused.contains(why) && refused.contains(fix), "{link}: {refused}");
    }
    let unknown = world.of_guild(&["portal", "nowhere", PASTED]).await.unwrap_err();
    assert!(unknown.contains("`nexrole connections` shows all"), "{unknown}");
    assert!(world.why(&ana).await.contains(PASTED), "nothing of it was written");

    portal(&world, &["--remove"]).await.unwrap();
    assert!(world.why(&ana).await.contains(&page));
    let audited = world.of_guild(&["export"]).await.unwrap();
    assert_eq!(audited.matches("portal_url").count(), 2, "{audited}");
    for (change, said) in [
        (json!({ "login_page": { "enabled": false, "url": null } }), "login link is not activated"),
        (json!({ "login_page": { "enabled": true, "url": page } }), &*format!("(manage or cancel: {page})")),
        (json!({ "is_default": false }), "login link is not activated"),
    ] {
        world.stripe.change_portal(change).await.unwrap();
        until_portal_is(&world, said).await;
    }
    assert_eq!(world.doctor().await["stripe.portal"]["state"], "warn");
    world.finish().await;
}
