//! Mistakes in bulk, each by its name: nobody loses a role by them without an owner's word, and what is said names the mistake.

use nexrole::children::free_port;
use sandbox::stripe::{self, Fault};
use serde_json::json;
use shared::domain::activity::Activity;

use crate::support::world::{Payer, World};

/// How many pay: more than may lose a role unasked, on any evidence.
const PAYERS: usize = 12;

#[tokio::test]
async fn a_mapping_that_was_removed_by_mistake_takes_nothing_and_is_named() {
    let world = World::start().await;
    let payers = world.payers(PAYERS).await;
    world.mappings_vanish().await;
    world.everything_is_read_again().await;
    world.until_held(PAYERS).await;
    assert_eq!(world.with_vip(&payers).await, PAYERS);
    let named = "nothing is mapped to this role any more, and no owner removed that";
    let (why, list) = (world.why(&payers[0].member).await, world.of_guild(&["held"]).await.unwrap());
    assert!(why.contains(named) && list.contains(named), "{why}\n{list}");
    assert!(list.contains("without what gives the role: 12"), "{list}");
    let said = async || {
        world.activity_where(|line| line.is(Activity::RevokesHeld) && line.detail.contains(named)).await
    };
    assert_eq!(said().await, 1);

    // It is mapped again, and nothing was lost.
    world.map("price", &world.price.clone(), world.vip).await;
    world.until("nothing is held any more", async || world.held().await == 0).await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.revokes_counted().await), (PAYERS, 0));
    world.finish().await;
}

/// A key of the same mode, of somebody else's account.
#[tokio::test]
async fn a_key_of_another_account_takes_nothing_and_is_named() {
    let mut world = World::start().await;
    let payers = world.payers(PAYERS).await;
    let options = stripe::Options { port: 0, webhook_url: None, webhook_secret: None };
    let other = stripe::serve(options).await.unwrap();
    world.stop_gateway().await;
    world.set("STRIPE_API_URL", &other.url);
    world.start_gateway().await;
    let missing = async || world.subscriptions_where(|subscription| subscription.is_missing).await;
    world.until("none of them is in the account", async || missing().await == PAYERS).await;
    // Nor after days.
    world.missing_for_days().await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.held().await), (PAYERS, 0));
    let why = world.why(&payers[0].member).await;
    assert!(why.contains("the Stripe account that is connected has no such subscription"), "{why}");
    let doctor = world.doctor().await;
    for (check, named) in [
        (
            "stripe.sources",
            "12 role(s) given for purchases on a Stripe account, or in a mode, that is not connected",
        ),
        ("stripe.products", "deleted, archived, or the key is another account's. 12 member(s) keep it"),
    ] {
        let finding = &doctor[check];
        assert_eq!(finding["state"], "warn", "{finding}");
        assert!(finding["detail"].as_str().unwrap().contains(named), "{finding}");
    }
    world.close().await;
    other.stop().await;
}

/// Its lists are full, of nothing that is ours; of each of ours it says that it has none such.
#[tokio::test]
async fn lists_of_another_account_take_nothing_and_are_named() {
    let mut world = World::start().await;
    let payers = world.payers(PAYERS).await;
    let options = stripe::Options { port: 0, webhook_url: None, webhook_secret: None };
    let other = stripe::serve(options).await.unwrap();
    let theirs = stripe::Control::new(&other.url);
    let product = theirs.create_product("Theirs").await.unwrap();
    let price = theirs.create_price(&product, 500).await.unwrap();
    for _ in 0..PAYERS {
        let customer = theirs.create_customer(None, &[]).await.unwrap();
        theirs.subscribe(&customer, &price).await.unwrap();
    }
    world.stop_gateway().await;
    world.set("STRIPE_API_URL", &other.url);
    world.list_again().await;
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    world.set("METRICS_BIND", &address);
    world.start_gateway().await;
    let named = async || {
        let scraped = world.http.get(format!("http://{address}/metrics")).send().await.unwrap();
        scraped.text().await.unwrap().contains(r#"nexrole_list_pages_total{outcome="none_of_ours"}"#)
    };
    world.until("it is named", named).await;
    let missing = async || world.subscriptions_where(|subscription| subscription.is_missing).await;
    world.until("each of ours was asked for", async || missing().await == PAYERS).await;
    world.missing_for_days().await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.held().await), (PAYERS, 0));
    let doctor = world.doctor().await;
    assert_eq!(doctor["stripe.sources"]["state"], "warn", "{}", doctor["stripe.sources"]);
    world.close().await;
    other.stop().await;
}

#[tokio::test]
async fn an_empty_list_takes_nothing_and_is_named() {
    let mut world = World::start().await;
    let payers = world.payers(PAYERS).await;
    world.stop_gateway().await;
    let empty = json!({ "data": [], "has_more": false });
    let lists = Fault::status(200).on("GET", "/v1/subscriptions?").times(1).body(empty);
    world.stripe.fault(lists).await.unwrap();
    world.list_again().await;
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    world.set("METRICS_BIND", &address);
    world.start_gateway().await;
    let named = async || {
        let scraped = world.http.get(format!("http://{address}/metrics")).send().await.unwrap();
        scraped.text().await.unwrap().contains(r#"nexrole_list_pages_total{outcome="none_of_ours"}"#)
    };
    world.until("it is named", named).await;
    world.settle().await;
    assert_eq!((world.with_vip(&payers).await, world.held().await), (PAYERS, 0));
    world.finish().await;
}

/// Stripe goes on with the subscriptions of what is not sold any more.
#[tokio::test]
async fn a_product_that_was_archived_takes_nothing_and_is_named() {
    let world = World::start().await;
    let payers = world.payers(PAYERS).await;
    assert_eq!(world.doctor().await["stripe.products"]["state"], "ok");
    world.stripe.update_price(&world.price, json!({ "active": false })).await.unwrap();
    world.stripe.update_product(&world.product, json!({ "active": false })).await.unwrap();
    takes_nothing_and_is_named(world, &payers).await;
}

/// Neither is there any more: 404.
#[tokio::test]
async fn a_product_that_was_deleted_takes_nothing_and_is_named() {
    let world = World::start().await;
    let payers = world.payers(PAYERS).await;
    world.stripe.delete_price(&world.price).await.unwrap();
    world.stripe.delete_product(&world.product).await.unwrap();
    takes_nothing_and_is_named(world, &payers).await;
}

async fn takes_nothing_and_is_named(world: World, payers: &[Payer]) {
    world.everything_is_read_again().await;
    world.heard().await;
    assert_eq!((world.with_vip(payers).await, world.held().await), (PAYERS, 0));
    let finding = &world.doctor().await["stripe.products"];
    assert_eq!(finding["state"], "warn", "{finding}");
    let named = format!("Stripe does not sell {} any more", world.price);
    assert!(finding["detail"].as_str().is_some_and(|detail| detail.contains(&named)), "{finding}");
    world.finish().await;
}
