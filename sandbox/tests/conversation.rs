//! The fake Discord's interactions, channels and audit log, spoken to as a bot would. In: people's deeds through the
//! control API, the bot's calls. Out: what both see; and each call and answer as Discord's own description says.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod socket;

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use sandbox::Running;
use sandbox::discord::{BOT_ID, Control, FaultKind, Interaction, Limits, Request, Transcript};
use serde_json::{Value, json};
use socket::{Socket, start};
use testkit::{openapi, report::say};
use tokio::task::JoinHandle;

const GUILDS_AND_MODERATION: u64 = 0b101;
const VIEW_AUDIT_LOG: u64 = 0x80;
const MANAGE_ROLES: u64 = 0x1000_0000;

/// A connected bot, a guild, and Ana.
struct Scene {
    running: Running,
    control: Control,
    client: Client,
    socket: Socket,
    guild: u64,
    ana: u64,
}

async fn scene() -> Scene {
    let (running, control) = start().await;
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let ana = control.join(guild, "ana").await.unwrap();
    let mut socket = Socket::identify(&running, GUILDS_AND_MODERATION).await;
    for event in ["READY", "GUILD_CREATE"] {
        assert_eq!(socket.hear().await["t"], event);
    }
    let agent = "DiscordBot (https://example.com, 1)";
    let client =
        Client::builder().timeout(Duration::from_secs(5)).no_proxy().user_agent(agent).build().unwrap();
    Scene { running, control, client, socket, guild, ana }
}

impl Scene {
    /// The bot calls: status and body.
    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let call = self.client.request(method, format!("{}/api/v10{path}", self.running.url));
        let call = call.header("authorization", "Bot x.y.z");
        let call = if body.is_null() { call } else { call.json(&body) };
        let answer = call.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn refused(&self, method: Method, path: &str, body: Value) -> (u16, u64) {
        let (status, body) = self.call(method, path, body).await;
        (status, body["code"].as_u64().unwrap())
    }

    async fn register(&self) {
        let command = json!([{ "name": "shop", "description": "Shop" }]);
        let path = format!("/applications/{BOT_ID}/commands");
        assert_eq!(self.call(Method::PUT, &path, command).await.0, 200);
    }

    /// A user does something while the bot listens: the event, and what the user will see.
    async fn doing<F>(&mut self, deed: F) -> (Value, JoinHandle<anyhow::Result<Interaction>>)
    where
        F: Future<Output = anyhow::Result<Interaction>> + Send + 'static,
    {
        let seen = tokio::spawn(deed);
        let event = self.socket.hear().await;
        assert_eq!(event["t"], "INTERACTION_CREATE");
        (event["d"].clone(), seen)
    }

    async fn shop(&mut self) -> (Value, JoinHandle<anyhow::Result<Interaction>>) {
        let (control, guild, ana) = (self.control.clone(), self.guild, self.ana);
        self.doing(async move { control.interact(guild, ana, "shop").await }).await
    }

    async fn call_back(&self, event: &Value, answer: Value) -> (u16, Value) {
        let (id, token) = (event["id"].as_str().unwrap(), event["token"].as_str().unwrap());
        self.call(Method::POST, &format!("/interactions/{id}/{token}/callback"), answer).await
    }

    fn webhook(event: &Value, which: &str) -> String {
        format!("/webhooks/{BOT_ID}/{}{which}", event["token"].as_str().unwrap())
    }

    /// Everything was as Discord describes it.
    async fn finish(self) {
        let Some(description) = openapi::discord() else { return };
        let checked = description.check(&self.control.transcripts().await.unwrap());
        say(&format!("the sandbox's answers, checked:\n{}", checked.list()));
        assert!(checked.problems.is_empty(), "{}", checked.problems.join("\n"));
        assert_eq!(checked.untold, 0);
    }
}

fn buttons() -> Value {
    json!([
        { "type": 1, "components": [{ "type": 2, "style": 1, "label": "Buy", "custom_id": "buy" }] },
        { "type": 1, "components": [{ "type": 3, "custom_id": "plan", "options": [{ "label": "A", "value": "a" }] }] },
    ])
}

#[tokio::test]
async fn a_button_may_change_its_message_or_answer_anew() {
    let mut s = scene().await;
    s.register().await;
    let (event, seen) = s.shop().await;
    let data = json!({ "content": "What?", "components": buttons(), "flags": 64 });
    assert_eq!(s.call_back(&event, json!({ "type": 4, "data": data })).await.0, 204);
    let shown = seen.await.unwrap().unwrap();
    assert!(shown.messages[0].is_ephemeral());
    let message = shown.messages[0].id.clone();

    // Callback 7 changes the message, and stays ephemeral.
    let (control, who, id) = (s.control.clone(), (s.guild, s.ana), message.clone());
    let (event, seen) = s.doing(async move { control.click(who, &id, "buy", &[]).await }).await;
    assert_eq!((&event["type"], &event["data"]["component_type"]), (&json!(3), &json!(2)));
    assert_eq!(event["message"]["id"], message);
    assert_eq!(s.call_back(&event, json!({ "type": 7, "data": { "content": "Bought." } })).await.0, 204);
    assert_eq!(s.call_back(&event, json!({ "type": 6 })).await.1["code"], 40060);
    let seen = seen.await.unwrap().unwrap();
    assert_eq!((seen.text().as_str(), seen.messages[0].is_ephemeral()), ("Bought.", true));

    // Callback 6 says nothing; @original is the message with the menu.
    let (control, id) = (s.control.clone(), message.clone());
    let (event, seen) = s.doing(async move { control.click(who, &id, "plan", &["a"]).await }).await;
    assert_eq!(event["data"]["values"], json!(["a"]));
    assert_eq!(s.call_back(&event, json!({ "type": 6 })).await.0, 204);
    let original = Scene::webhook(&event, "/messages/@original");
    assert_eq!(s.call(Method::PATCH, &original, json!({ "content": "Plan A." })).await.0, 200);
    assert_eq!(s.get(&original).await["id"], message);
    assert_eq!(seen.await.unwrap().unwrap().text(), "Plan A.");

    let wrong = s.control.click(who, &message, "no such button", &[]).await.unwrap_err();
    assert!(wrong.to_string().contains("no such component"), "{wrong}");
    s.finish().await;
}

#[tokio::test]
async fn a_form_is_opened_filled_in_and_answered() {
    let mut s = scene().await;
    s.register().await;
    let (event, seen) = s.shop().await;
    let field = json!({ "type": 4, "custom_id": "mail", "style": 1, "label": "E-mail" });
    let form =
        json!({ "custom_id": "link", "title": "Link", "components": [{ "type": 1, "components": [field] }] });
    assert_eq!(s.call_back(&event, json!({ "type": 9, "data": form })).await.0, 204);
    let opened = seen.await.unwrap().unwrap();
    assert_eq!((&opened.callback["data"]["custom_id"], opened.messages.len()), (&json!("link"), 0));

    let (control, who) = (s.control.clone(), (s.guild, s.ana));
    let deed = async move { control.submit(who, "link", json!({ "mail": "a@example.com" })).await };
    let (event, seen) = s.doing(deed).await;
    assert_eq!(event["type"], 5);
    assert_eq!(event["data"]["components"][0]["components"][0]["value"], "a@example.com");
    // A form cannot open a form, nor change a message that it does not come from.
    for refused in [json!({ "type": 9, "data": form }), json!({ "type": 7, "data": {} })] {
        let (status, body) = s.call_back(&event, refused).await;
        assert_eq!((status, &body["code"]), (400, &json!(50035)));
    }
    let answered = s.call_back(&event, json!({ "type": 5, "data": { "flags": 64 } })).await;
    assert_eq!(answered.0, 204);
    let hook = Scene::webhook(&event, "");
    let (status, first) = s.call(Method::POST, &hook, json!({ "content": "Linked." })).await;
    assert_eq!((status, &first["flags"]), (200, &json!(64)), "the deferred answer stays ephemeral");
    assert!(seen.await.unwrap().unwrap().messages[0].is_ephemeral());
    // A further one is public, and can be changed, read and taken away by its id.
    let (_, second) =
        s.call(Method::POST, &hook, json!({ "content": "Welcome!", "embeds": [{ "title": "Hi" }] })).await;
    let second = Scene::webhook(&event, &format!("/messages/{}", second["id"].as_str().unwrap()));
    assert_eq!(s.call(Method::PATCH, &second, json!({ "content": "Hello!" })).await.0, 200);
    assert_eq!(
        (&s.get(&second).await["content"], &s.get(&second).await["flags"]),
        (&json!("Hello!"), &json!(0))
    );
    assert_eq!(s.call(Method::DELETE, &second, Value::Null).await.0, 204);
    assert_eq!(s.refused(Method::GET, &second, Value::Null).await, (404, 10008));
    let original = Scene::webhook(&event, "/messages/@original");
    assert_eq!(s.call(Method::DELETE, &original, Value::Null).await.0, 204);
    assert_eq!(s.refused(Method::PATCH, &original, json!({ "content": "?" })).await, (404, 10008));
    s.finish().await;
}

#[tokio::test]
async fn what_is_being_typed_is_completed_with_choices_only() {
    let mut s = scene().await;
    s.register().await;
    let (control, who) = (s.control.clone(), (s.guild, s.ana));
    let option = json!([{ "type": 3, "name": "product", "value": "V", "focused": true }]);
    let (event, seen) = s.doing(async move { control.complete(who, "shop", option).await }).await;
    assert_eq!((&event["type"], &event["data"]["options"][0]["focused"]), (&json!(4), &json!(true)));
    assert_eq!(s.call_back(&event, json!({ "type": 4, "data": { "content": "?" } })).await.1["code"], 50035);
    let choices = json!({ "choices": [{ "name": "VIP", "value": "vip" }] });
    assert_eq!(s.call_back(&event, json!({ "type": 8, "data": choices })).await.0, 204);
    assert_eq!(seen.await.unwrap().unwrap().callback["data"], choices);
    s.finish().await;
}

#[tokio::test]
async fn an_interaction_waits_three_seconds_and_its_token_lives_fifteen_minutes() {
    let mut s = scene().await;
    s.register().await;
    assert_eq!((Limits::default().callback_ms, Limits::default().token_ms), (3_000, 900_000));
    s.control.set_limits(Limits { callback_ms: 1, ..Limits::none() }).await.unwrap();
    let (event, _seen) = s.shop().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(s.call_back(&event, json!({ "type": 5 })).await.1["code"], 10062);
    let unknown = s.refused(Method::POST, "/interactions/1/nothing/callback", json!({ "type": 5 })).await;
    assert_eq!(unknown, (404, 10062));

    s.control.set_limits(Limits::none()).await.unwrap();
    let (event, _seen) = s.shop().await;
    let hook = Scene::webhook(&event, "");
    let said = json!({ "content": "Hi" });
    assert_eq!(s.refused(Method::POST, &hook, said.clone()).await, (404, 10015), "nothing was answered yet");
    assert_eq!(s.call_back(&event, json!({ "type": 5 })).await.0, 204);
    s.control.set_limits(Limits { token_ms: 1, ..Limits::none() }).await.unwrap();
    // All of this may have taken less than a millisecond.
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(s.refused(Method::POST, &hook, said).await, (401, 50027));
    s.finish().await;
}

#[tokio::test]
async fn a_callback_tells_what_it_made_if_asked() {
    let mut s = scene().await;
    s.register().await;
    let (event, seen) = s.shop().await;
    let (id, token) = (event["id"].as_str().unwrap(), event["token"].as_str().unwrap());
    let path = format!("/interactions/{id}/{token}/callback?with_response=true");
    let (status, made) = s.call(Method::POST, &path, json!({ "type": 4, "data": { "content": "Hi" } })).await;
    assert_eq!((status, &made["resource"]["message"]["content"]), (200, &json!("Hi")));
    assert_eq!(made["interaction"]["response_message_id"], made["resource"]["message"]["id"]);
    seen.await.unwrap().unwrap();
    s.finish().await;
}

#[tokio::test]
async fn the_bot_writes_in_channels_where_it_may() {
    let s = scene().await;
    let news = s.control.create_channel(s.guild, "news", 0).await.unwrap();
    let quiet = s.control.create_channel(s.guild, "quiet", 0x800).await.unwrap();
    let hidden = s.control.create_channel(s.guild, "hidden", 0x400).await.unwrap();
    let list = s.get(&format!("/guilds/{}/channels", s.guild)).await;
    let names: Vec<_> =
        list.as_array().unwrap().iter().map(|channel| channel["name"].as_str().unwrap()).collect();
    // Since 2026-11-16 a channel that the bot cannot view is left out.
    assert_eq!(names, ["general", "news", "quiet"]);
    assert_eq!(s.get(&format!("/channels/{news}")).await["name"], "news");

    let path = |channel: u64| format!("/channels/{channel}/messages");
    let hi = json!({ "content": "Hi" });
    assert_eq!(s.refused(Method::POST, &path(quiet), hi.clone()).await, (403, 50013));
    assert_eq!(s.refused(Method::POST, &path(hidden), hi.clone()).await, (403, 50001));
    assert_eq!(s.refused(Method::POST, &path(1), hi.clone()).await, (404, 10003));
    assert_eq!(s.refused(Method::POST, &path(news), json!({ "content": "" })).await, (400, 50006));

    let (_, mine) =
        s.call(Method::POST, &path(news), json!({ "content": "Hi", "components": buttons() })).await;
    let mine = format!("{}/{}", path(news), mine["id"].as_str().unwrap());
    assert_eq!(s.call(Method::PATCH, &mine, json!({ "content": "Hello" })).await.1["content"], "Hello");
    assert!(s.get(&mine).await["edited_timestamp"].is_string());
    let anas = s.control.write(news, s.ana, "Me too").await.unwrap();
    let anas = format!("{}/{anas}", path(news));
    assert_eq!(s.refused(Method::PATCH, &anas, hi.clone()).await, (403, 50005));
    assert_eq!(s.refused(Method::DELETE, &anas, Value::Null).await, (403, 50013));
    let page = s.get(&format!("{}?limit=1", path(news))).await;
    assert_eq!((page.as_array().unwrap().len(), &page[0]["content"]), (1, &json!("Me too")), "newest first");
    assert_eq!(s.call(Method::DELETE, &mine, Value::Null).await.0, 204);
    assert_eq!(s.control.channel_messages(news).await.unwrap().len(), 1);
    s.finish().await;
}

#[tokio::test]
async fn a_direct_message_arrives_unless_the_user_is_closed_or_gone() {
    let s = scene().await;
    let open = async |user: u64| {
        let body = json!({ "recipient_id": user.to_string() });
        s.call(Method::POST, "/users/@me/channels", body).await
    };
    let (status, channel) = open(s.ana).await;
    assert_eq!((status, &channel["recipients"][0]["id"]), (200, &json!(s.ana.to_string())));
    assert_eq!(open(s.ana).await.1["id"], channel["id"], "one channel per user");
    assert_eq!(open(7).await.1["code"], 50033);
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    let hi = json!({ "content": "Hi" });
    assert_eq!(s.call(Method::POST, &path, hi.clone()).await.0, 200);
    s.control.set_direct(s.ana, false).await.unwrap();
    assert_eq!(s.refused(Method::POST, &path, hi.clone()).await, (403, 50007));
    s.control.set_direct(s.ana, true).await.unwrap();
    s.control.leave(s.guild, s.ana).await.unwrap();
    assert_eq!(s.refused(Method::POST, &path, hi).await, (403, 50278), "no guild in common");
    let heard = s.control.direct_messages(s.ana).await.unwrap();
    assert_eq!(heard.iter().map(|message| message.content.as_str()).collect::<Vec<_>>(), ["Hi"]);
    s.finish().await;
}

#[tokio::test]
async fn a_message_with_a_nonce_that_is_enforced_is_taken_once() {
    let s = scene().await;
    let (_, channel) =
        s.call(Method::POST, "/users/@me/channels", json!({ "recipient_id": s.ana.to_string() })).await;
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    let send = async |content: &str, nonce: Value, enforced: bool| {
        let body = json!({ "content": content, "nonce": nonce, "enforce_nonce": enforced });
        s.call(Method::POST, &path, body).await
    };
    let (status, first) = send("Once", json!("7"), true).await;
    assert_eq!((status, &first["nonce"]), (200, &json!("7")));
    assert_eq!(
        send("Other words", json!("7"), true).await,
        (200, first.clone()),
        "the first one is the answer"
    );
    assert_eq!(send("By number", json!(7), true).await.1["id"], first["id"]);
    assert_ne!(send("Twice", json!("7"), false).await.1["id"], first["id"], "only where it is asked for");
    assert_ne!(send("Another", json!("8"), true).await.1["id"], first["id"]);
    let heard = s.control.direct_messages(s.ana).await.unwrap();
    let heard: Vec<_> = heard.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(heard, ["Once", "Twice", "Another"]);
    s.finish().await;
}

#[tokio::test]
async fn the_audit_log_tells_who_changed_what_and_why() {
    let mut s = scene().await;
    let log = format!("/guilds/{}/audit-logs", s.guild);
    assert_eq!(s.refused(Method::GET, &log, Value::Null).await, (403, 50013));
    let state = s.control.state().await.unwrap();
    let roles = state["guilds"][0]["roles"].as_array().unwrap();
    let own = roles.iter().find(|role| role["name"] == "Nexrole").unwrap()["id"].as_str().unwrap();
    let permissions = json!({ "permissions": (VIEW_AUDIT_LOG | MANAGE_ROLES).to_string() });
    s.control.set_role(s.guild, own.parse().unwrap(), permissions).await.unwrap();
    let vip = s.control.create_role(s.guild, "VIP").await.unwrap();
    let path = format!("/guilds/{}/members/{}/roles/{vip}", s.guild, s.ana);
    let put = s.client.put(format!("{}/api/v10{path}", s.running.url)).header("authorization", "Bot x.y.z");
    assert_eq!(put.header("x-audit-log-reason", "paid").send().await.unwrap().status(), 204);
    s.control.take_role(s.guild, s.ana, vip).await.unwrap();

    let mut heard = Vec::new();
    while heard.len() < 4 {
        let event = s.socket.hear().await;
        if event["t"] == "GUILD_AUDIT_LOG_ENTRY_CREATE" {
            heard.push(event["d"].clone());
        }
    }
    let actions: Vec<_> = heard.iter().map(|entry| entry["action_type"].as_u64().unwrap()).collect();
    assert_eq!(actions, [31, 30, 25, 25]);
    let granted = &heard[2];
    assert_eq!((&granted["user_id"], &granted["reason"]), (&json!(BOT_ID.to_string()), &json!("paid")));
    assert_eq!(granted["guild_id"], s.guild.to_string());

    let all = s.get(&log).await["audit_log_entries"].take();
    assert_eq!(
        all.as_array().unwrap().iter().map(|e| e["action_type"].as_u64().unwrap()).collect::<Vec<_>>(),
        [25, 25, 30, 31]
    );
    let removed = json!([{ "key": "$remove", "new_value": [{ "id": vip.to_string(), "name": "VIP" }] }]);
    assert_eq!((&all[0]["changes"], &all[0]["target_id"]), (&removed, &json!(s.ana.to_string())));
    let by_us = s.get(&format!("{log}?user_id={BOT_ID}&action_type=25&limit=1")).await;
    assert_eq!(by_us["audit_log_entries"][0]["changes"][0]["key"], "$add");
    let first = all[3]["id"].as_str().unwrap();
    let after = s.get(&format!("{log}?after={first}&limit=2")).await;
    let before = s.get(&format!("{log}?before={first}")).await;
    assert_eq!(after["audit_log_entries"][0]["action_type"], 30, "oldest first after an entry");
    assert_eq!(before["audit_log_entries"], json!([]));
    assert_eq!(s.refused(Method::GET, &format!("{log}?limit=0"), Value::Null).await, (400, 50035));
    // That limit was meant to be refused.
    s.control.clear_requests().await.unwrap();
    s.get(&log).await;
    s.finish().await;
}

#[tokio::test]
async fn what_the_bot_reads_of_itself_and_its_guild_is_complete() {
    let s = scene().await;
    s.register().await;
    let (guild, own) = (format!("/guilds/{}", s.guild), format!("/applications/{BOT_ID}"));
    let command = json!([{ "name": "here", "description": "Only here" }]);
    assert_eq!(s.call(Method::PUT, &format!("{own}{guild}/commands"), command).await.0, 200);
    for path in ["/gateway", "/gateway/bot", "/users/@me", "/applications/@me", "/oauth2/applications/@me"] {
        s.get(path).await;
    }
    for path in ["", "/roles", "/channels", &format!("/members/{}", s.ana), &format!("/members/{BOT_ID}")] {
        s.get(&format!("{guild}{path}")).await;
    }
    assert_eq!(s.get(&format!("{own}/commands")).await[0]["name"], "shop");
    assert_eq!(s.get(&format!("{own}{guild}/commands")).await[0]["name"], "here");
    assert_eq!(s.refused(Method::GET, "/guilds/1/roles", Value::Null).await, (404, 10004));
    s.control.set_limits(Limits { global_per_second: 1, ..Limits::none() }).await.unwrap();
    s.get("/gateway").await;
    assert_eq!(s.call(Method::GET, "/gateway", Value::Null).await.0, 429);
    s.finish().await;
}

/// The check itself: each of these calls differs from the description in one way.
#[test]
fn the_check_finds_what_differs() {
    let Some(description) = openapi::discord() else { return };
    let call = |method: &str, path: &str, status: u16, sent: &str, answered: &str| Request {
        seq: 1,
        method: method.to_owned(),
        path: path.split('?').next().unwrap().to_owned(),
        path_and_query: path.to_owned(),
        status: Some(status),
        reason: None,
        scope: None,
        fault: None,
        transcript: Some(Transcript {
            authorization: Some("Bot".to_owned()),
            user_agent: Some("DiscordBot (https://example.com, 1)".to_owned()),
            sent_type: (!sent.is_empty()).then(|| "application/json".to_owned()),
            sent: sent.to_owned(),
            answered_type: (!answered.is_empty()).then(|| "application/json".to_owned()),
            answered: answered.to_owned(),
        }),
    };
    let role = "/api/v10/guilds/1/members/2/roles/3";
    let good = call("PUT", role, 204, "", "");
    assert_eq!(description.check(std::slice::from_ref(&good)).problems, [""; 0]);
    let gateway = r#"{"url":"wss://gateway.example"}"#;
    assert_eq!(description.check(&[call("GET", "/api/v10/gateway", 200, "", gateway)]).problems, [""; 0]);
    let mut unauthorized = good.clone();
    unauthorized.transcript.as_mut().unwrap().authorization = None;
    let mut faulty = call("PUT", role, 500, "", "");
    faulty.fault = Some(FaultKind::Status);
    assert_eq!(description.check(&[faulty]).problems, [""; 0], "an injected answer is exempt");
    let messages = "/api/v10/channels/1/messages";
    for (wrong, part) in [
        (call("PUT", "/api/v10/nowhere", 204, "", ""), "no such route"),
        (call("POST", role, 204, "", ""), "no such method"),
        (call("PUT", "/api/v10/guilds/x/members/2/roles/3", 204, "", ""), "guild_id must not be x"),
        (call("PUT", &format!("{role}?fast=1"), 204, "", ""), "no parameter fast"),
        (call("PUT", role, 204, "{}", ""), "no request body"),
        (call("PUT", role, 503, "", ""), "no such status"),
        (call("PUT", role, 204, "", "{}"), "no body for this answer"),
        (call("PUT", role, 403, "", r#"{"code":"x","message":""}"#), "the answer at"),
        (call("GET", "/api/v10/gateway", 200, "", "{}"), "url"),
        (call("GET", "/api/v10/gateway", 200, "", gateway.get(1..).unwrap()), "is not JSON"),
        (call("POST", messages, 403, "", r#"{"code":1,"message":""}"#), "request body is missing"),
        (call("POST", messages, 403, r#"{"content":7}"#, r#"{"code":1,"message":""}"#), "/content"),
        (unauthorized, "needs a bot's Authorization"),
    ] {
        let problems = description.check(&[wrong]).problems;
        assert!(problems.len() == 1 && problems[0].contains(part), "{part}: {problems:?}");
    }
}
