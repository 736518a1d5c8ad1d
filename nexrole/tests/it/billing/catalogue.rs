//! What an owner sells is read at first contact, follows changes, and is shown with the roles it gives.

use sandbox::stripe::Mode;
use serde_json::json;

use crate::support::world::{Read, World};

/// It was read, and nothing of it is to be read.
async fn is_read(world: &World) -> bool {
    let clean = |read: &Read| read.object_kind == "catalogue" && !read.is_dirty() && read.was_read;
    world.reads_where(clean).await == 1
}

#[tokio::test]
async fn first_contact_reads_the_catalogue_and_changes_follow() {
    let mut world = World::without_services().await;
    let yearly = world.stripe.create_price(&world.product, 9000).await.unwrap();
    let link = world
        .stripe
        .create_payment_link(json!({ "price": world.price, "redirect_url": "https://example.com/welcome" }))
        .await
        .unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until("the catalogue is read", async || is_read(&world).await).await;

    let guild = world.guild.to_string();
    let shown = async || world.nexrole(&["catalogue", "--guild", &guild]).await.unwrap();
    let text = shown().await;
    for part in [
        &format!("{}  VIP", world.product),
        &format!("{}  9.00 USD every month  gives role {}", world.price, world.vip),
        &format!("{yearly}  90.00 USD every month  gives no role"),
        &format!("sells {}  then https://example.com/welcome", world.price),
    ] {
        assert!(text.contains(part.as_str()), "{part} is missing in\n{text}");
    }
    // The owner renames the product, archives a price and a link: what is shown follows.
    world.stripe.update_product(&world.product, json!({ "name": "Gold" })).await.unwrap();
    world.stripe.update_price(&yearly, json!({ "active": false })).await.unwrap();
    world.stripe.update_payment_link(&link, json!({ "active": false })).await.unwrap();
    world.heard().await;
    world
        .until("the changes are read", async || {
            let text = shown().await;
            text.contains("  Gold") && !text.contains(&yearly) && !text.contains("Payment links")
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_may_not_read_prices_is_no_fault() {
    let mut world = World::without_services().await;
    let refused = sandbox::Fault::status(403).on("GET", "/v1/prices").times(100);
    world.stripe.fault(refused).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until("it is known that there is no catalogue", async || is_read(&world).await).await;
    let text = world.nexrole(&["catalogue", "--guild", &world.guild.to_string()]).await.unwrap();
    assert!(text.contains("the key needs Read on Prices"), "{text}");
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

/// Without webhooks, the list that tells of it is looked at later than first contact: no change in between is missed, and no read is for nothing.
#[tokio::test]
async fn what_is_sold_is_read_once_more_only_if_it_may_have_changed_since_first_contact() {
    for changes in [false, true] {
        let mut world = World::without_services().await;
        world.set("STRIPE_WEBHOOK_SECRET", "");
        world.stripe.delivery(Mode::Drop).await.unwrap();
        world.stripe.move_clock(json!({ "advance_seconds": -3600 })).await.unwrap();
        world.stripe.create_price(&world.product, 9000).await.unwrap();
        world.stripe.move_clock(json!({ "advance_seconds": 3600 })).await.unwrap();
        world.start_gateway().await;
        world.until("the catalogue is read", async || is_read(&world).await).await;
        if changes {
            world.stripe.update_product(&world.product, json!({ "name": "Gold" })).await.unwrap();
        }
        let begun = async || world.cursors_where(|cursor| cursor.other_event_id.is_some()).await;
        world.until_polled("the list of other events is begun", async || begun().await == 1).await;
        world.until_all_is_read().await;
        let requests = world.stripe.requests().await.unwrap();
        let reads = requests.iter().filter(|request| request.path == "/v1/prices").count();
        assert_eq!(reads, if changes { 2 } else { 1 });
        world.close().await;
    }
}
