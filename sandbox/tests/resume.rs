//! What the fake gateway does when a connection ends, or should. In: faults injected through the control API. Out: op codes, close
//! codes, and after a RESUME exactly what was missed.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod socket;

use std::time::Duration;

use sandbox::Running;
use serde_json::{Value, json};
use socket::{Socket, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const INTENTS: u64 = 0b11;

/// Hears READY and the guilds; the session's name and the last sequence number.
async fn greeted(socket: &mut Socket, guilds: usize) -> (String, u64) {
    let ready = socket.hear().await;
    assert_eq!(ready["t"], "READY");
    assert!(ready["d"]["resume_gateway_url"].as_str().unwrap().starts_with("ws://"));
    for _ in 0..guilds {
        assert_eq!(socket.hear().await["t"], "GUILD_CREATE");
    }
    (ready["d"]["session_id"].as_str().unwrap().to_owned(), 1 + guilds as u64)
}

async fn resume(running: &Running, session: &str, seq: u64) -> Socket {
    let mut socket = Socket::connect(running).await;
    assert_eq!(socket.hear().await["op"], 10);
    say_resume(&mut socket, session, seq).await;
    socket
}

async fn say_resume(socket: &mut Socket, session: &str, seq: u64) {
    socket.say(json!({ "op": 6, "d": { "token": "x.y.z", "session_id": session, "seq": seq } })).await;
}

fn event(frame: &Value) -> (&str, u64) {
    (frame["t"].as_str().unwrap_or_default(), frame["s"].as_u64().unwrap_or_default())
}

async fn close_code(socket: &mut Socket) -> u16 {
    let (opcode, payload) = socket.frame().await.unwrap();
    assert_eq!(opcode, 8);
    u16::from_be_bytes([payload[0], payload[1]])
}

#[tokio::test]
async fn a_resumed_session_hears_what_it_missed_once_and_in_order() {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let mut socket = Socket::identify(&running, INTENTS).await;
    let (session, seq) = greeted(&mut socket, 1).await;
    control.join(guild, "ana").await.unwrap();
    assert_eq!(event(&socket.hear().await), ("GUILD_MEMBER_ADD", seq + 1));

    control.drop_gateway().await.unwrap();
    assert_eq!(socket.frame().await, None);
    control.create_role(guild, "VIP").await.unwrap();
    control.join(guild, "ben").await.unwrap();
    // The client had heard all but the last event of its first connection.
    let mut socket = resume(&running, &session, seq).await;
    for expected in
        ["GUILD_MEMBER_ADD", "GUILD_ROLE_CREATE", "GUILD_MEMBER_ADD", "RESUMED"].iter().zip(seq + 1..)
    {
        assert_eq!(event(&socket.hear().await), (*expected.0, expected.1));
    }
    control.join(guild, "eva").await.unwrap();
    assert_eq!(event(&socket.hear().await), ("GUILD_MEMBER_ADD", seq + 5));
    let state = control.state().await.unwrap();
    assert_eq!(state["gateway"], json!({ "identified": 1, "resumed": 1, "resumable": 0 }));
}

#[tokio::test]
async fn a_session_that_is_gone_or_ahead_is_not_resumed() {
    let (running, control) = start().await;
    let mut socket = Socket::identify(&running, INTENTS).await;
    let (session, seq) = greeted(&mut socket, 0).await;
    let mut ahead = resume(&running, &session, seq + 7).await;
    assert_eq!(close_code(&mut ahead).await, 4007);
    // What a heartbeat acknowledged is not kept.
    socket.say(json!({ "op": 1, "d": seq })).await;
    assert_eq!(socket.hear().await["op"], 11);
    let mut behind = resume(&running, &session, 0).await;
    assert_eq!(behind.hear().await["d"], false);
    control.forget_gateway().await.unwrap();
    let mut gone = resume(&running, &session, seq).await;
    let invalid = gone.hear().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(false)));
    // The same connection may identify afresh.
    gone.say(json!({ "op": 2, "d": { "token": "x.y.z", "intents": 1 } })).await;
    greeted(&mut gone, 0).await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_ends_its_session_and_one_that_vanishes_does_not() {
    let (running, control) = start().await;
    for (code, resumable) in [(1000_u16, 0), (4000, 1)] {
        let mut socket = Socket::identify(&running, INTENTS).await;
        greeted(&mut socket, 0).await;
        let [high, low] = code.to_be_bytes();
        socket.0.write_all(&[0x88, 0x82, 0, 0, 0, 0, high, low]).await.unwrap();
        while control.state().await.unwrap()["sessions"] != 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(control.state().await.unwrap()["gateway"]["resumable"], resumable, "after {code}");
    }
}

#[tokio::test]
async fn on_demand_clients_must_reconnect_or_hear_that_their_session_is_invalid() {
    let (running, control) = start().await;
    let mut socket = Socket::identify(&running, INTENTS).await;
    let (session, seq) = greeted(&mut socket, 0).await;
    control.reconnect_gateway().await.unwrap();
    assert_eq!(socket.hear().await["op"], 7);
    let mut socket = resume(&running, &session, seq).await;
    assert_eq!(event(&socket.hear().await), ("RESUMED", seq + 1));

    control.invalidate_gateway(true).await.unwrap();
    let invalid = socket.hear().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(true)));
    // Also on the same connection.
    say_resume(&mut socket, &session, seq + 1).await;
    assert_eq!(event(&socket.hear().await), ("RESUMED", seq + 2));

    control.invalidate_gateway(false).await.unwrap();
    assert_eq!(socket.hear().await["d"], false);
    let mut socket = resume(&running, &session, seq + 2).await;
    assert_eq!(socket.hear().await["d"], false);
}

#[tokio::test]
async fn any_close_code_can_be_ordered_and_some_end_the_session() {
    let (running, control) = start().await;
    for code in (4000..=4014).chain([1000, 1001]).filter(|code| *code != 4006) {
        let mut socket = Socket::identify(&running, INTENTS).await;
        let (session, seq) = greeted(&mut socket, 0).await;
        control.close_gateway(code).await.unwrap();
        assert_eq!(close_code(&mut socket).await, code);
        let again = resume(&running, &session, seq).await.hear().await;
        let ended = matches!(code, 4004 | 4007 | 4009 | 4010..=4014);
        assert_eq!(again["op"] == 9, ended, "{code}: {again}");
        control.forget_gateway().await.unwrap();
    }
    assert!(control.close_gateway(1006).await.unwrap_err().to_string().contains("cannot be sent"));
}

#[tokio::test]
async fn a_deaf_gateway_stays_open_and_a_resume_makes_up_for_it() {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let mut socket = Socket::identify(&running, INTENTS).await;
    let (session, seq) = greeted(&mut socket, 1).await;
    control.deafen_gateway().await.unwrap();
    control.join(guild, "ana").await.unwrap();
    socket.say(json!({ "op": 1, "d": seq })).await;
    let nothing = tokio::time::timeout(std::time::Duration::from_millis(300), socket.frame()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let mut fresh = resume(&running, &session, seq).await;
    assert_eq!(event(&fresh.hear().await), ("GUILD_MEMBER_ADD", seq + 1));
    assert_eq!(event(&fresh.hear().await), ("RESUMED", seq + 2));
}

#[tokio::test]
async fn a_client_without_heartbeats_is_closed_with_4009() {
    let (running, control) = start().await;
    control.set_heartbeat(50).await.unwrap();
    let mut socket = Socket::identify(&running, INTENTS).await;
    greeted(&mut socket, 0).await;
    assert_eq!(close_code(&mut socket).await, 4009);
}

#[tokio::test]
async fn intents_shards_and_opcodes_are_checked() {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let shard = (guild >> 22) % 2;
    for (shard, guilds) in [(shard, 1), (1 - shard, 0)] {
        let mut socket = Socket::connect(&running).await;
        socket.hear().await;
        socket.say(json!({ "op": 2, "d": { "token": "x.y.z", "intents": 3, "shard": [shard, 2] } })).await;
        greeted(&mut socket, guilds).await;
    }
    control.allow_members_intent(false).await.unwrap();
    let cases = [
        (json!({ "op": 2, "d": { "token": "x.y.z", "intents": 3 } }), 4014),
        (json!({ "op": 2, "d": { "token": "x.y.z" } }), 4013),
        (json!({ "op": 2, "d": { "token": "x.y.z", "intents": 1, "shard": [2, 2] } }), 4010),
        (json!({ "op": 8, "d": {} }), 4003),
        (json!({ "op": 99 }), 4001),
    ];
    for (said, code) in cases {
        let mut socket = Socket::connect(&running).await;
        socket.hear().await;
        socket.say(said.clone()).await;
        assert_eq!(close_code(&mut socket).await, code, "{said}");
    }
    // A refused IDENTIFY counts: two came through, three were refused.
    assert_eq!(control.state().await.unwrap()["gateway"]["identified"], 5);
}

#[tokio::test]
async fn every_way_in_which_a_websocket_can_end_can_be_ordered() {
    let (running, control) = start().await;
    let stays_open = [
        "close_and_linger",
        "half_close_code",
        "forbidden_close_code",
        "close_reason_not_utf8",
        "half_frame_and_linger",
        "unknown_opcode",
        "reserved_bits",
        "masked_frame",
        "stray_continuation",
        "long_ping",
        "huge_frame",
        "not_utf8",
    ];
    for how in ["eof", "reset", "close_without_code", "half_frame", "http"].iter().chain(&stays_open) {
        let mut socket = Socket::identify(&running, INTENTS).await;
        greeted(&mut socket, 0).await;
        control.end_gateway(how).await.unwrap();
        let mut said = Vec::new();
        let ended = tokio::time::timeout(Duration::from_millis(300), socket.0.read_to_end(&mut said)).await;
        assert_eq!(ended.is_err(), stays_open.contains(how), "{how}");
        assert_eq!(matches!(ended, Ok(Err(_))), *how == "reset", "{how}");
        assert_eq!(said.is_empty(), ["eof", "reset"].contains(how), "{how}: {said:?}");
        let state = control.state().await.unwrap();
        assert_eq!(state["sessions"], 0, "{how}");
    }
}

#[tokio::test]
async fn every_way_in_which_a_connection_can_be_refused_can_be_ordered() {
    let (running, control) = start().await;
    control.greet_gateway(json!({ "kind": "closed_after_hello", "code": 4000 })).await.unwrap();
    let mut socket = Socket::connect(&running).await;
    assert_eq!(socket.hear().await["op"], 10);
    assert_eq!(close_code(&mut socket).await, 4000);
    control.greet_gateway(json!({ "kind": "closed_after_identify", "code": 4011 })).await.unwrap();
    assert_eq!(close_code(&mut Socket::identify(&running, INTENTS).await).await, 4011);
    control.greet_gateway(json!({ "kind": "invalid_session" })).await.unwrap();
    assert_eq!(Socket::identify(&running, INTENTS).await.hear().await["op"], 9);
    for (greeting, hello) in [("no_hello", false), ("no_ready", true)] {
        control.greet_gateway(json!({ "kind": greeting })).await.unwrap();
        let mut socket = Socket::connect(&running).await;
        let heard = tokio::time::timeout(Duration::from_millis(300), socket.frame()).await;
        assert_eq!(heard.is_ok(), hello, "{greeting}");
    }
    control.greet_gateway(json!({ "kind": "refused", "status": 502 })).await.unwrap();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().unwrap();
    let asked = client.get(format!("{}/gateway", running.url)).header("connection", "upgrade");
    let asked = asked.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let refused = asked.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
    assert_eq!(refused.status(), 502);
    // An IDENTIFY counts, whatever becomes of it.
    let state = control.state().await.unwrap();
    assert_eq!(state["gateway"]["identified"], 2);
}

#[tokio::test]
async fn events_go_wrong_as_ordered_and_hidden_channels_say_nothing() {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    control.create_channel(guild, "staff", 1 << 10).await.unwrap();
    control.replace_field("GUILD_MEMBER_ADD", "/user/username", None, 1).await.unwrap();
    control.replace_field("GUILD_MEMBER_ADD", "/joined_at", Some(Value::Null), 1).await.unwrap();
    let mut socket = Socket::identify(&running, INTENTS).await;
    assert_eq!(socket.hear().await["t"], "READY");
    let created = socket.hear().await;
    let channels = created["d"]["channels"].as_array().unwrap();
    let names: Vec<_> = channels.iter().map(|channel| &channel["name"]).collect();
    assert_eq!(names, ["general", "___hidden___"]);
    assert_eq!((&channels[1]["flags"], &channels[1]["nsfw"]), (&json!(1 << 17), &Value::Null));
    control.join(guild, "ana").await.unwrap();
    let joined = socket.hear().await;
    assert_eq!((&joined["t"], &joined["d"]["joined_at"]), (&json!("GUILD_MEMBER_ADD"), &Value::Null));
    assert!(joined["d"]["user"].get("username").is_none());
    control.join(guild, "ben").await.unwrap();
    assert_eq!(socket.hear().await["d"]["user"]["username"], "ben");
    control.say_on_gateway("{").await.unwrap();
    assert_eq!(socket.frame().await.unwrap().1, b"{");
}
