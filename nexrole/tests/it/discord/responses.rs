//! Stories about Discord's answers: limits, refusals, outages, and what the bot makes of them.

use std::time::Duration;

use sandbox::discord::Fault;
use serde_json::json;
use shared::{
    crypto::Keyring,
    db::pg_roles::Login,
    domain::{
        activity::Activity,
        adding::{AccessToken, Adding},
        audit::AuditAction,
        job::JobState,
        service_request::{Answer, Question, Service},
    },
    ids::{GuildId, UserId},
    service_requests::ServiceRequests,
};
use testkit::{openapi::discord as description, report::say};

use crate::support::{
    tenants::ENCRYPTION_KEYS,
    world::{Active, World},
};

#[tokio::test]
async fn a_403_parks_the_role_and_an_owners_fix_releases_it() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    world.subscribes(&ana).await;
    world.subscribes(&ben).await;
    world.until_parked(2, "both jobs are parked").await;
    assert_eq!(world.role_calls().await, ["PUT 403"], "one probe, not one per job");
    let refused = |line: &Active| line.is(Activity::RoleRefused) && line.detail.ends_with("code 50013");
    assert_eq!(world.activity_where(refused).await, 1);
    assert_eq!(world.grants().await, 0, "the intention was dropped");
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.unwrap();
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn a_429_never_costs_an_attempt() {
    let world = World::start().await;
    let ana = world.member().await;
    for global in [false, true] {
        let body = json!({ "message": "slow", "retry_after": 0.3, "global": global });
        world.discord.fault(Fault::status(429).on("PUT", "/roles/").times(1).body(body)).await.unwrap();
    }
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(world.role_calls().await, ["PUT 429", "PUT 429", "PUT 204"]);
    assert_eq!(world.most_attempts().await, Some(0));
    world.finish().await;
}

#[tokio::test]
async fn an_exhausted_bucket_is_waited_for_without_a_429() {
    let world = World::start().await;
    let limits =
        sandbox::discord::Limits { role_limit: 2, role_window_ms: 400, ..sandbox::discord::Limits::none() };
    world.discord.set_limits(limits).await.unwrap();
    let mut members = Vec::new();
    for _ in 0..5 {
        let member = world.member().await;
        world.subscribes(&member).await;
        members.push(member);
    }
    for member in &members {
        world.until_vip(member).await;
    }
    assert_eq!(world.role_calls().await, ["PUT 204"; 5]);
    world.finish().await;
}

#[tokio::test]
async fn a_500_is_tried_again_and_costs_an_attempt() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.fault(Fault::status(502).on("PUT", "/roles/").times(1)).await.unwrap();
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(world.role_calls().await, ["PUT 502", "PUT 204"]);
    assert_eq!(world.most_attempts().await, Some(1));
    world.finish().await;
}

#[tokio::test]
async fn an_unreadable_member_is_never_taken_for_one_without_roles() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    for body in [json!({ "user": {} }), json!({ "roles": null }), json!([])] {
        world.discord.fault(Fault::status(200).on("GET", "/members/").times(1).body(body)).await.unwrap();
    }
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("a read has failed", async || world.jobs_where(|job| job.attempts > 0).await == 1).await;
    assert!(world.has(&ana, world.vip).await);
    world.discord.clear_faults().await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_service_stops_at_once_whatever_it_was_doing() {
    // At once after the start, when no connection to the Gateway is up; while Discord hangs; and when it hangs after it acted.
    let (reads, acts) = (Fault::hang().on("GET", "/members/"), Fault::apply_then_hang().on("PUT", "/roles/"));
    for fault in [None, Some(reads), Some(acts)] {
        let mut world = World::without_services().await;
        world.set("LEASE_SECONDS", "30");
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        let ana = world.member().await;
        let hangs = fault.is_some();
        if let Some(fault) = fault {
            world.discord.fault(fault.times(10)).await.unwrap();
            world.subscribes(&ana).await;
            let called = async || {
                let calls = world.discord.requests().await.unwrap();
                calls.iter().any(|call| call.path.contains("/members/") && call.status.is_none())
            };
            world.until("the worker is calling", called).await;
        }
        let stopped = tokio::time::timeout(Duration::from_secs(5), world.stop_bot()).await;
        stopped.expect("the bot stops in seconds").unwrap();
        assert!(!world.gate_is(|gate| gate.is_leased).await, "the lease is given back");
        if hangs {
            // The next bot finishes it, once.
            world.discord.clear_faults().await.unwrap();
            world.start_bot().await;
            world.until_vip(&ana).await;
            assert_eq!(world.audit(AuditAction::RoleGranted).await, 1);
        }
        tokio::time::timeout(Duration::from_secs(5), world.stop_gateway())
            .await
            .expect("the gateway stops in seconds");
        world.close().await;
    }
}

#[tokio::test]
async fn the_worker_needs_no_gateway_connection() {
    let mut world = World::without_services().await;
    world.map("product", &world.product.clone(), world.vip).await;
    world.discord.fault(Fault::status(503).on("GET", "/gateway").times(1000)).await.unwrap();
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(world.discord.state().await.unwrap()["sessions"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_rejected_token_stops_the_bot_at_once() {
    let mut world = World::start().await;
    let ana = world.member().await;
    world.discord.fault(Fault::status(401).on("GET", "/members/").times(1000)).await.unwrap();
    world.subscribes(&ana).await;
    let error = world.bot_ends().await.unwrap_err();
    assert!(error.to_string().contains("set DISCORD_TOKEN"), "{error:#}");
    let refused = world.discord_calls_where(|call| call.status == Some(401)).await;
    assert_eq!(refused, 1, "every refused call counts towards a ban");
    assert_eq!(world.pending().await, 1, "the job waits");
    world.close().await;
}

#[tokio::test]
async fn a_kicked_bot_keeps_its_jobs_until_it_is_invited_back() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.subscribes(&ana).await;
    let left_alone = async || world.gate_is(|gate| gate.is_paused_for(Duration::from_mins(30))).await;
    world.until("the guild is left alone", left_alone).await;
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until_vip(&ana).await;
    for activity in [Activity::BotAway, Activity::BotBack] {
        assert_eq!(world.activity(activity).await, 1, "{activity:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_role_fails_the_job_and_says_so() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.delete_role(world.guild, world.vip).await.unwrap();
    world.subscribes(&ana).await;
    let deleted =
        async |state| world.jobs_where(|job| job.is(state) && job.outcome.contains("role was deleted")).await;
    world.until("it is said once", async || deleted(JobState::Parked).await == 1).await;
    world.later(5).await;
    world.until("the job has failed", async || deleted(JobState::Failed).await == 1).await;
    assert_eq!(world.grants().await, 0);
    world.finish().await;
}

#[tokio::test]
async fn status_answers_an_owner_and_nobody_else() {
    let world = World::start().await;
    let owner = world.discord.join(world.guild, "owner").await.unwrap();
    let answer = world.discord.interact(world.guild, owner, "status").await.unwrap();
    assert_eq!(
        (&answer.callback["type"], &answer.callback["data"]["flags"]),
        (&json!(5), &json!(64)),
        "deferred, for them alone"
    );
    assert!(answer.text().contains("Mapped to roles: 1 price or product"), "{}", answer.text());
    let nobody = world.discord.interact_with(world.guild, owner, "status", json!([]), "0").await.unwrap();
    assert!(nobody.text().contains("Manage Server"), "{}", nobody.text());
    let read_by_a_person = |line: &Active| line.is(Activity::StatusRead) && line.user_id.is_some();
    assert_eq!(world.activity_where(read_by_a_person).await, 1, "who read it is written down");
    world.finish().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_costs_an_attempt_and_nothing_is_done_twice() {
    let world = World::start().await;
    for fault in [
        Fault::truncate().on("GET", "/members/"),
        Fault::apply_then_reset().on("PUT", "/roles/"),
        Fault::shared_limit(0.2).on("GET", "/members/"),
    ] {
        world.discord.fault(fault).await.unwrap();
        let ana = world.member().await;
        world.subscribes(&ana).await;
        world.until_vip(&ana).await;
        assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    }
    let limited = world.discord_calls_where(|call| call.status == Some(429)).await;
    assert_eq!(limited, 1);
    assert_eq!(world.discord.state().await.unwrap()["invalid_requests"]["counted"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_ban_page_stops_every_call_and_costs_no_attempt() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.discord.fault(Fault::ban(1800).on("GET", "/members/")).await.unwrap();
    world.subscribes(&ana).await;
    world.subscribes(&ben).await;
    let paused = async || world.gate_is(|gate| gate.is_paused_for(Duration::from_mins(25))).await;
    world.until("the guild waits", paused).await;
    world.until("both are known", async || world.all_jobs().await.len() == 2).await;
    assert_eq!(world.most_attempts().await, Some(0));
    let members = world.discord_calls_where(|call| call.path.contains("/members/")).await;
    assert_eq!(members, 1, "each call while banned prolongs the ban");
    world.close().await;
}

/// What each scenario's end checks, once for every route that there is.
#[tokio::test]
async fn every_route_the_bot_calls_is_as_discord_describes_it() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&subscription, json!({ "status": "past_due" })).await.unwrap();
    world.until("she is told", async || world.told(&ana).await.len() == 1).await;
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.discord.interact(world.guild, ana.user, "status").await.unwrap();
    let keyring = Keyring::parse(ENCRYPTION_KEYS).unwrap();
    let gateway = ServiceRequests::new(world.login(Login::Gateway), Some(keyring), Service::Gateway);
    let permissions = Question::MemberPermissions { user: UserId::from_u64(ana.user).unwrap() };
    gateway.ask(GuildId::from_u64(world.guild).unwrap(), &permissions).await.unwrap();
    let (user, token) = (UserId::from_u64(ana.user).unwrap(), AccessToken::new("t0ken").unwrap());
    let adds = Question::AddMember { user, token };
    let added = gateway.ask(GuildId::from_u64(world.guild).unwrap(), &adds).await.unwrap();
    assert_eq!(added, Answer::Adding(Adding::TokenOver));
    if description().is_some() {
        let checked = world.checked().await.unwrap();
        say(&format!("Discord's routes, checked against its description:\n{}", checked.list()));
        assert_eq!(checked.untold, 0);
        for (method, path) in bot::discord::ROUTES {
            let route = (method.to_owned(), path.to_owned());
            assert!(checked.routes.contains_key(&route), "{method} {path} was never called");
        }
    }
    world.finish().await;
}
