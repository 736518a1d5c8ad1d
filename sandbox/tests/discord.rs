//! The fake Discord's REST half over real HTTP. In: calls as the product makes them. Out: what Discord would say.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use sandbox::Running;
use sandbox::discord::{Action, Actor, BOT_ID, Control, Fault, FaultKind, Limits, Options, serve};
use serde_json::{Value, json};

/// A sandbox with one guild, one role and one member.
struct Scene {
    running: Running,
    control: Control,
    client: Client,
    guild: u64,
    role: u64,
    ana: u64,
}

async fn scene() -> Scene {
    let running = serve(Options { port: 0, token: Some("t0ken".to_owned()) }).await.unwrap();
    let control = Control::new(&running.url);
    let guild = control.create_guild(None, "Guild").await.unwrap();
    let role = control.create_role(guild, "VIP").await.unwrap();
    let ana = control.join(guild, "ana").await.unwrap();
    let client = Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().unwrap();
    Scene { running, control, client, guild, role, ana }
}

impl Scene {
    fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v10{path}", self.running.url);
        self.client.request(method, url).header("authorization", "Bot t0ken")
    }

    async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path).send().await.unwrap()
    }

    fn role_call(&self, method: Method, role: u64) -> reqwest::RequestBuilder {
        self.call(method, &format!("/guilds/{}/members/{}/roles/{role}", self.guild, self.ana))
    }

    async fn put_role(&self, role: u64) -> Response {
        self.role_call(Method::PUT, role).send().await.unwrap()
    }

    async fn roles(&self) -> Option<BTreeSet<u64>> {
        self.control.member_roles(self.guild, self.ana).await.unwrap()
    }
}

async fn refused(answer: Response) -> (u16, u64) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["code"].as_u64().unwrap())
}

#[tokio::test]
async fn the_bot_gives_and_takes_a_role_with_a_reason() {
    let s = scene().await;
    let put =
        s.role_call(Method::PUT, s.role).header("x-audit-log-reason", "gr%C3%B6%C3%9Fe%20%2F%20job%207");
    assert_eq!(put.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(s.roles().await, Some(BTreeSet::from([s.role])));
    // Giving it again is fine and leaves no second line.
    assert_eq!(s.put_role(s.role).await.status(), StatusCode::NO_CONTENT);
    s.control.take_role(s.guild, s.ana, s.role).await.unwrap();
    assert_eq!(s.roles().await, Some(BTreeSet::new()));

    let audit = s.control.audit_log(s.guild).await.unwrap();
    let lines: Vec<_> = audit.iter().map(|line| (line.actor, line.action, line.reason.as_deref())).collect();
    let reason = Some("größe / job 7");
    assert_eq!(lines, [(Actor::Bot, Action::RoleAdd, reason), (Actor::Human, Action::RoleRemove, None)]);
    assert_eq!(s.control.requests().await.unwrap()[0].reason.as_deref(), reason);
}

#[tokio::test]
async fn discord_refuses_in_its_own_order_and_words() {
    let s = scene().await;
    let (guild, ana, role) = (s.guild, s.ana, s.role);
    let put = async |guild: u64, user: u64, role: u64| {
        let path = format!("/guilds/{guild}/members/{user}/roles/{role}");
        refused(s.call(Method::PUT, &path).send().await.unwrap()).await
    };
    assert_eq!(put(1, 1, 1).await, (404, 10004));
    assert_eq!(put(guild, 1, 1).await, (404, 10011));
    assert_eq!(put(guild, 1, role).await, (404, 10007));
    // @everyone, and the bot's own managed role.
    assert_eq!(put(guild, ana, guild).await, (403, 50013));
    let state = s.control.state().await.unwrap();
    let roles = state["guilds"][0]["roles"].as_array().unwrap();
    let own = roles.iter().find(|role| role["name"] == "Nexrole").unwrap()["id"].as_str().unwrap();
    let own: u64 = own.parse().unwrap();
    assert_eq!(put(guild, ana, own).await, (403, 50013));
    // A role above the bot's. Of two at one position the older one ranks higher: the bot's own is, one that it is given later is not.
    s.control.set_role(guild, role, json!({ "position": 51 })).await.unwrap();
    assert_eq!(put(guild, ana, role).await, (403, 50013));
    s.control.set_role(guild, role, json!({ "position": 50 })).await.unwrap();
    assert_eq!(s.put_role(role).await.status(), StatusCode::NO_CONTENT);
    s.control.take_role(guild, ana, role).await.unwrap();
    let younger = s.control.create_role(guild, "Helper").await.unwrap();
    s.control.set_role(guild, younger, json!({ "position": 60 })).await.unwrap();
    s.control.give_role(guild, BOT_ID, younger).await.unwrap();
    s.control.set_role(guild, role, json!({ "position": 60 })).await.unwrap();
    assert_eq!(put(guild, ana, role).await, (403, 50013));
    s.control.take_role(guild, BOT_ID, younger).await.unwrap();
    s.control.set_role(guild, role, json!({ "position": 49, "managed": true })).await.unwrap();
    assert_eq!(put(guild, ana, role).await, (403, 50013));
    s.control.set_role(guild, role, json!({ "managed": false })).await.unwrap();
    s.control.set_role(guild, own, json!({ "permissions": "0" })).await.unwrap();
    assert_eq!(put(guild, ana, role).await, (403, 50013));
    s.control.kick_bot(guild).await.unwrap();
    assert_eq!(put(guild, 1, 1).await, (403, 50001));
    assert_eq!(s.roles().await, Some(BTreeSet::new()));
}

#[tokio::test]
async fn only_the_bots_token_is_accepted() {
    let s = scene().await;
    let url = format!("{}/api/v10/users/@me", s.running.url);
    let without = s.client.get(&url).send().await.unwrap();
    assert_eq!(refused(without).await, (401, 0));
    let wrong = s.client.get(&url).header("authorization", "Bot other").send().await.unwrap();
    assert_eq!(refused(wrong).await, (401, 0));
    let me: Value = s.get("/users/@me").await.json().await.unwrap();
    assert_eq!(me["id"], BOT_ID.to_string());
    assert_eq!(refused(s.get("/nothing").await).await, (404, 0));
    assert_eq!(refused(s.call(Method::POST, "/users/@me").send().await.unwrap()).await, (405, 0));
    let paths: Vec<_> = s.control.requests().await.unwrap().into_iter().map(|call| call.path).collect();
    assert_eq!(paths[2..4], ["/api/v10/users/@me", "/api/v10/nothing"]);
}

#[tokio::test]
async fn members_and_roles_have_every_documented_field() {
    let s = scene().await;
    let member: Value = s.get(&format!("/guilds/{}/members/{}", s.guild, s.ana)).await.json().await.unwrap();
    let has = |shape: &Value, keys: &str| {
        for key in keys.split(' ') {
            assert!(shape.get(key).is_some(), "{key} is missing");
        }
    };
    has(
        &member,
        "avatar banner communication_disabled_until flags joined_at nick pending premium_since roles user \
         mute deaf",
    );
    has(&member["user"], "id username avatar discriminator public_flags flags global_name primary_guild");
    let roles: Value = s.get(&format!("/guilds/{}/roles", s.guild)).await.json().await.unwrap();
    assert_eq!(roles.as_array().unwrap().len(), 3);
    has(
        &roles[0],
        "id name permissions position color colors hoist managed mentionable icon unicode_emoji flags",
    );
    let guild: Value = s.get(&format!("/guilds/{}", s.guild)).await.json().await.unwrap();
    has(&guild, "owner_id roles features preferred_locale nsfw_level emojis stickers incidents_data");
}

#[tokio::test]
async fn the_eleventh_role_change_in_a_window_is_a_429() {
    let s = scene().await;
    for left in (0..10).rev() {
        let answer = s.put_role(s.role).await;
        assert_eq!(answer.headers()["x-ratelimit-remaining"], left.to_string());
        assert_eq!(answer.headers()["x-ratelimit-limit"], "10");
    }
    // DELETE shares the bucket.
    let answer = s.role_call(Method::DELETE, s.role).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let headers = answer.headers().clone();
    assert_eq!(headers["x-ratelimit-scope"], "user");
    assert!(headers.contains_key("x-ratelimit-bucket") && headers.contains_key("x-ratelimit-reset"));
    assert!(headers["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["global"], false);
    assert!(body["retry_after"].as_f64().unwrap() > 0.0);
    let last = s.control.requests().await.unwrap().pop().unwrap();
    assert_eq!((last.status, last.scope.as_deref()), (Some(429), Some("user")));
    assert_eq!(s.roles().await, Some(BTreeSet::from([s.role])));
}

#[tokio::test]
async fn the_global_limit_spans_routes_and_says_so() {
    let s = scene().await;
    s.control.set_limits(Limits { global_per_second: 1, ..Limits::none() }).await.unwrap();
    assert_eq!(s.get("/users/@me").await.status(), StatusCode::OK);
    let answer = s.get("/gateway/bot").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["x-ratelimit-global"], "true");
    assert_eq!(answer.headers()["x-ratelimit-scope"], "global");
    assert_eq!(answer.json::<Value>().await.unwrap()["global"], true);
}

#[tokio::test]
async fn an_applied_call_that_never_answers_has_changed_the_world() {
    let s = scene().await;
    s.control.fault(Fault::apply_then_hang().on("PUT", "/roles/")).await.unwrap();
    let impatient = s.role_call(Method::PUT, s.role).timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert_eq!(s.roles().await, Some(BTreeSet::from([s.role])));
    assert_eq!(s.control.requests().await.unwrap()[0].status, None);
    // The fault is used up.
    assert_eq!(s.put_role(s.role).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_hanging_a_cut_and_a_failed_call_change_nothing() {
    let s = scene().await;
    s.control.fault(Fault::hang().on("PUT", "/roles/")).await.unwrap();
    let impatient = s.role_call(Method::PUT, s.role).timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    s.control.fault(Fault::reset().on("PUT", "/roles/")).await.unwrap();
    let cut = s.role_call(Method::PUT, s.role).send().await.unwrap_err();
    assert!(!cut.is_timeout(), "{cut:?}");
    let failing = Fault::status(503).header("retry-after", "7").times(2);
    s.control.fault(failing).await.unwrap();
    for _ in 0..2 {
        let answer = s.put_role(s.role).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"7".parse().unwrap())
        );
    }
    assert_eq!(s.roles().await, Some(BTreeSet::new()));
    let statuses: Vec<_> = s.control.requests().await.unwrap().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None, Some(503), Some(503)]);
}

#[tokio::test]
async fn whoever_rejoins_has_no_roles_but_the_same_name() {
    let s = scene().await;
    s.control.give_role(s.guild, s.ana, s.role).await.unwrap();
    s.control.leave(s.guild, s.ana).await.unwrap();
    assert_eq!(s.roles().await, None);
    s.control.rejoin(s.guild, s.ana).await.unwrap();
    let member: Value = s.get(&format!("/guilds/{}/members/{}", s.guild, s.ana)).await.json().await.unwrap();
    assert_eq!((&member["user"]["username"], &member["roles"]), (&json!("ana"), &json!([])));
}

#[tokio::test]
async fn a_stopped_sandbox_is_gone_with_its_open_calls() {
    let s = scene().await;
    s.control.fault(Fault::hang()).await.unwrap();
    let hanging = tokio::spawn(s.role_call(Method::PUT, s.role).send());
    while s.control.requests().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let port = s.running.url.rsplit(':').next().unwrap().parse().unwrap();
    s.running.stop().await;
    let reborn = serve(Options { port, token: None }).await.unwrap();
    assert_eq!(Control::new(&reborn.url).state().await.unwrap()["guilds"], json!([]));
    assert!(!hanging.await.unwrap().unwrap_err().is_timeout());
}

#[tokio::test]
async fn an_answer_may_break_off_after_the_change_was_made() {
    let s = scene().await;
    let path = format!("/guilds/{}/members/{}", s.guild, s.ana);
    s.control.fault(Fault::truncate().on("GET", "/members/")).await.unwrap();
    let answer = s.call(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let promised = answer.content_length().unwrap();
    assert!(promised > 100 && answer.bytes().await.is_err(), "the body ends before its {promised} bytes");

    s.control.fault(Fault::apply_then_reset().on("PUT", "/roles/")).await.unwrap();
    assert!(!s.role_call(Method::PUT, s.role).send().await.unwrap_err().is_timeout());
    assert_eq!(s.roles().await, Some(BTreeSet::from([s.role])));
    let calls = s.control.requests().await.unwrap();
    let faults: Vec<_> = calls.iter().map(|call| (call.status, call.fault)).collect();
    let (truncated, reset) = (FaultKind::Truncate, FaultKind::ApplyThenReset);
    assert_eq!(faults, [(Some(200), Some(truncated)), (None, Some(reset))]);
}

#[tokio::test]
async fn any_status_any_text_and_both_foreign_429s_can_be_ordered() {
    let s = scene().await;
    let odd = Fault::status(502).text("<html>bad gateway</html>").header("x-odd", "1");
    s.control.fault(odd).await.unwrap();
    let answer = s.put_role(s.role).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-odd"]), (502, &"1".parse().unwrap()));
    assert_eq!(answer.text().await.unwrap(), "<html>bad gateway</html>");
    for (fault, scope, global) in
        [(Fault::shared_limit(1.5), "shared", false), (Fault::global_limit(1.5), "global", true)]
    {
        s.control.fault(fault).await.unwrap();
        let answer = s.put_role(s.role).await;
        let headers = answer.headers().clone();
        assert_eq!(
            (&headers["x-ratelimit-scope"], &headers["retry-after"]),
            (&scope.parse().unwrap(), &"2".parse().unwrap())
        );
        assert_eq!(headers.contains_key("x-ratelimit-global"), global);
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["global"], &body["retry_after"]), (&json!(global), &json!(1.5)));
    }
}

#[tokio::test]
async fn too_many_invalid_requests_are_answered_with_cloudflares_page() {
    let s = scene().await;
    let few = Limits { invalid_limit: 3, ban_ms: 60_000, ..Limits::none() };
    s.control.set_limits(few).await.unwrap();
    let everyone = s.guild;
    // A 404 does not count, nor does the 429 of a shared resource.
    s.get("/guilds/1").await;
    s.control.fault(Fault::shared_limit(1.0)).await.unwrap();
    s.put_role(s.role).await;
    for counted in 1..=2 {
        assert_eq!(s.put_role(everyone).await.status(), StatusCode::FORBIDDEN);
        let invalid = s.control.state().await.unwrap()["invalid_requests"].take();
        assert_eq!(invalid, json!({ "counted": counted, "limit": 3, "banned_for_ms": null }));
    }
    s.client.get(format!("{}/api/v10/users/@me", s.running.url)).send().await.unwrap();
    let banned = s.get("/gateway").await;
    assert_eq!(banned.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(banned.headers()["retry-after"], "60");
    assert!(!banned.headers().contains_key("x-ratelimit-scope"));
    assert!(banned.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    assert!(s.control.state().await.unwrap()["invalid_requests"]["banned_for_ms"].as_u64().unwrap() > 50_000);
    assert_eq!(s.control.requests().await.unwrap().pop().unwrap().fault, Some(FaultKind::Ban));
    s.control.set_limits(Limits::none()).await.unwrap();
    assert_eq!(s.get("/gateway").await.status(), StatusCode::OK);
    s.control.fault(Fault::ban(5)).await.unwrap();
    assert_eq!(s.get("/gateway").await.headers()["retry-after"], "5");
}
