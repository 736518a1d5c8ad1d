//! Stories about Discord's Gateway: connections that end in odd ways, and a bot that goes on.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use nexrole::children::{Plan, Service, free_port};
use sandbox::discord::Fault;
use serde_json::{Value, json};
use shared::config::Env;

use crate::support::world::{Gate, Member, World};

/// Discord's own.
const HEARTBEAT_MS: u64 = 41_250;
/// Short, so that a connection on which nothing passes is noticed within this test's time.
const SHORT_HEARTBEAT_MS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// Whatever the connection does, a payment becomes a role, and health is answered: long before a heartbeat would show that the
/// connection is dead.
const AT_ONCE: Duration = Duration::from_secs(10);
/// A dead connection is renewed, with 5 s between two IDENTIFYs.
const SOON: Duration = Duration::from_secs(20);
/// Everything on which the connection can end, and both sides may notice at once.
const ENDS: [&str; 15] = [
    "close_without_code",
    "eof",
    "reset",
    "close_and_linger",
    "half_close_code",
    "forbidden_close_code",
    "close_reason_not_utf8",
    "half_frame",
    "unknown_opcode",
    "reserved_bits",
    "masked_frame",
    "stray_continuation",
    "long_ping",
    "not_utf8",
    "http",
];
/// Frames that end nothing, whatever is in them.
const NONSENSE: [&str; 8] = [
    "",
    "{",
    "null",
    "[]",
    r#"{"op":"x"}"#,
    r#"{"op":0,"t":"GUILD_MEMBER_ADD","s":1,"d":null}"#,
    r#"{"op":0,"t":null,"s":null,"d":{}}"#,
    r#"{"op":99,"d":{"a":[]}}"#,
];

/// What `/readyz` of the bot says.
async fn ready(world: &World) -> (u16, Value) {
    let answer = world.http.get(format!("{}/readyz", world.bot_url)).send().await.expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("it is JSON"))
}

async fn until_down(world: &World, because: &str) {
    let down = async || {
        let Ok(answer) = world.http.get(format!("{}/readyz", world.bot_url)).send().await else {
            return false;
        };
        answer.text().await.is_ok_and(|text| text.contains(because))
    };
    world.until("/readyz says that the Gateway is down, and why", down).await;
    assert_eq!(ready(world).await.0, 200, "role changes go on: no reason to restart the bot");
}

/// A bot that the Gateway does not let in as it should.
async fn greeted_by(greeting: Value) -> World {
    let mut world = World::without_services().await;
    world.discord.greet_gateway(greeting).await.expect("Discord answers");
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world
}

async fn identified(world: &World) -> u64 {
    let state = world.discord.state().await.expect("Discord answers");
    state["gateway"]["identified"].as_u64().expect("a number")
}

struct Connected {
    world: World,
    ana: Member,
    admin: u64,
}

impl Connected {
    async fn begin(heartbeat_ms: u64) -> Self {
        let mut world = World::without_services().await;
        world.discord.set_heartbeat(heartbeat_ms).await.expect("Discord answers");
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        let admin = world.discord.join(world.guild, "admin").await.expect("Discord answers");
        let ana = world.member().await;
        world.subscribes(&ana).await;
        world.until_vip(&ana).await;
        let connected = Self { world, ana, admin };
        connected.answers("before").await;
        connected
    }

    /// A command works: perhaps not the first one, which may fall into the gap.
    async fn answers(&self, after: &str) {
        let began = Instant::now();
        loop {
            match self.world.discord.interact(self.world.guild, self.admin, "status").await {
                Ok(answer) => {
                    assert!(answer.text().contains("Nexrole in this server"), "{}", answer.text());
                    return;
                }
                Err(error) => {
                    assert!(began.elapsed() < PATIENCE, "no command works after {after}: {error:#}");
                }
            }
        }
    }

    /// Whoever leaves and comes back in the gap has the role again, and commands work.
    async fn goes_on(&self, after: &str) {
        let began = Instant::now();
        self.world.discord.leave(self.world.guild, self.ana.user).await.expect("Discord answers");
        self.world.discord.rejoin(self.world.guild, self.ana.user).await.expect("Discord answers");
        self.world.until_vip(&self.ana).await;
        self.answers(after).await;
        println!("{after}: renewed after {} ms", began.elapsed().as_millis());
    }

    /// A payment becomes a role and health is answered meanwhile, and the connection is renewed within seconds.
    async fn is_undisturbed_by(&self, end: &str) {
        let began = Instant::now();
        self.world.discord.end_gateway(end).await.expect("Discord answers");
        let ben = self.world.member().await;
        self.world.subscribes(&ben).await;
        self.world.until("Ben has VIP", async || self.world.has(&ben, self.world.vip).await).await;
        assert_eq!(ready(&self.world).await.0, 200, "{end}");
        let took = began.elapsed();
        assert!(took < AT_ONCE, "{end}: payment, role and health took {took:?}");
        self.goes_on(end).await;
        let took = began.elapsed();
        assert!(took < SOON, "{end}: the connection was renewed after {took:?}");
    }

    async fn sessions(&self) -> (u64, u64) {
        let gateway = self.world.discord.state().await.expect("Discord answers")["gateway"].take();
        (gateway["identified"].as_u64().expect("a number"), gateway["resumed"].as_u64().expect("a number"))
    }
}

#[tokio::test]
async fn a_bot_that_resumes_has_missed_nothing() {
    let connected = Connected::begin(SHORT_HEARTBEAT_MS).await;
    let discord = &connected.world.discord;
    assert_eq!(connected.sessions().await, (1, 0));
    discord.drop_gateway().await.unwrap();
    connected.goes_on("a dropped connection").await;
    discord.reconnect_gateway().await.unwrap();
    connected.goes_on("opcode 7").await;
    discord.invalidate_gateway(true).await.unwrap();
    connected.goes_on("opcode 9, resumable").await;
    for code in [4000, 1001, 1000, 4008] {
        discord.close_gateway(code).await.unwrap();
        connected.goes_on(&format!("close code {code}")).await;
    }
    let (identified, resumed) = connected.sessions().await;
    assert_eq!((identified, resumed), (1, 7), "one session through it all");
    connected.world.finish().await;
}

#[tokio::test]
async fn a_bot_whose_session_is_gone_rechecks_everything() {
    let connected = Connected::begin(SHORT_HEARTBEAT_MS).await;
    let discord = &connected.world.discord;
    discord.invalidate_gateway(false).await.unwrap();
    connected.goes_on("opcode 9").await;
    discord.forget_gateway().await.unwrap();
    connected.goes_on("a dropped connection, forgotten").await;
    for code in [4007, 4009] {
        discord.close_gateway(code).await.unwrap();
        connected.goes_on(&format!("close code {code}")).await;
    }
    let (identified, resumed) = connected.sessions().await;
    assert_eq!((identified, resumed), (5, 0));
    connected.world.finish().await;
}

#[tokio::test]
async fn a_silent_gateway_and_an_unexpected_close_are_noticed() {
    let connected = Connected::begin(SHORT_HEARTBEAT_MS).await;
    let discord = &connected.world.discord;
    discord.deafen_gateway().await.unwrap();
    connected.goes_on("a deaf gateway").await;
    discord.close_gateway(4003).await.unwrap();
    connected.goes_on("close code 4003").await;
    connected.world.finish().await;
}

#[tokio::test]
async fn without_the_members_intent_the_bot_works_and_hears_no_joins() {
    let mut world = World::without_services().await;
    world.discord.allow_members_intent(false).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let answer = world.discord.interact(world.guild, ana.user, "status").await.unwrap();
    assert!(answer.text().contains("Nexrole in this server"), "{}", answer.text());
    world.finish().await;
}

#[tokio::test]
async fn however_the_connection_ends_role_changes_and_health_go_on() {
    let connected = Connected::begin(HEARTBEAT_MS).await;
    for end in ENDS {
        connected.is_undisturbed_by(end).await;
    }
    let (identified, resumed) = connected.sessions().await;
    assert_eq!((identified, resumed), (1, ENDS.len() as u64), "one session through it all");
    connected.world.finish().await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_passes_is_noticed_within_seconds() {
    let connected = Connected::begin(SHORT_HEARTBEAT_MS).await;
    for end in ["half_frame_and_linger", "huge_frame"] {
        connected.is_undisturbed_by(end).await;
    }
    connected.world.finish().await;
}

#[tokio::test]
async fn frames_that_mean_nothing_end_nothing() {
    let connected = Connected::begin(HEARTBEAT_MS).await;
    for nonsense in NONSENSE {
        connected.world.discord.say_on_gateway(nonsense).await.unwrap();
        connected.goes_on(nonsense).await;
    }
    assert_eq!(connected.sessions().await, (1, 0));
    connected.world.finish().await;
}

#[tokio::test]
async fn a_gateway_that_does_not_let_the_bot_in_is_down_and_role_changes_go_on() {
    for (greeting, because) in [
        (json!({ "kind": "refused", "status": 503 }), "refused the connection (HTTP 503)"),
        (json!({ "kind": "closed_after_hello", "code": 4000 }), "closed the connection (4000)"),
        (json!({ "kind": "invalid_session" }), "does not take the session"),
        (json!({ "kind": "closed_after_identify", "code": 4004 }), "refuses the token"),
    ] {
        let world = greeted_by(greeting).await;
        until_down(&world, because).await;
        let ana = world.member().await;
        world.subscribes(&ana).await;
        world.until_vip(&ana).await;
        world.finish().await;
    }
}

#[tokio::test]
async fn a_metric_says_that_the_gateway_is_down_and_that_it_is_up_again() {
    let world = World::without_services().await;
    world.discord.greet_gateway(json!({ "kind": "refused", "status": 503 })).await.unwrap();
    let metrics = format!("127.0.0.1:{}", free_port().expect("a port"));
    let env = Env::from_pairs(world.variables().iter().map(|(name, value)| (*name, value.as_str())));
    // A process of its own: all services of this one count together.
    let plan = Plan {
        program: PathBuf::from(env!("CARGO_BIN_EXE_nexrole")),
        service: Service::Bot,
        env: env.with("METRICS_BIND", &metrics),
        listen: world.bot_url.trim_start_matches("http://").parse().expect("an address"),
        log: None,
    };
    let bot = plan.start_ready().await.expect("it starts");
    let says = async |line: &str| {
        let scraped = world.http.get(format!("http://{metrics}/metrics")).send().await.expect("it answers");
        scraped.text().await.expect("text").lines().any(|found| found.starts_with(line))
    };
    world.until("it was refused", async || says("nexrole_gateway_ends_total{end=\"refused\"}").await).await;
    assert!(says("nexrole_gateway_up 0").await);
    world.discord.greet_gateway(json!({ "kind": "welcome" })).await.unwrap();
    world.until("it is up", async || says("nexrole_gateway_up 1").await).await;
    assert!(says("nexrole_gateway_identifies_total 1").await);
    world.discord.end_gateway("close_without_code").await.unwrap();
    let ended = async || says("nexrole_gateway_ends_total{end=\"closed\"} 1").await;
    world.until("the end is counted", ended).await;
    world.until("it is up again", async || says("nexrole_gateway_up 1").await).await;
    bot.stop().await.expect("it stops");
    world.close().await;
}

/// Each IDENTIFY is one of a thousand a day; serenity's own loop sends one every five seconds.
#[tokio::test]
async fn a_gateway_that_refuses_at_once_is_tried_less_and_less() {
    let began = Instant::now();
    let world = greeted_by(json!({ "kind": "closed_after_identify", "code": 4000 })).await;
    world.until("three IDENTIFYs were sent", async || identified(&world).await >= 3).await;
    let took = began.elapsed();
    assert!(took > Duration::from_secs(13), "three IDENTIFYs in {took:?}");
    // It lets the bot in again: nobody has to restart anything.
    world.discord.greet_gateway(json!({ "kind": "welcome" })).await.unwrap();
    world.until("it is connected", async || ready(&world).await.1.get("detail").is_none()).await;
    world.close().await;
}

#[tokio::test]
async fn the_days_budget_of_identifies_is_respected() {
    let mut world = World::without_services().await;
    world.discord.set_identifies_left(0, 4_000).await.unwrap();
    let began = Instant::now();
    world.start_bot().await;
    until_down(&world, "no IDENTIFY is left").await;
    world.until("it identified", async || identified(&world).await == 1).await;
    assert!(began.elapsed() > Duration::from_millis(3_900), "{:?}", began.elapsed());
    world.close().await;
}

#[tokio::test]
async fn the_question_for_the_gateways_address_waits_as_told() {
    let mut world = World::without_services().await;
    let body = json!({ "message": "slow", "retry_after": 3.0, "global": false });
    let limited = Fault::status(429).on("GET", "/gateway/bot").header("Retry-After", "3").body(body);
    world.discord.fault(limited).await.unwrap();
    let began = Instant::now();
    world.start_bot().await;
    world.until("it identified", async || identified(&world).await == 1).await;
    assert!(began.elapsed() > Duration::from_millis(2_900), "{:?}", began.elapsed());
    let asked = world.discord.requests().await.unwrap();
    let asked = asked.iter().filter(|call| call.path.ends_with("/gateway/bot")).count();
    assert_eq!(asked, 2, "each refused call counts towards a ban");
    world.close().await;
}

/// We need two ids; Discord changes the rest as it likes.
#[tokio::test]
async fn an_event_with_a_field_that_nobody_expects_is_heard_all_the_same() {
    let connected = Connected::begin(HEARTBEAT_MS).await;
    let discord = &connected.world.discord;
    for (pointer, value) in [
        ("/joined_at", Some(json!(7))),
        ("/flags", None),
        ("/roles", Some(Value::Null)),
        ("/user/username", Some(Value::Null)),
        ("/user/discriminator", Some(json!({ "new": true }))),
    ] {
        for event in ["GUILD_MEMBER_REMOVE", "GUILD_MEMBER_ADD"] {
            discord.replace_field(event, pointer, value.clone(), 1).await.unwrap();
        }
        discord.leave(connected.world.guild, connected.ana.user).await.unwrap();
        connected.world.until_parked(1, "the leaving was heard").await;
        discord.rejoin(connected.world.guild, connected.ana.user).await.unwrap();
        connected.world.until_vip(&connected.ana).await;
    }
    let hidden = discord.create_channel(connected.world.guild, "staff", 1 << 10).await.unwrap();
    for (pointer, value) in [
        ("/channels/0/name", Some(Value::Null)),
        ("/channels/1/type", Some(Value::Null)),
        ("/roles", Some(Value::Null)),
        ("/owner_id", None),
        ("/members/0/joined_at", Some(Value::Null)),
    ] {
        discord.kick_bot(connected.world.guild).await.unwrap();
        let ben = connected.world.member().await;
        connected.world.subscribes(&ben).await;
        let away = async || connected.world.gate_is(Gate::is_free_and_away).await;
        connected.world.until("the guild is left alone", away).await;
        discord.replace_field("GUILD_CREATE", pointer, value, 1).await.unwrap();
        discord.invite_bot(connected.world.guild).await.unwrap();
        connected.world.until_vip(&ben).await;
    }
    assert!(hidden > 0);
    // A role above the bot's is refused, and tried again once the order was changed.
    for (event, pointer, value) in [
        ("GUILD_ROLE_UPDATE", "/role/name", Some(Value::Null)),
        ("GUILD_ROLE_UPDATE", "/role", Some(Value::Null)),
    ] {
        discord
            .set_role(connected.world.guild, connected.world.vip, json!({ "position": 90 }))
            .await
            .unwrap();
        let eva = connected.world.member().await;
        connected.world.subscribes(&eva).await;
        connected.world.until_parked(1, "the role is parked").await;
        discord.replace_field(event, pointer, value, 1).await.unwrap();
        discord.set_role(connected.world.guild, connected.world.vip, json!({ "position": 1 })).await.unwrap();
        connected.world.until_vip(&eva).await;
    }
    connected.world.finish().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_at_all_is_counted_and_a_command_is_answered() {
    let mut world = World::without_services().await;
    let address = format!("127.0.0.1:{}", free_port().expect("a port"));
    world.set("METRICS_BIND", &address);
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_bot().await;
    let admin = world.discord.join(world.guild, "admin").await.unwrap();
    world.discord.interact(world.guild, admin, "status").await.unwrap();
    for (event, pointer) in [
        ("GUILD_MEMBER_ADD", "/user/id"),
        ("GUILD_MEMBER_REMOVE", "/guild_id"),
        ("GUILD_ROLE_CREATE", "/guild_id"),
    ] {
        world.discord.replace_field(event, pointer, Some(json!({ "a": 1 })), 1).await.unwrap();
    }
    let user = world.discord.join(world.guild, "member").await.unwrap();
    world.discord.leave(world.guild, user).await.unwrap();
    world.discord.create_role(world.guild, "Gold").await.unwrap();
    for kind in ["GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE", "GUILD_ROLE_CREATE"] {
        let line = format!("nexrole_gateway_events_unread_total{{kind=\"{kind}\"}}");
        let counted = async || {
            let scraped = world.http.get(format!("http://{address}/metrics")).send().await;
            scraped.expect("it answers").text().await.expect("text").contains(&line)
        };
        world.until("the event is counted", counted).await;
    }
    world.discord.replace_field("INTERACTION_CREATE", "/member/joined_at", Some(json!(7)), 1).await.unwrap();
    let answer = world.discord.interact(world.guild, admin, "status").await.unwrap();
    assert!(answer.text().contains("could not be read"), "{}", answer.text());
    let answer = world.discord.interact(world.guild, admin, "status").await.unwrap();
    assert!(answer.text().contains("Nexrole in this server"), "{}", answer.text());
    world.close().await;
}
