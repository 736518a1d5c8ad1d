//! The fake Discord's gateway, spoken to with a websocket client small enough to read. In: identify, a joining
//! member, a slash command. Out: the frames Discord would send, in their order.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod socket;

use std::time::Duration;

use sandbox::discord::BOT_ID;
use serde_json::{Value, json};
use socket::{Socket, start};

#[tokio::test]
async fn a_session_hears_ready_its_guilds_and_then_what_happens() {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let mut socket = Socket::identify(&running, 0b11).await;

    let ready = socket.hear().await;
    assert_eq!((&ready["t"], &ready["s"]), (&json!("READY"), &json!(1)));
    assert_eq!(ready["d"]["application"]["id"], BOT_ID.to_string());
    assert_eq!(ready["d"]["guilds"], json!([{ "id": guild.to_string(), "unavailable": true }]));
    let created = socket.hear().await;
    assert_eq!((&created["t"], &created["s"]), (&json!("GUILD_CREATE"), &json!(2)));
    assert_eq!(created["d"]["members"][0]["user"]["id"], BOT_ID.to_string());
    assert_eq!(created["d"]["roles"].as_array().unwrap().len(), 2);

    let ana = control.join(guild, "ana").await.unwrap();
    let joined = socket.hear().await;
    assert_eq!(joined["t"], "GUILD_MEMBER_ADD");
    assert_eq!(joined["d"]["user"]["id"], ana.to_string());
    assert_eq!(joined["d"]["guild_id"], guild.to_string());
    let role = control.create_role(guild, "VIP").await.unwrap();
    assert_eq!(socket.hear().await["t"], "GUILD_ROLE_CREATE");
    control.give_role(guild, ana, role).await.unwrap();
    let updated = socket.hear().await;
    assert_eq!(updated["t"], "GUILD_MEMBER_UPDATE");
    assert_eq!(updated["d"]["roles"], json!([role.to_string()]));
    socket.say(json!({ "op": 1, "d": 5 })).await;
    assert_eq!(socket.hear().await["op"], 11);
    control.kick_bot(guild).await.unwrap();
    let kicked = socket.hear().await;
    assert_eq!((&kicked["t"], &kicked["d"]), (&json!("GUILD_DELETE"), &json!({ "id": guild.to_string() })));
}

#[tokio::test]
async fn without_the_privileged_intent_members_are_not_announced() {
    let (running, control) = start().await;
    let mut socket = Socket::identify(&running, 0b01).await;
    assert_eq!(socket.hear().await["t"], "READY");
    let guild = control.create_guild(None, "Guild").await.unwrap();
    assert_eq!(socket.hear().await["t"], "GUILD_CREATE");
    control.join(guild, "ana").await.unwrap();
    control.create_role(guild, "VIP").await.unwrap();
    assert_eq!(socket.hear().await["t"], "GUILD_ROLE_CREATE");
}

#[tokio::test]
async fn a_wrong_token_is_closed_with_4004_and_an_unknown_session_is_invalid() {
    let (running, _control) = start().await;
    let mut socket = Socket::connect(&running).await;
    assert_eq!(socket.hear().await["op"], 10);
    socket.say(json!({ "op": 6, "d": { "token": "x.y.z", "session_id": "s", "seq": 3 } })).await;
    let refused = socket.hear().await;
    assert_eq!((&refused["op"], &refused["d"]), (&json!(9), &json!(false)));
    socket.say(json!({ "op": 2, "d": { "token": "other", "intents": 1 } })).await;
    let (opcode, payload) = socket.frame().await.unwrap();
    assert_eq!((opcode, &payload[..2]), (8, &4004_u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn a_dropped_gateway_ends_without_a_close_frame() {
    let (running, control) = start().await;
    let mut socket = Socket::identify(&running, 1).await;
    assert_eq!(socket.hear().await["t"], "READY");
    assert_eq!(control.state().await.unwrap()["sessions"], 1);
    control.drop_gateway().await.unwrap();
    assert_eq!(socket.frame().await, None);
    assert_eq!(control.state().await.unwrap()["sessions"], 0);
}

#[tokio::test]
async fn a_deferred_command_is_visible_once_it_shows_something() {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let ana = control.join(guild, "ana").await.unwrap();
    let mut socket = Socket::identify(&running, 0).await;
    assert_eq!(socket.hear().await["t"], "READY");
    let asking = tokio::spawn({
        let control = control.clone();
        async move { control.interact(guild, ana, "roles list").await }
    });

    // Registered only now: the user's params waits for it.
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().unwrap();
    let api = format!("{}/api/v10", running.url);
    let registered: Value = client
        .put(format!("{api}/applications/{BOT_ID}/commands"))
        .header("authorization", "Bot x.y.z")
        .json(&json!([{ "name": "roles", "description": "Roles" }]))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let event = socket.hear().await["d"].take();
    assert_eq!(event["data"]["id"], registered[0]["id"]);
    assert_eq!(event["data"]["options"], json!([{ "type": 1, "name": "list", "options": [] }]));
    assert_eq!(event["member"]["user"]["id"], ana.to_string());
    assert_eq!(event["member"]["permissions"], "8");

    let token = event["token"].as_str().unwrap();
    let callback = format!("{api}/interactions/{}/{token}/callback", event["id"].as_str().unwrap());
    let defer = client.post(&callback).json(&json!({ "type": 5, "data": { "flags": 64 } }));
    assert_eq!(defer.send().await.unwrap().status(), 204);
    let again = client.post(&callback).json(&json!({ "type": 5 })).send().await.unwrap();
    assert_eq!(again.json::<Value>().await.unwrap()["code"], 40060);
    let shown: Value = client
        .patch(format!("{api}/webhooks/{BOT_ID}/{token}/messages/@original"))
        .json(&json!({ "content": "VIP", "embeds": [{ "title": "One" }] }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(shown["content"], "VIP");

    let answer = asking.await.unwrap().unwrap();
    assert_eq!(answer.callback["type"], 5);
    assert!(answer.messages[0].is_ephemeral());
    assert_eq!(answer.text(), "VIP\nOne");
}
