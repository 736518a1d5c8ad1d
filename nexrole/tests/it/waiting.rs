//! Stories about jobs that wait: for how long, at what cost to others, and that they do not pile up.

use std::time::Duration;

use sandbox::discord::Fault;
use serde_json::json;
use shared::{
    db::pg_roles::Login,
    ids::GuildId,
    store::{members, stripe_connections},
};

use crate::world::World;

fn id(id: u64) -> i64 {
    i64::try_from(id).expect("a snowflake")
}

/// A payment, as the gateway writes it; for guilds and members that no Stripe account of the world is connected to.
async fn pays(world: &World, guild: u64, user: u64, role: u64, due_in: &str, attempts: i32) {
    let paid = "WITH source AS (
             INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
             VALUES ($1, $2, $3, 'stripe', 1, 'sub_x', 'live', 'x')
         ), mapped AS (
             INSERT INTO mapped_roles (guild_id, role_id, enforcement) VALUES ($1, $3, 'on') ON CONFLICT DO NOTHING
         )
         INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, due_at, attempts)
         VALUES ($1, $2, $3, 'grant', 'test', now() + $4::interval, $5)";
    let query = sqlx::query(paid).bind(id(guild)).bind(id(user)).bind(id(role)).bind(due_in).bind(attempts);
    query.execute(world.db()).await.expect("the query is good");
}

async fn run(world: &World, query: &'static str) {
    sqlx::query(query).execute(world.db()).await.expect("the query is good");
}

async fn calls_to(world: &World, method: &str, part: &str, status: u16) -> usize {
    let requests = world.discord.requests().await.expect("Discord answers");
    let hit = requests.iter().filter(|request| request.method == method && request.path.contains(part));
    hit.filter(|request| request.status == Some(status)).count()
}

#[tokio::test]
async fn after_an_outage_of_discord_nobody_waits_for_hours() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.fault(Fault::status(502).on("PUT", "/roles/").times(6)).await.unwrap();
    world.subscribes(&ana).await;
    for failures in 1..=6 {
        // The waits between are over.
        run(&world, "UPDATE role_jobs SET due_at = now() WHERE state = 'pending' AND due_at > now()").await;
        let attempts = "SELECT coalesce(max(attempts), 0)::bigint FROM role_jobs";
        let failed = async || world.number(attempts).await == failures;
        world.until("the call has failed once more", failed).await;
    }
    let soon =
        "SELECT count(*) FROM role_jobs WHERE state = 'pending' AND due_at <= now() + interval '26 minutes'";
    assert_eq!(world.number(soon).await, 1);
    // Discord is back, as somebody else's payment shows: nobody waits for the rest of their wait.
    let ben = world.fan().await;
    world.subscribes(&ben).await;
    world.until("Ben has VIP", async || world.has(&ben, world.vip).await).await;
    let next = "SELECT count(*) FROM role_jobs WHERE attempts = 6 AND due_at <= now() + interval '1 minute'";
    world.until("Ana is next", async || world.number(next).await == 1).await;
    run(&world, "UPDATE role_jobs SET due_at = now() WHERE state = 'pending'").await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_guild_that_discord_refuses_costs_one_call_and_no_other_guild_anything() {
    let world = World::start().await;
    let refused = json!({ "message": "Two factor is required for this operation", "code": 60003 });
    let part = format!("/guilds/{}/", world.guild);
    world.discord.fault(Fault::status(403).on("PUT", &part).times(1000).body(refused)).await.unwrap();
    for _ in 0..25 {
        let user = world.discord.join(world.guild, "payer").await.unwrap();
        pays(&world, world.guild, user, world.vip, "0", 0).await;
    }
    let other = world.discord.create_guild(None, "Another server").await.unwrap();
    let role = world.discord.create_role(other, "VIP").await.unwrap();
    let user = world.discord.join(other, "payer").await.unwrap();
    let mut tenant = world.tenant(GuildId::from_u64(other).unwrap()).await;
    stripe_connections::ensure_guild(&mut tenant).await.unwrap();
    tenant.commit().await.unwrap();
    pays(&world, other, user, role, "0", 0).await;
    world
        .until("the other guild's payer has the role", async || {
            let roles = world.discord.member_roles(other, user).await.unwrap();
            roles.is_some_and(|roles| roles.contains(&role))
        })
        .await;
    world.settle().await;
    assert_eq!(calls_to(&world, "PUT", &part, 403).await, 1, "one call, not one per payer");
    let said = "SELECT count(*) FROM role_jobs WHERE state = 'parked' AND outcome LIKE '%two-factor%'";
    assert!(world.number(said).await >= 1);
    world.close().await;
}

#[tokio::test]
async fn a_guild_whose_members_discord_does_not_show_costs_one_call() {
    let world = World::start().await;
    let refused = json!({ "message": "no", "code": 50600 });
    world.discord.fault(Fault::status(403).on("GET", "/members/").times(1000).body(refused)).await.unwrap();
    for _ in 0..12 {
        let user = world.discord.join(world.guild, "payer").await.unwrap();
        pays(&world, world.guild, user, world.vip, "0", 0).await;
    }
    let closed =
        "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND open_at > now() + interval '45 seconds'";
    world.until("the guild is left alone", async || world.number(closed).await == 1).await;
    assert_eq!(calls_to(&world, "GET", "/members/", 403).await, 1);
    world.close().await;
}

#[tokio::test]
async fn an_absent_member_has_one_job_however_often_one_looks() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.leave(world.guild, ana.user).await.unwrap();
    let parked = "SELECT count(*) FROM role_jobs WHERE state = 'parked'";
    world.until("the leaving was noticed", async || world.number(parked).await == 1).await;
    let bot = world.login(Login::Bot);
    for _ in 0..3 {
        let mut across = bot.across().await.unwrap();
        assert_eq!(members::sweep_all(&mut across, Duration::ZERO, 9).await.unwrap(), 1);
        drop(across);
        world.settle().await;
    }
    assert_eq!(world.number(parked).await, 1);
    world.discord.rejoin(world.guild, ana.user).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

/// Rainbow roles, and owners who drag roles about, send many such events.
#[tokio::test]
async fn a_storm_of_role_changes_costs_two_probes_at_most() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    world.subscribes(&ana).await;
    let parked = "SELECT count(*) FROM role_jobs WHERE state = 'parked'";
    world.until("the role is parked", async || world.number(parked).await == 1).await;
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
    let later = "SELECT count(*) FROM mapped_roles WHERE enforcement = 'unseen' AND look_at > now() + interval '45 seconds'";
    world.until("the role is left alone", async || world.number(later).await == 1).await;
    let part = format!("/guilds/{}/roles", world.guild);
    assert_eq!(calls_to(&world, "GET", &part, 403).await, 1);
    world.discord.invite_bot(world.guild).await.unwrap();
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn an_invitation_outlives_a_database_that_refuses_it() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.subscribes(&ana).await;
    let closed = "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND away";
    world.until("the guild is left alone", async || world.number(closed).await == 1).await;
    // As a crowded pool does, or a failover: twice.
    for statement in [
        "CREATE SEQUENCE refusals",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
         $$ BEGIN IF nextval('refusals') <= 2 THEN RAISE EXCEPTION 'not now'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON guild_gates FOR EACH ROW
         WHEN (OLD.away AND NOT NEW.away) EXECUTE FUNCTION refuse()",
    ] {
        run(&world, statement).await;
    }
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

/// Events are taken side by side, and again when the database refused them.
#[tokio::test]
async fn an_invitation_is_not_undone_by_the_kick_before_it() {
    let world = World::start().await;
    for statement in [
        "CREATE SEQUENCE refusals",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
         $$ BEGIN IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'not now'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON guild_gates FOR EACH ROW
         WHEN (NEW.away AND NOT OLD.away) EXECUTE FUNCTION refuse()",
    ] {
        run(&world, statement).await;
    }
    world.discord.kick_bot(world.guild).await.unwrap();
    let refused = "SELECT count(*) FROM refusals WHERE is_called";
    world.until("the kick was not written", async || world.number(refused).await == 1).await;
    world.discord.invite_bot(world.guild).await.unwrap();
    // The kick is tried again after a second. That nothing comes of it cannot be awaited.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let ana = world.fan().await;
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
    pays(&world, world.guild, user, world.vip, "20 minutes", 3).await;
    pays(&world, world.guild, user, gold, "0", 0).await;
    let failed = "SELECT count(*) FROM role_jobs WHERE attempts IN (1, 4)";
    world.until("the job that was due has failed", async || world.number(failed).await >= 1).await;
    let untouched =
        "SELECT count(*) FROM role_jobs WHERE attempts = 3 AND due_at > now() + interval '19 minutes'";
    assert_eq!(world.number(untouched).await, 1);
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
        let fay = world.fan().await;
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
    let (fay, gil) = (world.fan().await, world.fan().await);
    let parked = async || world.number("SELECT count(*) FROM role_jobs WHERE state = 'parked'").await;
    world.discord.leave(world.guild, fay.user).await.unwrap();
    world.subscribes(&fay).await;
    world.until("the purchase waits", async || parked().await == 1).await;
    assert_eq!(calls_to(&world, "GET", &format!("/members/{}", fay.user), 404).await, 1);
    // A joining that is still not so after minutes.
    world.discord.leave(world.guild, gil.user).await.unwrap();
    world.subscribes(&gil).await;
    world.until("the other purchase waits", async || parked().await == 2).await;
    unknown(&world, gil.user, 10007, "GET", 1000).await;
    world.discord.rejoin(world.guild, gil.user).await.unwrap();
    let tried = "SELECT count(*) FROM role_jobs WHERE state = 'pending' AND outcome LIKE '%has just joined%'";
    world.until("it is tried again", async || world.number(tried).await == 1).await;
    run(&world, "UPDATE role_jobs SET created_at = now() - interval '5 minutes', due_at = now() WHERE state = 'pending'").await;
    world.until("the answer counts", async || parked().await == 2).await;
    world.close().await;
}

/// Who joins and leaves at once is not looked for again and again.
#[tokio::test]
async fn a_leaving_ends_the_belief_in_a_joining() {
    let world = World::start().await;
    let hal = world.fan().await;
    world.subscribes(&hal).await;
    world.until_vip(&hal).await;
    unknown(&world, hal.user, 10007, "GET", 1000).await;
    world.discord.leave(world.guild, hal.user).await.unwrap();
    world.discord.rejoin(world.guild, hal.user).await.unwrap();
    let tried = "SELECT count(*) FROM role_jobs WHERE state = 'pending' AND outcome LIKE '%has just joined%'";
    world.until("it is tried again", async || world.number(tried).await >= 1).await;
    world.discord.leave(world.guild, hal.user).await.unwrap();
    let parked = "SELECT count(*) FROM role_jobs WHERE state = 'parked'";
    let pending = "SELECT count(*) FROM role_jobs WHERE state = 'pending'";
    world
        .until("their leaving is what counts", async || {
            world.number(parked).await == 1 && world.number(pending).await == 0
        })
        .await;
    world.close().await;
}
