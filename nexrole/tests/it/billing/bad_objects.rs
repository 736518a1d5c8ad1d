//! Answers of Stripe's that are wrong: errors at every read, lists that break off, another object than was asked for, numbers that no
//! calendar has. None of it takes a role, and none gives one.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sandbox::stripe::{Fault, Mode};
use serde_json::{Value, json};
use shared::{db::pg_roles::Login, domain::audit::AuditAction};
use uuid::Uuid;

use crate::support::{
    scale::{scaled, seed},
    signing::event,
    tenants::NewTenant,
    world::{Member, World},
};

const UPDATED: &str = "customer.subscription.updated";

/// A member who has the role, and their subscription.
async fn payer(world: &World) -> (Member, String) {
    let member = world.member().await;
    let subscription = world.subscribes(&member).await;
    world.until_vip(&member).await;
    world.heard().await;
    (member, subscription)
}

/// Posts an event that hints at an object.
async fn hint(world: &World, event_type: &str, object: Value) {
    let id = format!("evt_{}", Uuid::new_v4().simple());
    let answer = world.post_signed(&event(&id, event_type, &object, false)).await;
    assert_eq!(answer.status(), 200);
}

/// Posts a thin event that names an object.
async fn thin_hint(world: &World, event_type: &str, object: &str) {
    let id = format!("evt_{}", Uuid::new_v4().simple());
    let body = json!({ "id": id, "object": "v2.core.event", "type": event_type, "livemode": false,
                       "created": "2026-11-28T00:00:00.000Z", "related_object": { "id": object } });
    assert_eq!(world.post_signed(body.to_string().as_bytes()).await.status(), 200);
}

/// Faults are over, and whatever was put off is read.
async fn recover(world: &World) {
    world.stripe.clear_faults().await.unwrap();
    world.until_settled_at_once().await;
}

/// The object as Stripe's API has it.
async fn object(world: &World, path: &str) -> Value {
    let url = format!("{}/v1/{path}", world.gateway_config().stripe_api_url);
    let answer = world.http.get(url).bearer_auth(sandbox::stripe::KEY).send().await.unwrap();
    answer.json().await.unwrap()
}

/// Has a subscription read once, answered so; the read is over, whatever came of it.
async fn is_answered(world: &World, subscription: &str, answer: &Value) {
    let path = format!("/v1/subscriptions/{subscription}");
    let fault = Fault::status(200).on("GET", &path).body(answer.clone());
    world.stripe.clear_requests().await.unwrap();
    world.stripe.fault(fault.times(1)).await.unwrap();
    hint(world, UPDATED, json!({ "id": subscription })).await;
    let calls = async || world.stripe.requests().await.unwrap();
    let answered = async || calls().await.iter().any(|call| call.path == path && call.fault.is_some());
    world.until("it is answered so", answered).await;
    world.until_settled_at_once().await;
}

/// One of the reads that Stripe gets: how its path begins, and what its query has or has not.
struct Asked(&'static str, Option<(&'static str, bool)>);

/// Each fault meets every kind of read, those first that others follow.
#[tokio::test]
async fn an_error_at_any_read_takes_no_role_and_gives_none() {
    let world = World::start().await;
    let (ana, subscription) = payer(&world).await;
    // Who has cancelled gets nothing by an error, either.
    let (ben, ended) = payer(&world).await;
    world.stripe.cancel(&ended).await.unwrap();
    world.until_no_vip(&ben).await;
    // Of who has bought nothing, but is linked, the customer is read; of all others what they bought.
    let cleo = world.member().await;
    let user = cleo.user.to_string();
    world.of_guild(&["link", "add", "--customer", &cleo.customer, "--user", &user]).await.unwrap();
    let invoice = object(&world, &format!("subscriptions/{subscription}")).await["latest_invoice"].clone();
    let session = json!({ "prices": [world.price], "customer": ana.customer });
    let session = world.stripe.open_session(session).await.unwrap();
    // Stripe embeds not all of the items, so that their list is read, too.
    let mut items = object(&world, &format!("subscriptions/{subscription}")).await["items"].clone();
    items["has_more"] = json!(true);
    world.stripe.set_subscription(&subscription, json!({ "items": items })).await.unwrap();
    world.heard().await;
    let before = world.role_calls().await;
    let first = [
        Asked("/v1/subscriptions/", None),
        Asked("/v1/customers/", None),
        Asked("/v1/invoices/", None),
        Asked("/v1/checkout/sessions/", None),
        Asked("/v1/prices", None),
        Asked("/v1/events", None),
    ];
    let then = [
        Asked("/v1/subscription_items", None),
        Asked("/v1/subscriptions", Some(("customer=", true))),
        Asked("/v1/subscriptions", Some(("customer=", false))),
        Asked("/v1/payment_links", None),
    ];
    let faults = [
        Fault::status(401),
        Fault::status(403),
        Fault::status(404).body(json!({ "error": { "code": "resource_missing" } })),
        Fault::status(429).header("retry-after", "1"),
        Fault::status(500),
        Fault::status(200).body(json!({})),
        Fault::status(200).body(json!([])),
        Fault::status(200).body(json!({ "object": "list", "data": [], "has_more": true })),
        Fault::status(200).text("<html>"),
        Fault::truncate(),
        Fault::reset(),
        // Longer than a lease.
        Fault::hang().for_ms(3_000),
    ];
    // Some of them, and all at full scale.
    let from = StdRng::seed_from_u64(seed()).random_range(0..faults.len());
    for fault in faults.iter().cycle().skip(from).take(scaled(4, faults.len())) {
        for reads in [&first[..], &then[..]] {
            for Asked(path, query) in reads {
                let path = if query.is_some() { format!("{path}?") } else { (*path).to_owned() };
                world.stripe.fault(fault.clone().on("GET", &path).times(1_000)).await.unwrap();
            }
            world.stripe.clear_requests().await.unwrap();
            hint(&world, UPDATED, json!({ "id": subscription })).await;
            hint(&world, UPDATED, json!({ "id": ended })).await;
            hint(&world, "customer.updated", json!({ "id": cleo.customer })).await;
            thin_hint(&world, "v1.invoice.paid", invoice.as_str().unwrap()).await;
            thin_hint(&world, "v1.checkout.session.completed", &session).await;
            hint(&world, "product.updated", json!({ "id": world.product })).await;
            world.list_again().await;
            let faulty = async || {
                let calls = world.stripe.requests().await.unwrap();
                reads.iter().all(|Asked(path, query)| {
                    calls.iter().any(|call| {
                        let fits = query.is_none_or(|(has, so)| {
                            call.path == *path && call.path_and_query.contains(has) == so
                        });
                        call.fault.is_some() && call.path.starts_with(path) && fits
                    })
                })
            };
            world.until_polled(&format!("{fault:?} met all of them"), faulty).await;
            assert!(world.has(&ana, world.vip).await && !world.has(&ben, world.vip).await, "{fault:?}");
            recover(&world).await;
            assert_eq!(world.role_calls().await, before, "{fault:?}");
        }
    }
    world.close().await;
}

#[tokio::test]
async fn a_list_of_items_that_breaks_off_takes_no_role() {
    let world = World::start().await;
    let (ana, subscription) = payer(&world).await;
    let other = world.stripe.create_price(&world.product, 100).await.unwrap();
    let whole = object(&world, &format!("subscriptions/{subscription}")).await["items"].clone();
    let item = |id: Option<&str>| json!({ "id": id, "object": "subscription_item", "price": { "id": other, "product": world.product } });
    let page = |data: Value| json!({ "object": "list", "has_more": true, "data": data });
    let cut = page(json!([item(Some("si_1"))]));
    for pages in [
        vec![page(json!([]))],
        vec![cut.clone(), page(json!([]))],
        vec![page(json!([item(None)]))],
        // The same page for ever.
        vec![cut.clone(), cut.clone()],
    ] {
        let last = pages.len() - 1;
        for (n, page) in pages.iter().enumerate() {
            let fault = Fault::status(200).on("GET", "/v1/subscription_items").body(page.clone());
            world.stripe.fault(fault.times(if n == last { 10_000 } else { 1 })).await.unwrap();
        }
        world.stripe.clear_requests().await.unwrap();
        world.stripe.set_subscription(&subscription, json!({ "items": cut })).await.unwrap();
        let failed = async || world.reads_where(|read| read.attempts > 0 && !read.is_leased).await;
        world.until("it is not taken for a read", async || failed().await == 1).await;
        assert!(world.has(&ana, world.vip).await, "{pages:?}");
        let calls = world.stripe.requests().await.unwrap();
        let asked = calls.iter().filter(|call| call.path.ends_with("/subscription_items")).count();
        assert!(asked < 10, "{asked} pages of {pages:?}");
        world.stripe.set_subscription(&subscription, json!({ "items": whole })).await.unwrap();
        recover(&world).await;
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_list_of_what_was_bought_once_that_breaks_off_takes_no_role() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let session = world.buys(&ana, &price).await.session;
    world.heard().await;
    let other = world.stripe.create_price(&world.product, 100).await.unwrap();
    let line = json!({ "id": "li_1", "object": "item", "price": { "id": other, "product": world.product } });
    let cut = json!({ "object": "list", "has_more": true, "data": [line] });
    let mut odd = object(&world, &format!("checkout/sessions/{session}?expand[]=customer")).await;
    odd["line_items"] = cut.clone();
    let lines = format!("/v1/checkout/sessions/{session}/line_items");
    let one = Fault::status(200).on("GET", &lines).body(cut.clone());
    let nothing = json!({ "object": "list", "has_more": true, "data": [] });
    world.stripe.fault(one.times(1)).await.unwrap();
    world.stripe.fault(Fault::status(200).on("GET", &lines).body(nothing).times(1_000)).await.unwrap();
    let path = format!("/v1/checkout/sessions/{session}?");
    world.stripe.fault(Fault::status(200).on("GET", &path).body(odd).times(1_000)).await.unwrap();
    let failed = async || world.reads_where(|read| read.attempts > 0 && !read.is_leased).await;
    thin_hint(&world, "v1.checkout.session.completed", &session).await;
    world.until("it is not taken for a read", async || failed().await == 1).await;
    assert!(world.has(&ana, world.vip).await);
    recover(&world).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_about_another_purchase_changes_neither() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let price = world.sells_once().await;
    let (hers, his) = (world.buys(&ana, &price).await, world.buys(&ben, &price).await);
    world.heard().await;
    let about_his = object(&world, &format!("checkout/sessions/{}?expand[]=line_items", his.session)).await;
    let mut unpaid = about_his.clone();
    unpaid["payment_status"] = json!("unpaid");
    let mut refunded =
        object(&world, &format!("payment_intents/{}?expand[]=latest_charge", his.payment)).await;
    refunded["latest_charge"]["refunded"] = json!(true);
    for (path, answer) in [
        (format!("/v1/checkout/sessions/{}", hers.session), unpaid),
        (format!("/v1/payment_intents/{}", hers.payment), refunded),
    ] {
        world.stripe.clear_requests().await.unwrap();
        world.stripe.fault(Fault::status(200).on("GET", &path).body(answer).times(1)).await.unwrap();
        thin_hint(&world, "v1.checkout.session.completed", &hers.session).await;
        let calls = async || world.stripe.requests().await.unwrap();
        let answered = async || calls().await.iter().any(|call| call.fault.is_some());
        world.until("it is answered so", answered).await;
        recover(&world).await;
    }
    for member in [&ana, &ben] {
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_list_that_does_not_go_on_is_not_asked_for_for_ever() {
    let world = World::start().await;
    let (ana, subscription) = payer(&world).await;
    let said = world.stripe.events().await.unwrap();
    for (path, entry) in [
        ("/v1/events", said.last().unwrap().clone()),
        ("/v1/subscriptions?", object(&world, &format!("subscriptions/{subscription}")).await),
    ] {
        let body = json!({ "object": "list", "has_more": true, "data": [entry] });
        let fault = Fault::status(200).on("GET", path).body(body).times(1_000_000);
        world.stripe.fault(fault).await.unwrap();
        world.stripe.clear_requests().await.unwrap();
        if path.ends_with('?') {
            world.list_again().await;
        }
        let failing = async || world.cursors_where(|cursor| cursor.is_failing).await;
        world.until_polled("it is given up for now", async || failing().await == 1).await;
        let calls = world.stripe.requests().await.unwrap();
        let asked = calls.iter().filter(|call| call.path_and_query.starts_with(path)).count();
        assert!(asked < 20, "{asked} times {path}");
        world.stripe.clear_faults().await.unwrap();
        world.until_polled("the next poll is good", async || failing().await == 0).await;
    }
    recover(&world).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_about_another_subscription_changes_neither() {
    let world = World::start().await;
    let ((ana, hers), (ben, his)) = (payer(&world).await, payer(&world).await);
    let mut about_his = object(&world, &format!("subscriptions/{his}?expand[]=customer")).await;
    for status in ["canceled", "active"] {
        about_his["status"] = json!(status);
        is_answered(&world, &hers, &about_his).await;
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    assert_eq!(world.role_history(&ben).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_whose_customer_is_missing_or_deleted_goes_by_its_status() {
    let world = World::start().await;
    let (ana, subscription) = payer(&world).await;
    let good = object(&world, &format!("subscriptions/{subscription}")).await;
    for customer in [
        json!(null),
        json!(""),
        json!(7),
        json!({}),
        json!([]),
        json!(ana.customer),
        json!({ "id": ana.customer, "deleted": true }),
        json!({ "id": ana.customer, "metadata": null }),
        json!({ "id": ana.customer, "metadata": { "discord_user_id": "nobody" } }),
    ] {
        let mut odd = good.clone();
        odd["customer"] = customer;
        is_answered(&world, &subscription, &odd).await;
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn numbers_that_cannot_be_take_no_role() {
    let world = World::start().await;
    let (ana, subscription) = payer(&world).await;
    let good = object(&world, &format!("subscriptions/{subscription}?expand[]=customer")).await;
    let absurd = [
        json!(null),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(-1.5),
        json!("soon"),
        json!({}),
        json!([]),
    ];
    for number in &absurd {
        let mut odd = good.clone();
        for field in ["cancel_at", "trial_end", "created", "current_period_end", "start_date", "ended_at"] {
            odd[field] = number.clone();
        }
        let item = &mut odd["items"]["data"][0];
        for field in ["current_period_start", "current_period_end", "created"] {
            item[field] = number.clone();
        }
        item["price"]["unit_amount"] = number.clone();
        // Of nothing there is a rule.
        if *number != json!(0) {
            item["quantity"] = number.clone();
        }
        is_answered(&world, &subscription, &odd).await;
        assert!(world.has(&ana, world.vip).await, "{number}");
        // A payment failed, and since when is nonsense.
        odd["status"] = json!("past_due");
        odd["latest_invoice"] = json!({ "id": "in_1", "status": "open", "created": number, "due_date": number,
                                        "status_transitions": { "finalized_at": number } });
        is_answered(&world, &subscription, &odd).await;
        assert!(world.has(&ana, world.vip).await, "past due since {number}");
        is_answered(&world, &subscription, &good).await;
    }
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_clock_of_stripes_that_is_ten_minutes_wrong_changes_nothing() {
    for seconds in [-600, 600] {
        let world = World::start().await;
        world.stripe.move_clock(json!({ "advance_seconds": seconds })).await.unwrap();
        // By webhook.
        let (ana, hers) = payer(&world).await;
        world.stripe.set_subscription(&hers, json!({ "status": "past_due" })).await.unwrap();
        world.heard().await;
        assert!(world.has(&ana, world.vip).await, "{seconds} s");
        world.stripe.cancel(&hers).await.unwrap();
        world.until_no_vip(&ana).await;
        // By Stripe's list.
        world.stripe.delivery(Mode::Drop).await.unwrap();
        let ben = world.member().await;
        let his = world.subscribes(&ben).await;
        world.until_polled("he has VIP", async || world.has(&ben, world.vip).await).await;
        world.stripe.cancel(&his).await.unwrap();
        world.until_polled("he has lost it", async || !world.has(&ben, world.vip).await).await;
        world.settle().await;
        for member in [&ana, &ben] {
            assert_eq!(world.role_history(member).await, ["role.granted", "role.revoked"], "{seconds} s");
        }
        world.finish().await;
    }
}

/// A server of its own, connected to the same account, with its own role for the same price.
#[tokio::test]
async fn one_account_connected_to_two_servers_gives_and_takes_in_both() {
    let world = World::start().await;
    let second = world.discord.create_guild(None, "Another server").await.unwrap();
    let gold = world.discord.create_role(second, "Gold").await.unwrap();
    let tenant = NewTenant {
        api_key: Some(sandbox::stripe::KEY),
        metadata_links: Some(true),
        ..NewTenant::new(&second.to_string(), "whsec_second")
    };
    let endpoint = tenant.connect(&world.login(Login::Operator)).await.endpoint;
    let url = format!("{}/{endpoint}", world.webhook());
    let hook = json!({ "url": url, "secret": "whsec_second", "enabled_events": ["*"] });
    world.stripe.create_webhook_endpoint(hook).await.unwrap();
    let (guild, role) = (second.to_string(), gold.to_string());
    let map = ["map", "add", "--guild", &guild, "--price", &world.price, "--role", &role];
    world.nexrole(&map).await.unwrap();
    world.until_every_mapped_role_is_seen().await;
    let has_gold = async |member: &Member| {
        let roles = world.discord.member_roles(second, member.user).await.unwrap();
        roles.is_some_and(|roles| roles.contains(&gold))
    };
    let (ana, ben) = (world.member().await, world.member().await);
    // Ben is in the first only.
    world.discord.rejoin(second, ana.user).await.unwrap();
    let (hers, _) = (world.subscribes(&ana).await, world.subscribes(&ben).await);
    world.until("she has both", async || world.has(&ana, world.vip).await && has_gold(&ana).await).await;
    world.until_vip(&ben).await;
    world.stripe.cancel(&hers).await.unwrap();
    world.until("she has neither", async || !world.has(&ana, world.vip).await && !has_gold(&ana).await).await;
    world.settle().await;
    assert!(world.has(&ben, world.vip).await && !has_gold(&ben).await);
    let ended = world.audit(AuditAction::AccessEnded).await;
    assert_eq!(ended, 2, "one in each");
    let by_role: BTreeSet<u64> =
        world.discord.audit_log(second).await.unwrap().iter().map(|entry| entry.role_id).collect();
    assert_eq!(by_role, BTreeSet::from([gold]));
    world.close().await;
}
