//! A kill between any two arrows of the pipeline. Each point is reached from outside: the sandboxes hang, or Postgres holds
//! (`hold.rs`). Then somebody is killed and brought back, and the member has their role: once.

use std::time::Instant;

use nexrole::children::Service;
use sandbox::{Fault, Request, discord::Action};
use serde_json::json;

use super::{
    harness::{Harness, Target},
    hold::Hold,
    invariants,
};
use crate::support::{
    scale,
    world::{Member, World},
};

/// Where a payment is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    EventReceivedNotCommitted,
    EventCommittedNotAnswered,
    EventAnsweredNotClaimed,
    ObjectClaimedNotRead,
    ObjectReadNotApplied,
    ChangeCommittedBotsNotTold,
    JobMadeNotClaimed,
    JobClaimedMemberNotRead,
    MemberReadIntentionNotWritten,
    IntentionWrittenNotCalled,
    CallMadeNotAnswered,
    CallAnsweredNotSettled,
    SettledNotHeard,
}

const GATEWAYS: [Point; 6] = [
    Point::EventReceivedNotCommitted,
    Point::EventCommittedNotAnswered,
    Point::EventAnsweredNotClaimed,
    Point::ObjectClaimedNotRead,
    Point::ObjectReadNotApplied,
    Point::ChangeCommittedBotsNotTold,
];
const BOTS: [Point; 7] = [
    Point::JobMadeNotClaimed,
    Point::JobClaimedMemberNotRead,
    Point::MemberReadIntentionNotWritten,
    Point::IntentionWrittenNotCalled,
    Point::CallMadeNotAnswered,
    Point::CallAnsweredNotSettled,
    Point::SettledNotHeard,
];

/// Who pays, and what for.
pub(super) struct Payer {
    pub(super) member: Member,
    pub(super) subscription: String,
}

impl Payer {
    /// Subscribed, not paid yet, and everybody knows.
    pub(super) async fn new(world: &World) -> Self {
        let member = world.member().await;
        let params = json!({ "customer": member.customer, "prices": [world.price], "status": "incomplete" });
        let subscription = world.stripe.subscribe_with(params).await.expect("subscribes");
        world.heard().await;
        Self { member, subscription }
    }

    pub(super) async fn pays(&self, world: &World) {
        let paid = json!({ "status": "active" });
        world.stripe.set_subscription(&self.subscription, paid).await.expect("it is paid");
    }

    /// Whether the event of the payment was answered with 200.
    async fn is_acknowledged(&self, world: &World) -> bool {
        let events = world.stripe.events().await.expect("Stripe answers");
        let paid = |event: &&serde_json::Value| {
            event["type"] == "customer.subscription.updated"
                && event["data"]["object"]["id"] == self.subscription
        };
        let event = events.iter().find(paid).and_then(|event| event["id"].as_str()).expect("it was sent");
        invariants::acknowledged(world).await.iter().any(|id| id == event)
    }
}

/// Waits for a call that a sandbox does not answer.
async fn until_hanging(world: &World, requests: impl AsyncFn() -> Vec<Request>, method: &str, path: &str) {
    let hangs = |request: &Request| {
        request.method == method && request.path.contains(path) && request.status.is_none()
    };
    world.until("the call hangs", async || requests().await.iter().any(hangs)).await;
}

/// Lets the payment come as far as `point`. Out: the session that stands there, if it is one of Postgres.
async fn reach(point: Point, world: &World, hold: &mut Hold, payer: &Payer) -> Option<u32> {
    let (user, subscription) = (payer.member.user, payer.subscription.as_str());
    let stripe = async || world.stripe.requests().await.expect("Stripe answers");
    let discord = async || world.discord.requests().await.expect("Discord answers");
    let (member, role) = (format!("/members/{user}"), format!("/members/{user}/roles/"));
    match point {
        Point::EventReceivedNotCommitted => {
            hold.lock("LOCK TABLE stripe_events IN SHARE MODE").await;
            payer.pays(world).await;
            Some(hold.until_waiting_for("stripe_events").await)
        }
        Point::EventCommittedNotAnswered => {
            hold.leave_commits_unconfirmed().await;
            payer.pays(world).await;
            Some(hold.until_unconfirmed().await)
        }
        Point::EventAnsweredNotClaimed => {
            // As if another gateway had it, and had died.
            hold.write(&format!(
                "UPDATE stripe_sync SET lease_owner = gen_random_uuid(), lease_until = now() + '3s'
                  WHERE object_id = '{subscription}'"
            ))
            .await;
            payer.pays(world).await;
            world.until("the event is acknowledged", async || payer.is_acknowledged(world).await).await;
            None
        }
        Point::ObjectClaimedNotRead => {
            world.stripe.fault(Fault::hang().on("GET", subscription)).await.expect("ordered");
            payer.pays(world).await;
            until_hanging(world, stripe, "GET", subscription).await;
            None
        }
        Point::ObjectReadNotApplied => {
            hold.lock("LOCK TABLE role_jobs IN SHARE MODE").await;
            payer.pays(world).await;
            Some(hold.until_waiting_for("role_jobs").await)
        }
        Point::ChangeCommittedBotsNotTold => {
            hold.lock("LOCK TABLE role_jobs IN SHARE MODE").await;
            payer.pays(world).await;
            hold.until_waiting_for("role_jobs").await;
            hold.leave_commits_unconfirmed().await;
            hold.unlock().await;
            Some(hold.until_unconfirmed().await)
        }
        Point::JobMadeNotClaimed => {
            no_turn_yet(world, hold, payer).await;
            None
        }
        Point::JobClaimedMemberNotRead => {
            world.discord.fault(Fault::hang().on("GET", &member)).await.expect("ordered");
            payer.pays(world).await;
            until_hanging(world, discord, "GET", &member).await;
            None
        }
        Point::MemberReadIntentionNotWritten => {
            hold.lock("LOCK TABLE role_grants IN SHARE MODE").await;
            payer.pays(world).await;
            Some(hold.until_waiting_for("role_grants").await)
        }
        Point::IntentionWrittenNotCalled => {
            world.discord.fault(Fault::hang().on("PUT", &role)).await.expect("ordered");
            payer.pays(world).await;
            until_hanging(world, discord, "PUT", &role).await;
            None
        }
        Point::CallMadeNotAnswered => {
            world.discord.fault(Fault::apply_then_hang().on("PUT", &role)).await.expect("ordered");
            payer.pays(world).await;
            world.until("Discord acted", async || world.has(&payer.member, world.vip).await).await;
            None
        }
        Point::CallAnsweredNotSettled => {
            no_turn_yet(world, hold, payer).await;
            hold.lock("LOCK TABLE role_jobs IN SHARE MODE").await;
            hold.unlock().await;
            Some(hold.until_waiting_for("role_jobs").await)
        }
        Point::SettledNotHeard => {
            no_turn_yet(world, hold, payer).await;
            hold.lock("LOCK TABLE role_jobs IN SHARE MODE").await;
            hold.unlock().await;
            hold.until_waiting_for("role_jobs").await;
            hold.leave_commits_unconfirmed().await;
            hold.unlock().await;
            Some(hold.until_unconfirmed().await)
        }
    }
}

/// The job is there, and no bot can lease the guild.
async fn no_turn_yet(world: &World, hold: &mut Hold, payer: &Payer) {
    hold.lock("SELECT FROM guild_gates FOR UPDATE").await;
    payer.pays(world).await;
    let made =
        format!("SELECT count(*) FROM role_jobs WHERE state = 'pending' AND user_id = {}", payer.member.user);
    let began = Instant::now();
    while hold.count(&made).await == 0 {
        assert!(began.elapsed().as_secs() < 30, "no job was made");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// One payment, one kill, one role.
async fn one_case(harness: &mut Harness, point: Point, target: Target) {
    let payer = Payer::new(&harness.world).await;
    let mut hold = Hold::nothing(&harness.url()).await;
    let session = reach(point, &harness.world, &mut hold, &payer).await;
    let acknowledged = payer.is_acknowledged(&harness.world).await;
    let too_early = [Point::EventReceivedNotCommitted, Point::EventCommittedNotAnswered].contains(&point);
    assert_eq!(
        acknowledged, !too_early,
        "{point:?}: an event is acknowledged when it is committed, not before"
    );
    let target = if let Target::Session(_) = target { Target::Session(session) } else { target };
    let began = Instant::now();
    harness.kill(target).await;
    harness.restart_postgres().await;
    hold.release().await;
    harness.world.stripe.clear_faults().await.expect("Stripe answers");
    harness.world.discord.clear_faults().await.expect("Discord answers");
    harness.restart().await;
    let ready = began.elapsed();
    let world = &harness.world;
    world.until("they have their role", async || world.has(&payer.member, world.vip).await).await;
    world.heard().await;
    world.until("Stripe has heard 200", async || payer.is_acknowledged(world).await).await;
    println!(
        "  {point:?}, {} killed: ready after {:.2} s, done after {:.2} s",
        target.word(),
        ready.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    let lost = invariants::lost(world, &invariants::acknowledged(world).await).await;
    assert!(lost.is_empty(), "{point:?} {target:?}: lost {lost:?}");
    let doubled = invariants::doubled(world).await;
    assert!(doubled.is_empty(), "{point:?} {target:?}: {doubled:#?}");
    assert_eq!(world.role_history(&payer.member).await, ["role.granted"], "{point:?} {target:?}");
    let at_discord = world.discord.audit_log(world.guild).await.expect("Discord answers");
    let changes = at_discord.iter().filter(|entry| entry.user_id == payer.member.user);
    let changes: Vec<Action> = changes.map(|entry| entry.action).collect();
    assert_eq!(changes, [Action::RoleAdd], "{point:?} {target:?}");
    let calls = world.discord.requests().await.expect("Discord answers");
    let path = format!("/members/{}/roles/", payer.member.user);
    let calls = calls.iter().filter(|call| call.method == "PUT" && call.path.contains(&path)).count();
    // A call that is known to have had no answer, and left no trace, is made again; no other is.
    let expected = if point == Point::IntentionWrittenNotCalled { 2 } else { 1 };
    assert_eq!(calls, expected, "{point:?} {target:?}: calls to Discord");
}

async fn every_case(name: &str, service: Service, points: &[Point]) {
    let mut harness = Harness::start(name).await;
    let victims = [Target::Service(service), Target::Postgres, Target::Session(None)];
    let mut cases = 0;
    for (number, point) in points.iter().enumerate() {
        // Each point with each target; or, on an ordinary run, each point once and each target in turn.
        let chosen = if scale::is_full() { &victims[..] } else { &victims[number % victims.len()..][..1] };
        for target in chosen {
            one_case(&mut harness, *point, *target).await;
            cases += 1;
        }
    }
    println!("{cases} kills at named points of the {}, nothing lost, nothing doubled", service.word());
    harness.end().await;
}

#[tokio::test]
async fn a_kill_between_any_two_steps_of_the_gateway_costs_nothing() {
    every_case("gateway-points", Service::Gateway, &GATEWAYS).await;
}

#[tokio::test]
async fn a_kill_between_any_two_steps_of_the_bot_costs_nothing() {
    every_case("bot-points", Service::Bot, &BOTS).await;
}
