//! Thin events, which Stripe recommends for new integrations: they name an object and carry none.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use serde_json::json;

use crate::support::world::{Member, SECRET, World};

/// A world whose only webhook is a destination of thin events of these types.
async fn with_thin(events: &[&str]) -> World {
    let world = World::start().await;
    world.stripe.set_webhook("http://127.0.0.1:9/nobody", SECRET).await.unwrap();
    let params = json!({
        "url": world.webhook(), "secret": SECRET, "enabled_events": events, "event_payload": "thin",
    });
    world.stripe.create_webhook_endpoint(params).await.unwrap();
    world
}

/// How many objects of Stripe's API were read, without its lists.
async fn reads(world: &World) -> usize {
    let requests = world.stripe.requests().await.unwrap();
    let of_one = |path: &str| path.split('?').next().is_some_and(|path| path.matches('/').count() > 2);
    requests.iter().filter(|request| request.method == "GET" && of_one(&request.path)).count()
}

async fn pays_and_cancels(world: &World, ana: &Member) {
    let subscription = world.subscribes(ana).await;
    world.until_vip(ana).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(ana).await;
}

#[tokio::test]
async fn who_pays_gets_the_role_by_thin_events_alone_and_who_cancels_loses_it() {
    let world = with_thin(&["*"]).await;
    let ana = world.member().await;
    pays_and_cancels(&world, &ana).await;
    world.close().await;
}

#[tokio::test]
async fn an_invoice_that_a_thin_event_names_leads_to_its_subscription() {
    let world = with_thin(&["v1.invoice.paid"]).await;
    let ana = world.member().await;
    world.stripe.clear_requests().await.unwrap();
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(reads(&world).await, 2, "the invoice, and the subscription with its customer");
    world.close().await;
}

#[tokio::test]
async fn a_checkout_that_a_thin_event_names_leads_to_its_subscription() {
    let world = with_thin(&["v1.checkout.session.completed"]).await;
    let ana = world.member().await;
    let params = json!({ "prices": [world.price], "customer": ana.customer });
    let session = world.stripe.open_session(params).await.unwrap();
    world.stripe.complete_session(&session, json!({})).await.unwrap();
    world.until_vip(&ana).await;
    world.close().await;
}
