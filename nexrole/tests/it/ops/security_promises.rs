//! What `SECURITY.md` and `security/controls.toml` promise: stories in which somebody asks for more than we give.

use sandbox::stripe::Fault;
use serde_json::json;

use crate::support::{
    signing::event,
    world::{Read, World},
};

/// Everything that there is to do, and then what both were asked.
#[tokio::test]
async fn stripe_hears_nothing_but_get_and_discord_only_of_roles() {
    let world = World::start().await;
    let ana = world.member().await;
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
    let known = [
        "billing_portal",
        "checkout",
        "customers",
        "events",
        "payment_links",
        "prices",
        "subscription_items",
        "subscriptions",
    ];
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
async fn rows_with(world: &World, text: &str) -> usize {
    let tables = world.database().rows_by_table().await;
    tables.values().flatten().filter(|row| row.contains(text)).count()
}

#[tokio::test]
async fn of_a_buyer_nothing_but_ids_is_kept() {
    const CANARIES: [&str; 4] = ["4242424242424242", "ana.canary@example.com", "Ana Canary", "770431"];
    let [card, email, name, amount] = CANARIES;
    let world = World::start().await;
    let ana = world.member().await;
    let params = json!({ "customer": ana.customer, "prices": [world.price], "status": "incomplete" });
    let subscription = world.stripe.subscribe_with(params).await.unwrap();
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
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    world.stripe.fault(Fault::status(401).on("GET", "/v1/").times(100_000)).await.unwrap();
    // Signed webhooks still come; even one that says "canceled" is no more than a hint.
    world.stripe.set_subscription(&subscription, json!({ "status": "canceled" })).await.unwrap();
    let refused =
        |read: &Read| read.last_error.as_ref().is_some_and(|error| error.contains("refused the key"));
    world.until("the refusal is noted", async || world.reads_where(refused).await >= 1).await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    // Given again, it goes on where it was.
    world.stripe.clear_faults().await.unwrap();
    world.reads_are_due().await;
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
