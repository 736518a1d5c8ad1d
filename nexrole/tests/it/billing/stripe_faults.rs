//! What Stripe, and the way to it, may do to the gateway: lists that are cut off, events of one second, keys that change,
//! requests that never end.

use std::time::Duration;

use sandbox::stripe::{Fault, Mode};
use serde_json::json;
use shared::domain::stripe_object::ObjectKind;
use shared::{
    db::pg_roles::Login,
    domain::job::JobOrigin,
    store::{stripe_connections::Connection, stripe_sync},
};

use crate::support::{
    signing::{event, sign},
    tenants::{NewTenant, SECOND_GUILD},
    world::{Read, SECRET, World},
};

async fn key_only() -> World {
    let mut world = World::without_services().await;
    world.set("STRIPE_WEBHOOK_SECRET", "");
    world.set("EVENTS_POLL_SECONDS", "0.2");
    world.stripe.delivery(Mode::Drop).await.expect("Stripe answers");
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    // What is read at first contact: an answer that comes after a fault of the test's would hide it.
    world.settle().await;
    world
}

#[tokio::test]
async fn a_cursor_that_stripe_does_not_know_is_given_up_by_either_status() {
    for status in [404, 400] {
        let world = key_only().await;
        let settings = json!({ "lost_cursor_status": status });
        world.stripe.set_settings(settings).await.unwrap();
        world.lose_the_cursor().await;
        let ana = world.member().await;
        world.subscribes(&ana).await;
        world.until_vip(&ana).await;
        world.finish().await;
    }
}

/// Of one second's events those that Stripe lists late may sort before one that was read already.
#[tokio::test]
async fn an_event_that_is_listed_late_is_not_missed() {
    let world = key_only().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    // The newest event was read; an older neighbour of it turns up only now.
    let late = world.stripe.events().await.unwrap().pop().unwrap();
    let first = world.stripe.events().await.unwrap().remove(0);
    let mut neighbour = late.clone();
    neighbour["id"] = json!("evt_0late");
    neighbour["data"] = json!({ "object": { "id": subscription, "object": "subscription" } });
    neighbour["type"] = json!("customer.subscription.updated");
    world
        .stripe
        .set_subscription(&subscription, json!({ "status": "unpaid", "silent": true }))
        .await
        .unwrap();
    let page = json!({ "object": "list", "has_more": false, "data": [late, neighbour, first] });
    // Only who asks from before the newest is told of it.
    let known = world.cursors().await.remove(0).last_event_id.unwrap_or_default();
    assert_ne!(late["id"], known.as_str(), "the cursor stays behind what may still get neighbours");
    world.stripe.fault(Fault::status(200).on("GET", "/v1/events").body(page).times(3)).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn one_listed_event_that_cannot_be_read_does_not_keep_the_others_away() {
    let world = key_only().await;
    let ana = world.member().await;
    world.stripe.delivery(Mode::Drop).await.unwrap();
    let hang = Fault::status(503).on("GET", "/v1/events").times(1000);
    world.stripe.fault(hang).await.unwrap();
    world.subscribes(&ana).await;
    let mut events = world.stripe.events().await.unwrap();
    events.reverse();
    events.insert(1, json!({ "object": "event" }));
    world.stripe.clear_faults().await.unwrap();
    let page = json!({ "object": "list", "has_more": false, "data": events });
    world.stripe.fault(Fault::status(200).on("GET", "/v1/events").body(page).times(1000)).await.unwrap();
    world.until_polled("they have VIP", async || world.has(&ana, world.vip).await).await;
    world.stripe.clear_faults().await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn items_beyond_those_that_stripe_embeds_are_read() {
    let world = World::start().await;
    let other = world.stripe.create_price(&world.product, 100).await.unwrap();
    let ana = world.member().await;
    let subscription = world.stripe.subscribe(&ana.customer, &other).await.unwrap();
    world.heard().await;
    world.settle().await;
    assert!(!world.has(&ana, world.vip).await);
    // Stripe embeds the first; the mapped price is on the second page.
    let item = |id: &str, price: &str| json!({ "id": id, "object": "subscription_item", "price": { "id": price, "product": world.product } });
    let whole = json!({ "object": "list", "has_more": false, "data": [item("si_1", &other), item("si_2", &world.price)] });
    world
        .stripe
        .fault(Fault::status(200).on("GET", "/v1/subscription_items").body(whole).times(10))
        .await
        .unwrap();
    let cut = json!({ "object": "list", "has_more": true, "data": [item("si_1", &other)] });
    world.stripe.set_subscription(&subscription, json!({ "items": cut })).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn going_live_leaves_one_connection_to_link_with() {
    let mut world = World::start().await;
    world.stop_gateway().await;
    // As if the key had been a live one before.
    world.connections_become_live().await;
    world.list_again().await;
    world.start_gateway().await;
    assert_eq!(world.connections().await, "false active, true disconnected");
    let ana = world.member().await;
    let (guild, user) = (world.guild.to_string(), ana.user.to_string());
    let link = ["link", "add", "--guild", &guild, "--customer", &ana.customer, "--user", &user];
    world
        .until("it is linked, by hand or by metadata", async || {
            world.nexrole(&link).await.is_ok_and(|said| said.contains("linked"))
        })
        .await;
    world.close().await;
}

#[tokio::test]
async fn a_link_to_the_wrong_member_can_be_corrected() {
    let world = World::start().await;
    let (ana, other_member) = (world.member().await, world.member().await);
    // A typo in the metadata.
    let wrong = world
        .stripe
        .create_customer(None, &[("discord_user_id", &other_member.user.to_string())])
        .await
        .unwrap();
    world.stripe.subscribe(&wrong, &world.price).await.unwrap();
    world.until_vip(&other_member).await;
    let right = json!({ "metadata": { "discord_user_id": ana.user.to_string() } });
    world.stripe.update_customer(&wrong, right).await.unwrap();
    world.heard().await;
    world.settle().await;
    assert!(!world.has(&ana, world.vip).await, "a link does not move by itself");
    let guild = world.guild.to_string();
    let said = world.nexrole(&["link", "remove", "--guild", &guild, "--customer", &wrong]).await.unwrap();
    assert!(said.contains(&format!("is not {}'s any more", other_member.user)), "{said}");
    world.until_vip(&ana).await;
    world.until_no_vip(&other_member).await;
    world.finish().await;
}

#[tokio::test]
async fn one_tenants_lock_does_not_refuse_anothers_events() {
    let world = World::start().await;
    let second = NewTenant::new(SECOND_GUILD, "whsec_second").connect(&world.login(Login::Operator)).await;
    let (endpoint, Connection { guild, id }) = (second.endpoint, second.connection);
    let mut tenant = world.tenant(guild).await;
    stripe_sync::mark_dirty(
        &mut tenant,
        id,
        ObjectKind::Subscription,
        &["sub_held".to_owned()],
        JobOrigin::Purchase,
    )
    .await
    .unwrap();
    tenant.commit().await.unwrap();
    // Somebody holds the second tenant's object for long.
    let holder = world.hold_read("sub_held").await;
    let post = async |n: usize| {
        let (body, url, secret) = if n.is_multiple_of(2) {
            let body = event(
                &format!("evt_{n}"),
                "customer.subscription.updated",
                &json!({ "id": "sub_held" }),
                false,
            );
            (body, format!("{}/webhooks/stripe/{endpoint}", world.gateway_url), "whsec_second")
        } else {
            let body = event(&format!("evt_{n}"), "new.type", &json!({}), false);
            (body, format!("{}/webhooks/stripe", world.gateway_url), SECRET)
        };
        let request = world.http.post(url).header("Stripe-Signature", sign(&body, secret)).body(body);
        (n, request.send().await.unwrap().status().as_u16())
    };
    let answers = futures::future::join_all((0..8).map(post)).await;
    for (n, status) in answers {
        assert_eq!(status, if n.is_multiple_of(2) { 503 } else { 200 }, "event {n}");
    }
    holder.rollback().await.unwrap();
    assert_eq!(post(0).await.1, 200, "Stripe's next try");
    world.close().await;
}

#[tokio::test]
async fn a_gateway_stops_while_stripe_hangs_and_a_client_drips() {
    let mut world = World::without_services().await;
    world.set("LEASE_SECONDS", "30");
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.stripe.fault(Fault::hang().on("GET", "/v1/subscriptions/").times(10)).await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    let leased = |read: &Read| read.is_leased;
    world.until("the gateway reads", async || world.reads_where(leased).await == 1).await;
    // A request whose body never ends.
    let address = world.gateway_url.trim_start_matches("http://").to_owned();
    let mut dripping = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = b"POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    tokio::io::AsyncWriteExt::write_all(&mut dripping, head).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), world.stop_gateway()).await.expect("it stops in seconds");
    assert_eq!(world.reads_where(leased).await, 0, "the lease is given back");
    world.close().await;
}

#[tokio::test]
async fn status_says_when_stripe_cannot_be_read() {
    let world = key_only().await;
    let owner = world.discord.join(world.guild, "owner").await.unwrap();
    world.stripe.fault(Fault::status(401).on("GET", "/v1/events").times(100_000)).await.unwrap();
    let troubled = async || world.cursors_where(|cursor| cursor.last_error.is_some()).await;
    world.until("the refusal is noted", async || troubled().await == 1).await;
    let said = world.status_for(owner).await;
    assert!(said.contains("Stripe cannot be read: Stripe refused the key"), "{said}");
    world.stripe.clear_faults().await.unwrap();
    world.until_polled("a good poll clears it", async || troubled().await == 0).await;
    assert!(world.status_for(owner).await.contains("up to date"));
    world.finish().await;
}

/// Has the gateway read an object that the account does not have, as Stripe's "send test event" does.
async fn tell_of_nothing(world: &World) {
    let body =
        event("evt_test", "customer.subscription.updated", &json!({ "id": "sub_00000000000000" }), false);
    assert_eq!(world.post_signed(&body).await.status(), 200);
    let missing = async || world.reads_where(|read| read.missing > 0 && !read.is_leased).await;
    world.until("Stripe said that it has none such", async || missing().await == 1).await;
}

#[tokio::test]
async fn a_test_event_of_an_object_that_does_not_exist_is_no_trouble() {
    let world = World::start().await;
    tell_of_nothing(&world).await;
    let said = world.status().await;
    assert!(
        !said.contains("cannot be read") && said.contains("Not in this Stripe account: 1 object"),
        "{said}"
    );
    assert!(said.contains("Everything is up to date"), "{said}");
    world.close().await;
}

#[tokio::test]
async fn a_missing_object_hides_no_trouble() {
    let world = World::start().await;
    tell_of_nothing(&world).await;
    let ana = world.member().await;
    world.stripe.fault(Fault::status(503).on("GET", "/v1/").times(100_000)).await.unwrap();
    world.subscribes(&ana).await;
    let trouble = "Stripe cannot be read: Stripe did not answer: status 503";
    world.until("nothing can be read", async || world.status().await.contains(trouble)).await;
    // Now all but one object can.
    world.stripe.clear_faults().await.unwrap();
    let subscription = world.subscribes(&ana).await;
    let one = format!("/v1/subscriptions/{subscription}");
    world.stripe.fault(Fault::status(503).on("GET", &one).times(100_000)).await.unwrap();
    let change = json!({ "cancel_at_period_end": true });
    world.stripe.set_subscription(&subscription, change).await.unwrap();
    let ben = world.member().await;
    let some = "1 read from Stripe did not work, others do: Stripe did not answer: status 503";
    world
        .until("only one object cannot be read", async || {
            world.subscribes(&ben).await;
            let said = world.status().await;
            said.contains(some) && !said.contains("cannot be read")
        })
        .await;
    world.close().await;
}

/// Events of the last minute are read again, so the cursor stays behind them.
#[tokio::test]
async fn a_good_poll_ends_the_trouble_though_its_events_are_young() {
    let world = key_only().await;
    let ana = world.member().await;
    // A read that Stripe answers after the poll has failed would say that there is no trouble.
    world.heard().await;
    world.stripe.fault(Fault::status(503).on("GET", "/v1/events").times(100_000)).await.unwrap();
    let failing = async || world.cursors_where(|cursor| cursor.is_failing).await;
    world.until("a poll has failed", async || failing().await == 1).await;
    assert!(world.status().await.contains("Stripe cannot be read: Stripe did not answer: status 503"));
    world.stripe.clear_faults().await.unwrap();
    world.subscribes(&ana).await;
    world.until_polled("they have VIP", async || world.has(&ana, world.vip).await).await;
    world.until_polled("the poll is known to have gone through", async || failing().await == 0).await;
    assert!(!world.status().await.contains("cannot be read"));
    world.finish().await;
}
