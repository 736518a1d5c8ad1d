//! Stories about jobs that wait: for how long, at what cost to others, and that they do not pile up.

use std::time::Duration;

use sandbox::{Request, discord::Fault};
use serde_json::json;
use shared::{
    db::pg_roles::Login,
    domain::job::JobState,
    ids::GuildId,
    store::{members, stripe_connections},
};

use crate::support::world::{Gate, Job, Payment, World, Write};

/// Somebody pays for the role, and their job is due.
async fn pays(world: &World, guild: u64, user: u64, role: u64) {
    world.paid(Payment { guild, user, role, due_in: "0", attempts: 0 }).await;
}

async fn calls_to(world: &World, method: &str, part: &str, status: u16) -> usize {
    let hit = |call: &Request| call.method == method && call.path.contains(part);
    world.discord_calls_where(|call| hit(call) && call.status == Some(status)).await
}

/// Waits to be tried again, because who was not found has just joined.
fn is_of_a_joining(job: &Job) -> bool {
    job.is(JobState::Pending) && job.outcome.contains("has just joined")
}

#[tokio::test]
async fn after_an_outage_of_discord_nobody_waits_for_hours() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.fault(Fault::status(502).on("PUT", "/roles/").times(6)).await.unwrap();
    world.subscribes(&ana).await;
    for failures in 1..=6 {
        // The waits between are over.
        world.jobs_are_due().await;
        let failed = async || world.most_attempts().await.unwrap_or(0) == failures;
        world.until("the call has failed once more", failed).await;
    }
    let soon = |job: &Job| job.is(JobState::Pending) && job.is_due_within(Duration::from_mins(26));
    assert_eq!(world.jobs_where(soon).await, 1);
    // Discord is back, as somebody else's payment shows: nobody waits for the rest of their wait.
    let ben = world.member().await;
    world.subscribes(&ben).await;
    world.until("Ben has VIP", async || world.has(&ben, world.vip).await).await;
    let next = |job: &Job| job.attempts == 6 && job.is_due_within(Duration::from_mins(1));
    world.until("Ana is next", async || world.jobs_where(next).await == 1).await;
    world.jobs_are_due().await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_guild_that_discord_refuses_costs_one_call_and_no_other_guild_anything() {
    // They are there before the bot is: a join event that comes late would replace a payer's job by a check.
    let mut world = World::without_services().await;
    let mut payers = Vec::new();
    for _ in 0..25 {
        payers.push(world.discord.join(world.guild, "payer").await.unwrap());
    }
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    let refused = json!({ "message": "Two factor is required for this operation", "code": 60003 });
    let part = format!("/guilds/{}/", world.guild);
    world.discord.fault(Fault::status(403).on("PUT", &part).times(1000).body(refused)).await.unwrap();
    for user in payers {
        pays(&world, world.guild, user, world.vip).await;
    }
    let other = world.discord.create_guild(None, "Another server").await.unwrap();
    let role = world.discord.create_role(other, "VIP").await.unwrap();
    let user = world.discord.join(other, "payer").await.unwrap();
    let mut tenant = world.tenant(GuildId::from_u64(other).unwrap()).await;
    stripe_connections::ensure_guild(&mut tenant).await.unwrap();
    tenant.commit().await.unwrap();
    pays(&world, other, user, role).await;
    world
        .until("the other guild's payer has the role", async || {
            let roles = world.discord.member_roles(other, user).await.unwrap();
            roles.is_some_and(|roles| roles.contains(&role))
        })
        .await;
    world.settle().await;
    assert_eq!(calls_to(&world, "PUT", &part, 403).await, 1, "one call, not one per payer");
    let told = |job: &Job| job.is(JobState::Parked) && job.outcome.contains("two-factor");
    world.until("somebody is told why", async || world.jobs_where(told).await >= 1).await;
    world.close().await;
}

#[tokio::test]
async fn a_guild_whose_members_discord_does_not_show_costs_one_call() {
    let world = World::start().await;
    let refused = json!({ "message": "no", "code": 50600 });
    world.discord.fault(Fault::status(403).on("GET", "/members/").times(1000).body(refused)).await.unwrap();
    for _ in 0..12 {
        let user = world.discord.join(world.guild, "payer").await.unwrap();
        pays(&world, world.guild, user, world.vip).await;
    }
    let left_alone = async || world.gate_is(|gate| gate.is_paused_for(Duration::from_secs(45))).await;
    world.until("the guild is left alone", left_alone).await;
    assert_eq!(calls_to(&world, "GET", "/members/", 403).await, 1);
    world.close().await;
}

#[tokio::test]
async fn an_absent_member_has_one_job_however_often_one_checks() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.leave(world.guild, ana.user).await.unwrap();
    world.until_parked(1, "the leaving was noticed").await;
    let bot = world.login(Login::Bot);
    for _ in 0..3 {
        let mut across = bot.across().await.unwrap();
        assert_eq!(members::sweep_all(&mut across, Duration::ZERO, 9).await.unwrap(), 1);
        drop(across);
        world.settle().await;
    }
    assert_eq!(world.parked().await, 1);
    world.discord.rejoin(world.guild, ana.user).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

/// Rainbow roles, and owners who drag roles about, send many such events.
#[tokio::test]
async fn a_storm_of_role_changes_costs_two_probes_at_most() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    world.subscribes(&ana).await;
    world.until_parked(1, "the role is parked").await;
    for n in 0..50 {
        world.discord.set_role(world.guild, world.vip, json!({ "position": 60 + n })).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.until("the role was tried again", async || world.role_calls().await.len() >= 2).await;
    world.settle().await;
    assert!(world.role_calls().await.len() <= 3, "{:?}", world.role_calls().await);
    // And the fix is heard.
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

/// Refused calls are counted, for all servers together. Once may be a mistake; how long it is left alone grows: `refusals`.
#[tokio::test]
async fn the_roles_of_a_server_without_the_bot_are_asked_for_once() {
    let mut world = World::without_services().await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let put_off = async || world.mapped_roles_where(|role| role.is_unseen_for(Duration::from_secs(45))).await;
    world.until("the role is left alone", async || put_off().await == 1).await;
    let part = format!("/guilds/{}/roles", world.guild);
    assert_eq!(calls_to(&world, "GET", &part, 403).await, 1);
    world.discord.invite_bot(world.guild).await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn an_invitation_outlives_a_database_that_refuses_it() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.subscribes(&ana).await;
    world.until("the guild is left alone", async || world.gate_is(Gate::is_free_and_away).await).await;
    // As an exhausted pool does, or a failover: twice.
    world.refuse(Write::BotBack, 2).await;
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

/// Events are taken side by side, and again when the database refused them.
#[tokio::test]
async fn an_invitation_is_not_undone_by_the_kick_before_it() {
    let world = World::start().await;
    world.refuse(Write::BotAway, 1).await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.until("the kick was not written", async || world.has_refused().await).await;
    world.discord.invite_bot(world.guild).await.unwrap();
    // The kick is tried again after a second. That nothing comes of it cannot be awaited.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_waits_is_not_charged_for_another_jobs_failure() {
    let world = World::start().await;
    let user = world.discord.join(world.guild, "payer").await.unwrap();
    let gold = world.discord.create_role(world.guild, "Gold").await.unwrap();
    world.discord.fault(Fault::status(502).on("PUT", "/roles/").times(2)).await.unwrap();
    let payment = Payment { guild: world.guild, user, role: world.vip, due_in: "20 minutes", attempts: 3 };
    world.paid(payment).await;
    pays(&world, world.guild, user, gold).await;
    let failed = async || world.jobs_where(|job| [1, 4].contains(&job.attempts)).await;
    world.until("the job that was due has failed", async || failed().await >= 1).await;
    let untouched = |job: &Job| job.attempts == 3 && !job.is_due_within(Duration::from_mins(19));
    assert_eq!(world.jobs_where(untouched).await, 1);
    world.discord.clear_faults().await.unwrap();
    world.close().await;
}

/// Whom Discord says that it does not know, `times` over, on the way to a role.
async fn unknown(world: &World, user: u64, code: u32, method: &str, times: u32) {
    let body = json!({ "message": "Unknown", "code": code });
    let path = format!("/members/{user}");
    world.discord.fault(Fault::status(404).on(method, &path).times(times).body(body)).await.expect("a fault");
}

/// Who has bought while away joins, and the API is behind the Gateway: on the read, on the write, with either code.
#[tokio::test]
async fn who_has_just_joined_is_looked_for_again_in_seconds() {
    let world = World::start().await;
    for (code, method, times) in [(10007, "GET", 1), (10013, "GET", 2), (10007, "PUT", 1), (10013, "PUT", 2)]
    {
        let fay = world.member().await;
        world.discord.leave(world.guild, fay.user).await.unwrap();
        world.subscribes(&fay).await;
        world.heard().await;
        assert!(!world.has(&fay, world.vip).await);
        unknown(&world, fay.user, code, method, times).await;
        world.discord.rejoin(world.guild, fay.user).await.unwrap();
        world.until_vip(&fay).await;
        assert_eq!(world.role_history(&fay).await, ["role.granted"], "{code} {method}");
    }
    world.finish().await;
}

/// Without a joining, or long after one, it is an answer: one job that waits, at no cost.
#[tokio::test]
async fn who_is_absent_waits_for_the_joining_as_ever() {
    let world = World::start().await;
    let (fay, gil) = (world.member().await, world.member().await);
    world.discord.leave(world.guild, fay.user).await.unwrap();
    world.subscribes(&fay).await;
    world.until_parked(1, "the purchase waits").await;
    assert_eq!(calls_to(&world, "GET", &format!("/members/{}", fay.user), 404).await, 1);
    // A joining that is still not so after minutes.
    world.discord.leave(world.guild, gil.user).await.unwrap();
    world.subscribes(&gil).await;
    world.until_parked(2, "the other purchase waits").await;
    unknown(&world, gil.user, 10007, "GET", 1000).await;
    world.discord.rejoin(world.guild, gil.user).await.unwrap();
    world.until("it is tried again", async || world.jobs_where(is_of_a_joining).await == 1).await;
    world.jobs_are_five_minutes_old().await;
    world.until_parked(2, "the answer counts").await;
    world.close().await;
}

/// Who joins and leaves at once is not looked for again and again.
#[tokio::test]
async fn a_leaving_ends_the_belief_in_a_joining() {
    let world = World::start().await;
    let hal = world.member().await;
    world.subscribes(&hal).await;
    world.until_vip(&hal).await;
    unknown(&world, hal.user, 10007, "GET", 1000).await;
    world.discord.leave(world.guild, hal.user).await.unwrap();
    world.discord.rejoin(world.guild, hal.user).await.unwrap();
    world.until("it is tried again", async || world.jobs_where(is_of_a_joining).await >= 1).await;
    world.discord.leave(world.guild, hal.user).await.unwrap();
    let counts = async || world.parked().await == 1 && world.pending().await == 0;
    world.until("their leaving is what counts", counts).await;
    world.close().await;
}
