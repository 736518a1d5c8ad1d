//! Stories about Discord's refusals: one answer is about what its code says, is not believed for hours, and is waited for as told.

use std::time::{Duration, Instant};

use bot::discord::client::RoleClient;
use sandbox::discord::Fault;
use secrecy::SecretString;
use serde_json::json;
use shared::domain::{activity::Activity, delivery::outcome::CallOutcome};

use crate::support::world::{Gate, Job, MappedRole, Member, World};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const NINE_MINUTES: Duration = Duration::from_mins(9);

fn refusal(status: u16, code: u32) -> Fault {
    Fault::status(status).body(json!({ "message": "x", "code": code }))
}

/// Buyers' jobs that wait without having failed; nothing was given.
async fn waiting(world: &World) -> usize {
    world.jobs_where(Job::waits_without_failure).await
}

async fn until_paused_for_a_minute(world: &World, what: &str) {
    world.until(what, async || world.gate_is(Gate::is_paused_for_a_minute).await).await;
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
        let (ana, ben) = (world.member().await, world.member().await);
        world.discord.fault(block).await.unwrap();
        world.subscribes(&ana).await;
        until_paused_for_a_minute(&world, "the guild waits").await;
        let before = world.discord_calls("GET", "/members/").await;
        world.subscribes(&ben).await;
        world.until("both wait", async || waiting(&world).await == 2).await;
        assert!(world.refused_roles().await.is_empty(), "no role is refused");
        assert!(!world.status().await.contains("Manage Roles"), "no advice that does not help");
        // Not the guild alone: nobody's calls go out.
        world.pauses_are_over().await;
        until_paused_for_a_minute(&world, "the guild waits again").await;
        assert_eq!(world.discord_calls("GET", "/members/").await, before);
        // The minute is over.
        world.stop_bot().await.unwrap();
        world.waits_are_over().await;
        world.start_bot().await;
        world.until_vip(&ana).await;
        world.until_vip(&ben).await;
        world.finish().await;
    }
}

#[tokio::test]
async fn a_403_that_is_about_something_else_blames_no_role_and_is_tried_again() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    world.discord.fault(refusal(403, 50600).on("PUT", "/roles/").times(1)).await.unwrap();
    world.subscribes(&ana).await;
    until_paused_for_a_minute(&world, "the guild waits").await;
    assert!(world.refused_roles().await.is_empty());
    assert_eq!(world.grants().await, 0, "it was certainly not given");
    assert!(world.why(&ana).await.contains("403, code 50600"), "{}", world.why(&ana).await);
    assert!(world.status().await.contains("50600"), "{}", world.status().await);
    // Refused calls are counted: another who pays costs none meanwhile.
    world.subscribes(&ben).await;
    world.until("Ben waits", async || waiting(&world).await == 1).await;
    assert_eq!(world.role_calls().await, ["PUT 403"]);
    world.waits_are_over().await;
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    assert!(world.gate_is(|gate| gate.refusals == 0 && gate.refused_code.is_none()).await);
    world.finish().await;
}

/// Discord refuses one role for a reason that we have no rule for, again and again: who buys another waits for a minute, not for hours.
#[tokio::test]
async fn a_role_that_is_refused_for_an_unknown_reason_does_not_shut_a_server_where_members_can_be_read() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.fault(refusal(403, 50600).on("PUT", "/roles/").times(4)).await.unwrap();
    world.subscribes(&ana).await;
    for _ in 0..4 {
        world
            .until("the guild waits", async || world.gate_is(|gate| gate.is_paused_for(TEN_SECONDS)).await)
            .await;
        assert!(world.gate_is(Gate::is_paused_for_a_minute).await);
        world.waits_are_over().await;
    }
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_server_that_wants_two_factor_authentication_is_told_that_and_nothing_else() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.fault(refusal(403, 60003).on("PUT", "/roles/").times(1)).await.unwrap();
    world.subscribes(&ana).await;
    world.until("the role is refused", async || world.refused_roles().await == [Some(60003)]).await;
    let said = world.status().await;
    assert!(said.contains("two-factor authentication") && !said.contains("Manage Roles"), "{said}");
    assert!(world.why(&ana).await.contains("two-factor authentication"));
    world.close().await;
}

/// Of two roles at the same position the one with the lower id ranks higher.
#[tokio::test]
async fn of_a_role_level_with_the_bots_the_doctor_says_what_discord_does() {
    let world = World::start().await;
    let ana = world.member().await;
    let state = world.discord.state().await.unwrap();
    let roles = state["guilds"][0]["roles"].as_array().unwrap();
    let bots = roles.iter().find(|role| role["managed"] == true).unwrap();
    assert!(bots["id"].as_str().unwrap().parse::<u64>().unwrap() < world.vip, "made after the bot's");
    let level = json!({ "position": bots["position"] });
    world.discord.set_role(world.guild, world.vip, level).await.unwrap();
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let said = world.doctor_with_variables().await;
    assert!(said.contains("it can give every mapped role of 1 server"), "{said}");
    world.finish().await;
}

#[tokio::test]
async fn a_limit_of_writes_is_waited_for_and_no_failure() {
    for (status, code) in [(403, 20028), (429, 20028), (403, 20029)] {
        let world = World::start().await;
        let ana = world.member().await;
        let limit = refusal(status, code).header("retry-after", "1");
        world.discord.fault(limit.on("PUT", "/roles/").times(1)).await.unwrap();
        world.subscribes(&ana).await;
        let paused = async || world.gate_is(|gate| gate.is_paused_for(Duration::ZERO)).await;
        world.until("the guild waits", paused).await;
        assert_eq!(waiting(&world).await, 1, "{status} {code}");
        assert!(world.refused_roles().await.is_empty());
        world.close().await;
    }
}

#[tokio::test]
async fn one_answer_shuts_a_server_for_a_minute_and_many_for_hours() {
    let world = World::start().await;
    let (bo, cy) = (world.member().await, world.member().await);
    for (code, said) in [(10004, "does not know this server"), (50001, "no access to this server")] {
        world.discord.fault(refusal(404, code).on("GET", "/members/").times(4)).await.unwrap();
        world.subscribes(if code == 10004 { &bo } else { &cy }).await;
        for minutes in [1, 5, 30, 360] {
            let left_alone = |gate: &Gate| gate.away && gate.is_paused_for(TEN_SECONDS);
            world.until("the server is left alone", async || world.gate_is(left_alone).await).await;
            let gate = world.gate().await.unwrap();
            assert!(left_alone(&gate) && gate.pause_in_minutes() == minutes, "{code} {minutes} {gate:?}");
            for explained in [world.why(&bo).await, world.status().await] {
                assert!(explained.contains(said) && explained.contains(&code.to_string()), "{explained}");
            }
            world.waits_are_over().await;
        }
        // Who waited is served, and the next answer counts as a first one.
        world.until_vip(if code == 10004 { &bo } else { &cy }).await;
        assert!(!world.why(&bo).await.contains(said));
    }
    // Twice away, twice back, without a word of the Gateway's.
    assert_eq!(world.activity(Activity::BotAway).await, 2);
    assert_eq!(world.activity(Activity::BotBack).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn a_start_of_a_session_ends_what_one_answer_began() {
    let world = World::start().await;
    let bo = world.member().await;
    world.discord.fault(refusal(404, 10004).on("GET", "/members/").times(1)).await.unwrap();
    world.subscribes(&bo).await;
    until_paused_for_a_minute(&world, "the server is left alone").await;
    world.discord.invalidate_gateway(false).await.unwrap();
    world.until_vip(&bo).await;
    world.finish().await;
}

#[tokio::test]
async fn the_read_of_a_servers_roles_believes_one_answer_for_a_minute() {
    let mut world = World::without_services().await;
    world.discord.fault(Fault::status(503).on("GET", "/gateway").times(100_000)).await.unwrap();
    world.discord.fault(refusal(404, 10004).on("GET", "/roles").times(4)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    for minutes in [1, 5, 30, 360] {
        let put_off = |role: &MappedRole| role.is_unseen_for(Duration::from_secs(20));
        world.until("the roles are left alone", async || world.mapped_roles_where(put_off).await == 1).await;
        let role = world.mapped_roles().await.remove(0);
        assert!(put_off(&role) && role.check_in_minutes() == minutes, "{minutes} {role:?}");
        world.role_checks_are_due().await;
    }
    world.until_every_mapped_role_is_seen().await;
    assert!(!world.role_list_is(|list| list.refusals > 0).await);
    world.finish().await;
}

#[tokio::test]
async fn what_the_gateway_says_of_a_removed_bot_is_believed_at_once() {
    let world = World::start().await;
    let ana = world.member().await;
    // The session's own check of the roles is over, or it would be the one that is refused.
    world.until_the_session_has_read_the_roles().await;
    world.discord.kick_bot(world.guild).await.unwrap();
    let left_alone = |gate: &Gate| gate.away && gate.is_paused_for(Duration::from_hours(5));
    world.until("the server is left alone", async || world.gate_is(left_alone).await).await;
    world.subscribes(&ana).await;
    world.until("Ana waits", async || waiting(&world).await == 1).await;
    assert!(world.why(&ana).await.contains("was removed from this server"));
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until_vip(&ana).await;
    assert_eq!(world.discord_calls("GET", "/nowhere").await, 0);
    let refused = world.discord_calls_where(|call| call.status == Some(403)).await;
    assert_eq!(refused, 0, "no call was needed to find out");
    world.finish().await;
}

#[tokio::test]
async fn an_outage_at_discord_is_not_taken_for_a_removed_bot() {
    let world = World::start().await;
    let ana = world.member().await;
    world.discord.guild_outage(world.guild).await.unwrap();
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    assert_eq!(world.activity(Activity::BotAway).await, 0);
    world.finish().await;
}

/// Parks the role on 50013, with two buyers, and fixes it while nobody is told.
async fn parked_and_fixed_unheard(world: &World) -> (Member, Member) {
    let (ana, ben) = (world.member().await, world.member().await);
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.expect("Discord does it");
    world.subscribes(&ana).await;
    world.subscribes(&ben).await;
    world.until_parked(2, "both jobs are parked").await;
    world.discord.kick_bot(world.guild).await.expect("Discord does it");
    world.until("the bot is out", async || world.gate_is(|gate| gate.away).await).await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.expect("Discord does it");
    (ana, ben)
}

#[tokio::test]
async fn an_invitation_probes_each_parked_role_once() {
    let world = World::start().await;
    let (ana, ben) = parked_and_fixed_unheard(&world).await;
    // Not fixed after all: one call says so.
    world.discord.fault(refusal(403, 50013).on("PUT", "/roles/").times(1)).await.unwrap();
    let before = world.role_calls().await.len();
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until("it is probed", async || world.role_calls().await.len() > before).await;
    world.settle().await;
    assert_eq!(world.role_calls().await.len(), before + 1, "one probe, not one per job");
    // The next session finds it fixed.
    world.discord.invalidate_gateway(false).await.unwrap();
    world.until_vip(&ana).await;
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn a_restart_probes_a_parked_role_also_for_what_is_only_to_be_taken() {
    let mut world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    world.stripe.cancel(&subscription).await.unwrap();
    world.until("the role is parked", async || world.refused_roles().await.len() == 1).await;
    world.settle().await;
    world.stop_bot().await.unwrap();
    world.discord.set_role(world.guild, world.vip, json!({ "position": 1 })).await.unwrap();
    world.start_bot().await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn the_read_of_a_servers_roles_waits_as_told() {
    let mut world = World::without_services().await;
    let told = |global: bool| {
        let body = json!({ "message": "slow", "retry_after": 600.0, "global": global });
        Fault::status(429).header("retry-after", "600").body(body)
    };
    world.discord.fault(told(false).on("GET", "/roles").times(1000)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let put_off = async || world.mapped_roles_where(|role| role.is_unseen_for(NINE_MINUTES)).await;
    world.until("the check waits as told", async || put_off().await == 1).await;
    // Whatever else wants the list of roles waits too: a hint, a buyer.
    world.role_lists_are_due().await;
    let put_off = async || world.role_list_is(|list| list.is_put_off_for(NINE_MINUTES)).await;
    world.until("so does the other check", put_off).await;
    assert_eq!(world.discord_calls("GET", "/roles").await, 1);
    world.enforce_unchecked().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    let paused = async || world.gate_is(|gate| gate.is_paused_for(NINE_MINUTES)).await;
    world.until("the buyer waits", paused).await;
    assert_eq!(world.discord_calls("GET", "/roles").await, 1, "each call would count towards a ban");
    world.close().await;
}

#[tokio::test]
async fn the_first_check_of_who_holds_roles_waits_as_told() {
    let mut world = World::without_services().await;
    let body = json!({ "message": "slow", "retry_after": 600.0, "global": false });
    let told = Fault::status(429).header("retry-after", "600").body(body);
    world.discord.fault(told.on("GET", "/member-counts").times(1000)).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_bot().await;
    let put_off = async || world.mapped_roles_where(|role| role.is_unseen_for(NINE_MINUTES)).await;
    world.until("the check waits as told", async || put_off().await == 1).await;
    world.role_checks_are_due().await;
    world.until("and again", async || put_off().await == 1).await;
    assert_eq!(world.discord_calls("GET", "/member-counts").await, 1);
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
        assert_eq!(world.discord_calls(method, path).await, 1, "every refused call counts towards a ban");
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
    let said = world.doctor_with_variables().await;
    assert!(said.contains("Discord asks to wait 600 s"), "{said}");
    let asked = world.discord.requests().await.unwrap().len();
    assert_eq!(asked, 2, "who it is, and what its application may do");
    // A short wait is waited for.
    world.discord.clear_faults().await.unwrap();
    let body = json!({ "message": "slow", "retry_after": 1.5, "global": false });
    let told = Fault::status(429).header("retry-after", "2").body(body);
    world.discord.fault(told.on("GET", "/applications/@me").times(1)).await.unwrap();
    let began = Instant::now();
    let said = world.doctor_with_variables().await;
    assert!(said.contains("the Server Members intent is on"), "{said}");
    assert!(began.elapsed() >= Duration::from_secs(2));
    // A refused token is refused once.
    world.discord.fault(Fault::status(401).on("GET", "/applications/@me").times(1000)).await.unwrap();
    let before = world.discord.requests().await.unwrap().len();
    world.doctor_with_variables().await;
    assert_eq!(world.discord.requests().await.unwrap().len(), before + 2);
    world.close().await;
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
    assert_eq!(world.discord_calls("PUT", "/commands").await, 2);
    world.close().await;
}
