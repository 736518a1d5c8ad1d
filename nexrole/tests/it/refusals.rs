//! Stories about Discord's refusals: one answer is about what its code says, is not believed for hours, and is waited for as told.

use std::time::{Duration, Instant};

use bot::discord::client::RoleClient;
use sandbox::discord::Fault;
use secrecy::SecretString;
use serde_json::json;
use shared::domain::delivery::outcome::CallOutcome;

use crate::world::{Fan, World};

/// A buyer's job waits without having failed, and nothing was given.
const WAITS: &str = "SELECT count(*) FROM role_jobs WHERE state = 'pending' AND attempts = 0";
const CLOSED: &str =
    "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND open_at > now() + interval '10 s'";
const CLOSED_A_MINUTE: &str = "SELECT count(*) FROM guild_gates WHERE owner IS NULL
    AND open_at BETWEEN now() + interval '45 seconds' AND now() + interval '61 seconds'";

fn refusal(status: u16, code: u32) -> Fault {
    Fault::status(status).body(json!({ "message": "x", "code": code }))
}

async fn run(world: &World, query: &'static str) {
    sqlx::query(query).execute(world.db()).await.expect("the query is good");
}

/// What is waited for is over.
async fn the_wait_is_over(world: &World) {
    run(world, "UPDATE guild_gates SET open_at = now() WHERE owner IS NULL").await;
    run(world, "UPDATE role_jobs SET due_at = now() WHERE state = 'pending'").await;
}

async fn why(world: &World, fan: &Fan) -> String {
    let (guild, member) = (world.guild.to_string(), fan.user.to_string());
    world.nexrole(&["why", "--guild", &guild, "--member", &member]).await.expect("it is explained")
}

async fn status(world: &World) -> String {
    let owner = world.discord.join(world.guild, "owner").await.expect("joins");
    world.discord.interact(world.guild, owner, "status").await.expect("an answer").text().to_owned()
}

/// How often Discord was called, by method and part of the path.
async fn calls(world: &World, method: &str, part: &str) -> usize {
    let requests = world.discord.requests().await.expect("Discord answers");
    requests.iter().filter(|request| request.method == method && request.path.contains(part)).count()
}

#[tokio::test]
async fn a_block_by_cloudflare_stops_every_call_and_blames_no_role() {
    let blocks = [
        refusal(403, 40333).on("PUT", "/roles/"),
        refusal(403, 40333).on("GET", "/members/"),
        Fault::status(403).text("<html>Attention Required! | Cloudflare</html>").on("PUT", "/roles/"),
    ];
    for block in blocks {
        let mut world = World::start().await;
        let (ana, ben) = (world.fan().await, world.fan().await);
        world.discord.fault(block).await.unwrap();
        world.subscribes(&ana).await;
        world.until("the guild waits", async || world.number(CLOSED_A_MINUTE).await == 1).await;
        let before = calls(&world, "GET", "/members/").await;
        world.subscribes(&ben).await;
        world.until("both wait", async || world.number(WAITS).await == 2).await;
        assert_eq!(world.number("SELECT count(*) FROM role_health").await, 0, "no role is refused");
        assert!(!status(&world).await.contains("Manage Roles"), "no advice that does not help");
        // Not the guild alone: nobody's calls go out.
        run(&world, "UPDATE guild_gates SET open_at = now() WHERE owner IS NULL").await;
        world.until("the guild waits again", async || world.number(CLOSED_A_MINUTE).await == 1).await;
        assert_eq!(calls(&world, "GET", "/members/").await, before);
        // The minute is over.
        world.stop_bot().await.unwrap();
        the_wait_is_over(&world).await;
        world.start_bot().await;
        world.until_vip(&ana).await;
        world.until_vip(&ben).await;
        world.finish().await;
    }
}

#[tokio::test]
async fn a_403_that_is_about_something_else_blames_no_role_and_is_tried_again() {
    let world = World::start().await;
    let (ana, ben) = (world.fan().await, world.fan().await);
    world.discord.fault(refusal(403, 50600).on("PUT", "/roles/").times(1)).await.unwrap();
    world.subscribes(&ana).await;
    world.until("the guild waits", async || world.number(CLOSED_A_MINUTE).await == 1).await;
    assert_eq!(world.number("SELECT count(*) FROM role_health").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM role_grants").await, 0, "it was certainly not given");
    assert!(why(&world, &ana).await.contains("403, code 50600"), "{}", why(&world, &ana).await);
    assert!(status(&world).await.contains("50600"), "{}", status(&world).await);
    // Refused calls are counted: another who pays costs none meanwhile.
    world.subscribes(&ben).await;
    world.until("Ben waits", async || world.number(WAITS).await == 1).await;
    assert_eq!(world.role_calls().await, ["PUT 403"]);
    the_wait_is_over(&world).await;
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    let forgotten = "SELECT count(*) FROM guild_gates WHERE refusals = 0 AND refused_code IS NULL";
    assert_eq!(world.number(forgotten).await, 1);
    world.finish().await;
}

/// Discord refuses one role for a reason that we have no rule for, again and again: who buys another waits for a minute, not for hours.
#[tokio::test]
async fn a_role_that_is_refused_for_an_unknown_reason_does_not_shut_a_server_where_members_can_be_read() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.fault(refusal(403, 50600).on("PUT", "/roles/").times(4)).await.unwrap();
    world.subscribes(&ana).await;
    for _ in 0..4 {
        world.until("the guild waits", async || world.number(CLOSED).await == 1).await;
        assert_eq!(world.number(CLOSED_A_MINUTE).await, 1);
        the_wait_is_over(&world).await;
    }
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_server_that_wants_two_factor_authentication_is_told_that_and_nothing_else() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.fault(refusal(403, 60003).on("PUT", "/roles/").times(1)).await.unwrap();
    world.subscribes(&ana).await;
    let refused = "SELECT count(*) FROM role_health WHERE code = 60003";
    world.until("the role is refused", async || world.number(refused).await == 1).await;
    let said = status(&world).await;
    assert!(said.contains("two-factor authentication") && !said.contains("Manage Roles"), "{said}");
    assert!(why(&world, &ana).await.contains("two-factor authentication"));
    world.close().await;
}

/// Of two roles at the same position the one with the lower id ranks higher.
#[tokio::test]
async fn of_a_role_level_with_the_bots_the_doctor_says_what_discord_does() {
    let world = World::start().await;
    let ana = world.fan().await;
    let state = world.discord.state().await.unwrap();
    let roles = state["guilds"][0]["roles"].as_array().unwrap();
    let bots = roles.iter().find(|role| role["managed"] == true).unwrap();
    assert!(bots["id"].as_str().unwrap().parse::<u64>().unwrap() < world.vip, "made after the bot's");
    let level = json!({ "position": bots["position"] });
    world.discord.set_role(world.guild, world.vip, level).await.unwrap();
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let said = doctor(&world).await;
    assert!(said.contains("it can give every mapped role of 1 server"), "{said}");
    world.finish().await;
}

#[tokio::test]
async fn a_limit_of_writes_is_waited_for_and_no_failure() {
    for (status, code) in [(403, 20028), (429, 20028), (403, 20029)] {
        let world = World::start().await;
        let ana = world.fan().await;
        let limit = refusal(status, code).header("retry-after", "1");
        world.discord.fault(limit.on("PUT", "/roles/").times(1)).await.unwrap();
        world.subscribes(&ana).await;
        let waits = "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND open_at > now()";
        world.until("the guild waits", async || world.number(waits).await == 1).await;
        assert_eq!(world.number(WAITS).await, 1, "{status} {code}");
        assert_eq!(world.number("SELECT count(*) FROM role_health").await, 0);
        world.close().await;
    }
}

#[tokio::test]
async fn one_answer_shuts_a_server_for_a_minute_and_many_for_hours() {
    let world = World::start().await;
    let (bo, cy) = (world.fan().await, world.fan().await);
    for (code, said) in [(10004, "does not know this server"), (50001, "no access to this server")] {
        world.discord.fault(refusal(404, code).on("GET", "/members/").times(4)).await.unwrap();
        world.subscribes(if code == 10004 { &bo } else { &cy }).await;
        for minutes in [1, 5, 30, 360] {
            let closed = async || {
                let open_in: Option<i64> = sqlx::query_scalar(
                    "SELECT round(extract(epoch FROM open_at - now()) / 60)::bigint FROM guild_gates
                      WHERE owner IS NULL AND away AND open_at > now() + interval '10 seconds'",
                )
                .fetch_optional(world.db())
                .await
                .unwrap();
                open_in
            };
            world.until("the server is left alone", async || closed().await.is_some()).await;
            assert_eq!(closed().await, Some(minutes), "{code}");
            for explained in [why(&world, &bo).await, status(&world).await] {
                assert!(explained.contains(said) && explained.contains(&code.to_string()), "{explained}");
            }
            the_wait_is_over(&world).await;
        }
        // Who waited is served, and the next answer counts as a first one.
        world.until_vip(if code == 10004 { &bo } else { &cy }).await;
        assert!(!why(&world, &bo).await.contains(said));
    }
    // Twice away, twice back, without a word of the Gateway's.
    let told = "SELECT count(*) FROM activity_log WHERE action = 'bot.away'";
    assert_eq!(world.number(told).await, 2);
    let told = "SELECT count(*) FROM activity_log WHERE action = 'bot.back'";
    assert_eq!(world.number(told).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn a_start_of_a_session_ends_what_one_answer_began() {
    let world = World::start().await;
    let bo = world.fan().await;
    world.discord.fault(refusal(404, 10004).on("GET", "/members/").times(1)).await.unwrap();
    world.subscribes(&bo).await;
    world.until("the server is left alone", async || world.number(CLOSED_A_MINUTE).await == 1).await;
    world.discord.invalidate_gateway(false).await.unwrap();
    world.until_vip(&bo).await;
    world.finish().await;
}

#[tokio::test]
async fn the_look_at_a_servers_roles_believes_one_answer_for_a_minute() {
    let mut world = World::without_services().await;
    world.discord.fault(Fault::status(503).on("GET", "/gateway").times(100_000)).await.unwrap();
    world.discord.fault(refusal(404, 10004).on("GET", "/roles").times(4)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    for minutes in [1, 5, 30, 360] {
        let next = async || {
            let next: Option<i64> = sqlx::query_scalar(
                "SELECT round(extract(epoch FROM look_at - now()) / 60)::bigint FROM mapped_roles
                  WHERE enforcement = 'unseen' AND look_at > now() + interval '20 seconds'",
            )
            .fetch_optional(world.db())
            .await
            .unwrap();
            next
        };
        world.until("the roles are left alone", async || next().await.is_some()).await;
        assert_eq!(next().await, Some(minutes));
        run(&world, "UPDATE mapped_roles SET look_at = now()").await;
    }
    let unseen = "SELECT count(*) FROM mapped_roles WHERE enforcement = 'unseen'";
    world.until("they are looked at", async || world.number(unseen).await == 0).await;
    assert_eq!(world.number("SELECT count(*) FROM role_reads WHERE refusals > 0").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn what_the_gateway_says_of_a_removed_bot_is_believed_at_once() {
    let world = World::start().await;
    let ana = world.fan().await;
    // The session's own look at the roles is over, or it would be the one that is refused.
    let begun = "SELECT count(*) FROM guild_gates WHERE invited";
    world.until("the session has begun", async || world.number(begun).await == 1).await;
    let read = "SELECT count(*) FROM role_reads WHERE look_at IS NULL AND hinted_at < read_at";
    world.until("the roles are read", async || world.number(read).await == 1).await;
    world.discord.kick_bot(world.guild).await.unwrap();
    let long = "SELECT count(*) FROM guild_gates WHERE away AND open_at > now() + interval '5 hours'";
    world.until("the server is left alone", async || world.number(long).await == 1).await;
    world.subscribes(&ana).await;
    world.until("Ana waits", async || world.number(WAITS).await == 1).await;
    assert!(why(&world, &ana).await.contains("was removed from this server"));
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until_vip(&ana).await;
    assert_eq!(calls(&world, "GET", "/nowhere").await, 0);
    let refused = world.discord.requests().await.unwrap().iter().filter(|r| r.status == Some(403)).count();
    assert_eq!(refused, 0, "no call was needed to find out");
    world.finish().await;
}

#[tokio::test]
async fn an_outage_at_discord_is_not_taken_for_a_removed_bot() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.guild_outage(world.guild).await.unwrap();
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(world.number("SELECT count(*) FROM activity_log WHERE action = 'bot.away'").await, 0);
    world.finish().await;
}

/// Parks the role on 50013, with two buyers, and mends it while nobody is told.
async fn parked_and_mended_unheard(world: &World) -> (Fan, Fan) {
    let (ana, ben) = (world.fan().await, world.fan().await);
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.expect("Discord does it");
    world.subscribes(&ana).await;
    world.subscribes(&ben).await;
    let parked = "SELECT count(*) FROM role_jobs WHERE state = 'parked'";
    world.until("both jobs are parked", async || world.number(parked).await == 2).await;
    world.discord.kick_bot(world.guild).await.expect("Discord does it");
    let away = "SELECT count(*) FROM guild_gates WHERE away";
    world.until("the bot is out", async || world.number(away).await == 1).await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.expect("Discord does it");
    (ana, ben)
}

#[tokio::test]
async fn an_invitation_probes_each_parked_role_once() {
    let world = World::start().await;
    let (ana, ben) = parked_and_mended_unheard(&world).await;
    // Not mended after all: one call says so.
    world.discord.fault(refusal(403, 50013).on("PUT", "/roles/").times(1)).await.unwrap();
    let before = world.role_calls().await.len();
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until("it is probed", async || world.role_calls().await.len() > before).await;
    world.settle().await;
    assert_eq!(world.role_calls().await.len(), before + 1, "one probe, not one per job");
    // The next session finds it mended.
    world.discord.invalidate_gateway(false).await.unwrap();
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn a_restart_probes_a_parked_role_also_for_what_is_only_to_be_taken() {
    let mut world = World::start().await;
    let ana = world.fan().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    let parked = "SELECT count(*) FROM role_health";
    world.until("the role is parked", async || world.number(parked).await == 1).await;
    world.settle().await;
    world.stop_bot().await.unwrap();
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.unwrap();
    world.start_bot().await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn the_look_at_a_servers_roles_waits_as_told() {
    let mut world = World::without_services().await;
    let told = |global: bool| {
        let body = json!({ "message": "slow", "retry_after": 600.0, "global": global });
        Fault::status(429).header("retry-after", "600").body(body)
    };
    world.discord.fault(told(false).on("GET", "/roles").times(1000)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let later = "SELECT count(*) FROM mapped_roles WHERE enforcement = 'unseen' AND look_at > now() + interval '9 minutes'";
    world.until("the look waits as told", async || world.number(later).await == 1).await;
    // Whatever else wants the list of roles waits too: a hint, a buyer.
    run(&world, "UPDATE role_reads SET look_at = now()").await;
    let later = "SELECT count(*) FROM role_reads WHERE look_at > now() + interval '9 minutes'";
    world.until("so does the other look", async || world.number(later).await == 1).await;
    assert_eq!(calls(&world, "GET", "/roles").await, 1);
    run(&world, "UPDATE mapped_roles SET enforcement = 'on'").await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    let waits =
        "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND open_at > now() + interval '9 minutes'";
    world.until("the buyer waits", async || world.number(waits).await == 1).await;
    assert_eq!(calls(&world, "GET", "/roles").await, 1, "each call would count towards a ban");
    world.close().await;
}

#[tokio::test]
async fn the_first_look_at_who_holds_roles_waits_as_told() {
    let mut world = World::without_services().await;
    let body = json!({ "message": "slow", "retry_after": 600.0, "global": false });
    let told = Fault::status(429).header("retry-after", "600").body(body);
    world.discord.fault(told.on("GET", "/member-counts").times(1000)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_bot().await;
    let later = "SELECT count(*) FROM mapped_roles WHERE enforcement = 'unseen' AND look_at > now() + interval '9 minutes'";
    world.until("the look waits as told", async || world.number(later).await == 1).await;
    run(&world, "UPDATE mapped_roles SET look_at = now()").await;
    world.until("and again", async || world.number(later).await == 1).await;
    assert_eq!(calls(&world, "GET", "/member-counts").await, 1);
    world.close().await;
}

#[tokio::test]
async fn a_refused_token_ends_the_bot_whoever_learns_it() {
    for path in ["/roles", "/commands"] {
        let mut world = World::without_services().await;
        let method = if path == "/roles" { "GET" } else { "PUT" };
        world.discord.fault(Fault::status(401).on(method, path).times(1000)).await.unwrap();
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_bot().await;
        let ended = tokio::time::timeout(Duration::from_secs(20), world.bot_ends()).await;
        let error = ended.expect("it ends by itself").unwrap_err();
        assert!(error.to_string().contains("set DISCORD_TOKEN"), "{error:#}");
        assert_eq!(calls(&world, method, path).await, 1, "every refused call counts towards a ban");
        world.close().await;
    }
}

#[tokio::test]
async fn a_yes_to_the_commands_is_a_yes_whatever_comes_with_it() {
    let world = World::without_services().await;
    let url = world.variables().into_iter().find(|(name, _)| *name == "DISCORD_API_URL").unwrap().1;
    let discord = RoleClient::new(&SecretString::from("any-token"), &url).unwrap();
    let until = || Instant::now() + Duration::from_secs(5);
    let application = 1_100_000_000_000_000_003.into();
    for yes in [
        Fault::status(200).text("ok"),
        Fault::status(204).text(""),
        Fault::status(200).body(json!([{ "id": 7 }])),
    ] {
        world.discord.fault(yes.on("PUT", "/commands")).await.unwrap();
        assert_eq!(discord.set_commands(application, b"[]".to_vec(), until()).await, CallOutcome::Done);
    }
    world.close().await;
}

#[tokio::test]
async fn a_doctor_that_is_told_to_wait_asks_no_more() {
    let world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    let body = json!({ "message": "slow", "retry_after": 600.0, "global": false });
    let told = Fault::status(429).header("retry-after", "600").body(body);
    world.discord.fault(told.on("GET", "/applications/@me").times(1000)).await.unwrap();
    let said = doctor(&world).await;
    assert!(said.contains("Discord asks to wait 600 s"), "{said}");
    let asked = world.discord.requests().await.unwrap().len();
    assert_eq!(asked, 2, "who it is, and what its application may do");
    // A short wait is waited for.
    world.discord.clear_faults().await.unwrap();
    let body = json!({ "message": "slow", "retry_after": 1.5, "global": false });
    let told = Fault::status(429).header("retry-after", "2").body(body);
    world.discord.fault(told.on("GET", "/applications/@me").times(1)).await.unwrap();
    let began = Instant::now();
    let said = doctor(&world).await;
    assert!(said.contains("the Server Members intent is on"), "{said}");
    assert!(began.elapsed() >= Duration::from_secs(2));
    // A refused token is refused once.
    world.discord.fault(Fault::status(401).on("GET", "/applications/@me").times(1000)).await.unwrap();
    let before = world.discord.requests().await.unwrap().len();
    doctor(&world).await;
    assert_eq!(world.discord.requests().await.unwrap().len(), before + 2);
    world.close().await;
}

/// What the doctor says, whatever its exit code.
async fn doctor(world: &World) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nexrole"));
    command.args(["doctor", "--json"]).envs(world.variables()).current_dir(std::env::temp_dir());
    let output = command.output().await.expect("nexrole starts");
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

#[tokio::test]
async fn the_registration_of_commands_waits_as_told() {
    let mut world = World::without_services().await;
    let body = json!({ "message": "slow", "retry_after": 1.5, "global": false });
    let told = Fault::status(429).header("retry-after", "2").body(body);
    world.discord.fault(told.on("PUT", "/commands").times(1)).await.unwrap();
    let began = Instant::now();
    world.start_bot().await;
    let commands = async || world.discord.state().await.unwrap()["commands"].as_array().unwrap().len();
    world.until("they are registered", async || commands().await == 1).await;
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(calls(&world, "PUT", "/commands").await, 2);
    world.close().await;
}
