//! What happened at Stripe while nobody heard of it, read once more by the operator's order: on both sides of the 30 days for which Stripe
//! lists events. Nobody loses a role by what an event says or a list lacks.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use sandbox::stripe::{Fault, Mode};
use serde_json::json;

use crate::support::world::{Member, World};

const DAY: i64 = 24 * 3600;
/// What a backfill asks for.
const SINCE: &str = "created[gte]";

/// A world that hears nothing any more of what happens at Stripe: no webhook comes, and the next poll is hours away.
async fn deaf(payers: usize) -> (World, Vec<(Member, String)>) {
    let mut world = World::without_services().await;
    world.set("STRIPE_WEBHOOK_SECRET", "");
    world.set("EVENTS_POLL_SECONDS", "86400");
    world.stripe.delivery(Mode::Drop).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    let mut paid = Vec::new();
    // Before whatever happens then.
    world.days_pass_at_stripe(-20).await;
    for _ in 0..payers {
        let member = world.member().await;
        let subscription = world.subscribes(&member).await;
        paid.push((member, subscription));
    }
    world.days_pass_at_stripe(20).await;
    world.start_gateway().await;
    world.start_bot().await;
    for (member, _) in &paid {
        world.until_vip(member).await;
    }
    world.settle().await;
    world.stripe.clear_requests().await.unwrap();
    (world, paid)
}

impl World {
    async fn days_pass_at_stripe(&self, days: i64) {
        self.stripe.move_clock(json!({ "advance_seconds": days * DAY })).await.expect("the clock moves");
    }

    async fn backfill(&self, arguments: &[&str]) -> Result<String, String> {
        self.of_guild(&[&["backfill"], arguments].concat()).await
    }

    async fn until_backfilled(&self) {
        let done = async || self.backfill(&[]).await.is_ok_and(|said| said.contains("Done "));
        self.until("the backfill has ended", done).await;
        self.settle().await;
    }

    /// How often Stripe was asked for this, as a part of the path and query.
    async fn stripe_was_asked(&self, part: &str) -> usize {
        let requests = self.stripe.requests().await.expect("Stripe answers");
        let decoded = |path: &str| path.replace("%5B", "[").replace("%5D", "]");
        requests.iter().filter(|request| decoded(&request.path_and_query).contains(part)).count()
    }
}

#[tokio::test]
async fn five_days_that_nobody_heard_of_are_healed_by_what_stripes_events_name() {
    let (world, paid) = deaf(3).await;
    let [(ana, hers), (cleo, cleos), _] = &paid[..] else { panic!("three pay") };
    let ben = world.member().await;
    world.days_pass_at_stripe(-5).await;
    world.stripe.cancel(hers).await.unwrap();
    world.subscribes(&ben).await;
    world.days_pass_at_stripe(5).await;
    let none = world.backfill(&[]).await.unwrap();
    assert!(none.contains("No backfill was ordered"), "{none}");

    // Too short a time finds nothing.
    let said = world.backfill(&["--since", "4d"]).await.unwrap();
    assert!(said.contains("Stripe lists them for 30 days"), "{said}");
    world.until_backfilled().await;
    assert!(world.has(ana, world.vip).await && !world.has(&ben, world.vip).await);

    world.stripe.clear_requests().await.unwrap();
    world.backfill(&["--since", "6d"]).await.unwrap();
    world.until_vip(&ben).await;
    world.until_no_vip(ana).await;
    world.until_backfilled().await;
    let done = world.backfill(&[]).await.unwrap();
    assert!(done.contains("all there are"), "{done}");
    assert_eq!(world.stripe_was_asked(SINCE).await, 1, "one page has all of them");
    assert_eq!(world.stripe_was_asked(cleos).await, 0, "nothing happened to hers");
    assert_eq!(world.role_history(cleo).await, ["role.granted"]);
    assert_eq!(world.audit(shared::domain::audit::AuditAction::BackfillAsked).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn beyond_thirty_days_stripes_lists_tell_what_its_events_do_not() {
    let (world, paid) = deaf(2).await;
    let [(ana, hers), (cleo, _)] = &paid[..] else { panic!("two pay") };
    let (ben, dan) = (world.member().await, world.member().await);
    let once = world.sells_once().await;
    world.days_pass_at_stripe(-45).await;
    world.stripe.cancel(hers).await.unwrap();
    world.subscribes(&ben).await;
    world.checks_out(&dan, &once, json!({})).await;
    world.days_pass_at_stripe(45).await;

    // Whatever events Stripe still lists tell nothing of it.
    let nothing = json!({ "object": "list", "data": [], "has_more": false });
    world.stripe.fault(Fault::status(200).on("GET", "/v1/events").body(nothing).times(1)).await.unwrap();
    let said = world.backfill(&["--since", "46d"]).await.unwrap();
    assert!(said.contains("for 30 days only") && said.contains("What is not found so"), "{said}");
    world.until_vip(&ben).await;
    world.until_vip(&dan).await;
    world.until_no_vip(ana).await;
    world.until_backfilled().await;
    assert!(world.stripe_was_asked(&format!("/v1/subscriptions/{hers}")).await > 0, "it was read by itself");
    assert_eq!(world.role_history(cleo).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn empty_and_odd_answers_take_no_role_and_say_what_is_wrong() {
    let (world, paid) = deaf(2).await;
    let nothing = json!({ "object": "list", "data": [], "has_more": false });
    let empty = |path: &str| Fault::status(200).on("GET", path).body(nothing.clone()).times(1);
    world.stripe.fault(empty("/v1/events")).await.unwrap();
    world.stripe.fault(empty("/v1/subscriptions?")).await.unwrap();
    world.backfill(&["--since", "40d"]).await.unwrap();
    world.until_backfilled().await;

    let down = || Fault::status(500).on("GET", "/v1/events").times(1);
    world.stripe.fault(down()).await.unwrap();
    world.backfill(&["--since", "5d"]).await.unwrap();
    let says = async |part: &str| world.backfill(&[]).await.unwrap().contains(part);
    world.until("it says why it cannot go on", async || says("it cannot go on").await).await;
    let again = world.backfill(&["--since", "5d"]).await.unwrap();
    assert!(again.contains("under way already"), "{again}");
    world.backfills_are_due().await;
    world.until_backfilled().await;
    for (member, _) in &paid {
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    for (wrong, expected) in [("soon", "as in 5d"), ("2031-01-01", "not in the past")] {
        let refused = world.backfill(&["--since", wrong]).await.unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    let unknown = world.backfill(&["--since", "5d", "--connection", "nowhere"]).await.unwrap_err();
    assert!(unknown.contains("nexrole connections"), "{unknown}");
    world.finish().await;
}

#[tokio::test]
async fn a_backfill_goes_on_where_it_was_after_a_crash() {
    let (mut world, paid) = deaf(1).await;
    let (ana, hers) = &paid[0];
    // More than a page of 100.
    for n in 0..120 {
        let change = json!({ "cancel_at_period_end": n % 2 == 0 });
        world.stripe.set_subscription(hers, change).await.unwrap();
    }
    world.stripe.clear_requests().await.unwrap();
    let second = Fault::hang().on("GET", "starting_after").times(1);
    world.stripe.fault(second).await.unwrap();
    world.backfill(&["--since", "1d"]).await.unwrap();
    let hangs = async || world.stripe.requests().await.unwrap().iter().any(|request| request.fault.is_some());
    world.until("the second page is asked for", hangs).await;
    let said = world.backfill(&[]).await.unwrap();
    assert!(said.contains("events: 100 read so far"), "{said}");
    world.kill_gateway().await;
    world.stripe.clear_faults().await.unwrap();
    world.stripe.clear_requests().await.unwrap();
    world.start_gateway().await;
    world.backfills_are_due().await;
    world.until_backfilled().await;
    assert_eq!(
        (world.stripe_was_asked(SINCE).await, world.stripe_was_asked("starting_after").await),
        (1, 1),
        "only the rest is read"
    );
    assert_eq!(world.role_history(ana).await, ["role.granted"]);
    world.finish().await;
}
