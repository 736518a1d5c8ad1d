//! Stories about what waits for more than its time: whoever asks is told for what, and until when.

use sandbox::discord::Fault;
use serde_json::json;

use crate::world::{Fan, World};

async fn why(world: &World, fan: &Fan) -> String {
    let (guild, member) = (world.guild.to_string(), fan.user.to_string());
    world.nexrole(&["why", "--guild", &guild, "--member", &member]).await.expect("it tells")
}

async fn map_list(world: &World) -> String {
    world.nexrole(&["map", "list", "--guild", &world.guild.to_string()]).await.expect("it tells")
}

async fn run(world: &World, query: &'static str) {
    sqlx::query(query).execute(world.db()).await.expect("the query is good");
}

/// As people are shown it.
async fn shown(world: &World, query: &'static str) -> String {
    sqlx::query_scalar(query).fetch_one(world.db()).await.expect("the query is good")
}

const OPEN_AT: &str =
    "SELECT to_char(open_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM guild_gates WHERE owner IS NULL";
const PENDING: &str = "SELECT count(*) FROM role_jobs WHERE state = 'pending'";

/// A server whose gate is closed for a while, and somebody who paid meanwhile: their job is due, and nobody takes it.
#[tokio::test]
async fn who_waits_with_a_whole_server_is_told_so_and_until_when() {
    let refused = |status: u16, code: u32| {
        Fault::status(status).on("GET", "/members/").times(9).body(json!({ "message": "x", "code": code }))
    };
    let told_to_wait = Fault::status(429)
        .on("GET", "/members/")
        .times(9)
        .header("retry-after", "900")
        .body(json!({ "message": "x", "retry_after": 900.0, "global": false }));
    for (fault, cause) in [
        (told_to_wait, "Discord told the bot to wait"),
        (refused(404, 10004), "does not know this server (code 10004)"),
        // The member's read is refused.
        (refused(403, 50001), "no access to this server (code 50001)"),
        (refused(403, 50013), "code 50013"),
    ] {
        let world = World::start().await;
        let (ana, ben) = (world.fan().await, world.fan().await);
        world.discord.fault(fault).await.unwrap();
        world.subscribes(&ana).await;
        let closed =
            "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND open_at > now() + interval '40 s'";
        world.until("the gate is closed", async || world.number(closed).await == 1).await;
        world.subscribes(&ben).await;
        world.until("both wait", async || world.number(PENDING).await == 2).await;
        run(&world, "UPDATE role_jobs SET due_at = now() - interval '1 h'").await;
        let until = shown(&world, OPEN_AT).await;
        for fan in [&ana, &ben] {
            let said = why(&world, fan).await;
            assert!(
                said.contains(cause) && said.contains(&format!("next look {until}")),
                "{cause} {until}\n{said}"
            );
        }
        let said = map_list(&world).await;
        assert!(said.contains(cause) && said.contains(&until), "{cause} {until}\n{said}");
        world.close().await;
    }
}

/// Of a role that Discord refuses one job probes; the others say when, and why.
#[tokio::test]
async fn who_waits_for_a_refused_role_is_told_why_and_until_when() {
    for (code, cause) in [(50013, "Manage Roles"), (60003, "two-factor")] {
        let mut world = World::start().await;
        let ana = world.fan().await;
        let body = json!({ "message": "x", "code": code });
        world.discord.fault(Fault::status(403).on("PUT", "/roles/").times(9).body(body)).await.unwrap();
        world.subscribes(&ana).await;
        let parked = "SELECT count(*) FROM role_jobs WHERE state = 'parked'";
        world.until("the job is parked", async || world.number(parked).await == 1).await;
        run(&world, "UPDATE role_jobs SET due_at = now() - interval '1 h'").await;
        let probe = "SELECT to_char(next_probe_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM role_health";
        let until = shown(&world, probe).await;
        let said = why(&world, &ana).await;
        assert!(said.contains(cause) && said.contains(&format!("next look {until}")), "{until}\n{said}");
        let said = map_list(&world).await;
        assert!(said.contains("REFUSED") && said.contains(cause) && said.contains(&until), "{until}\n{said}");
        world.stop_bot().await.unwrap();
        run(&world, "UPDATE role_health SET next_probe_at = now() - interval '1 h'").await;
        let said = map_list(&world).await;
        assert!(said.contains("REFUSED") && said.contains("tried again as soon as the bot runs"), "{said}");
        world.close().await;
    }
}

/// A last look at what is settled, or a regular one, is no change, though it waits for its turn like one.
#[tokio::test]
async fn a_mere_look_is_no_role_change_on_its_way() {
    let world = World::start().await;
    run(&world, "UPDATE guild_gates SET open_at = now() + interval '1 h'").await;
    let insert = "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
                  SELECT guild_id, 7, 7, 'resync', origin, 'test' FROM guilds, unnest(ARRAY['sweep', 'recheck']) AS looks (origin)";
    run(&world, insert).await;
    let said = world.status().await;
    assert!(said.contains("up to date") && !said.contains("On their way"), "{said}");
    run(&world, "UPDATE role_jobs SET origin = 'purchase'").await;
    let said = world.status().await;
    assert!(said.contains("On their way: 2 role changes,"), "{said}");
    world.close().await;
}

/// Nothing holds it up but that no bot runs: a time that has passed is not called the next look.
#[tokio::test]
async fn what_is_due_is_called_due() {
    let mut world = World::start().await;
    world.stop_bot().await.unwrap();
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until("it waits", async || world.number(PENDING).await == 1).await;
    let said = why(&world, &ana).await;
    assert!(said.contains("due since") && !said.contains("next look"), "{said}");
    assert!(!map_list(&world).await.contains("Nothing is changed"));
    world.close().await;
}
