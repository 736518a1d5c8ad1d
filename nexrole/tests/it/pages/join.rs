//! A server's link: who opens it is added to the server, with their role, if they allow it; and every way in which that does not work.

use std::time::Duration;

use futures::future::join_all;
use nexrole::scenario::CLIENT_SECRET;
use reqwest::StatusCode;
use sandbox::{Fault, discord::BOT_ID};
use serde_json::{Value, json};
use shared::{
    db::pg_roles::Login,
    domain::adding::AccessToken,
    ids::{GuildId, UserId},
    sessions::{Allowed, Resumed, Sessions},
};

use super::browser::{Browser, Page};
use crate::support::world::{Member, World};

/// Discord asks every caller for one.
const AGENT: &str = "DiscordBot (https://example.com, 1)";
const MANAGE_ROLES: u64 = 1 << 28;
const CREATE_INVITE: u64 = 1;

impl World {
    /// With the login set up, and a bot that may add members.
    async fn with_link() -> Self {
        let world = Self::with_login().await;
        world.bot_may(MANAGE_ROLES | CREATE_INVITE).await;
        world
    }

    pub(crate) async fn bot_may(&self, permissions: u64) {
        let state = self.discord.state().await.expect("Discord answers");
        let roles = state["guilds"][0]["roles"].as_array().expect("roles").clone();
        let own = roles.iter().find(|role| role["name"] == "Nexrole").expect("the bot's own");
        let own = own["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let change = json!({ "permissions": permissions.to_string() });
        self.discord.set_role(self.guild, own, change).await.expect("it is answered");
    }

    fn link(&self) -> String {
        format!("/join/{}", self.guild)
    }

    fn roles(&self) -> String {
        format!("/roles/{}", self.guild)
    }

    /// Somebody who pays, and is not in the server.
    pub(crate) async fn buyer(&self, name: &str) -> Member {
        let user = self.discord.sign_up(name).await.expect("it is answered");
        let id = user.to_string();
        let customer = self.stripe.create_customer(None, &[("discord_user_id", &id)]).await;
        let member = Member { user, customer: customer.expect("it is answered") };
        self.subscribes(&member).await;
        self.until("their role waits for them", async || {
            let waits = "SELECT EXISTS (SELECT FROM role_jobs WHERE user_id = $1 AND state = 'parked'
                                           AND outcome = 'waits for the member to join')";
            let user = i64::try_from(user).expect("an id");
            sqlx::query_scalar(waits).bind(user).fetch_one(self.db()).await.expect("the query is good")
        })
        .await;
        member
    }

    /// A browser at the page that asks whether they are to be added.
    async fn asked_to_join(&self, user: u64, name: &str) -> (Browser<'_>, Page) {
        let browser = self.browser();
        let next = browser.log_in(user, &browser.open(&self.link()).await.link("Log in with Discord")).await;
        assert_eq!(next, self.link());
        let page = browser.open(&next).await;
        assert_eq!((page.status, page.title()), (StatusCode::OK, format!("Join the server as @{name}?")));
        (browser, page)
    }

    /// How often Discord was asked to add this user.
    async fn added(&self, user: u64) -> usize {
        let path = format!("/members/{user}");
        self.discord_calls_where(|call| call.method == "PUT" && call.path.ends_with(&path)).await
    }

    /// Everybody's tokens, as Discord gave them.
    async fn tokens(&self) -> Vec<String> {
        let calls = self.discord.transcripts().await.expect("Discord answers");
        let said = calls.iter().filter(|call| call.path.ends_with("/oauth2/token"));
        let said =
            said.filter_map(|call| serde_json::from_str::<Value>(&call.transcript.as_ref()?.answered).ok());
        said.filter_map(|said| said["access_token"].as_str().map(str::to_owned)).collect()
    }

    /// No token is in the database, in the clear or in hexadecimal.
    async fn assert_no_token_rests(&self) {
        let tokens = self.tokens().await;
        assert!(!tokens.is_empty());
        for (table, rows) in self.database().rows_by_table().await {
            for token in &tokens {
                let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
                assert!(!rows.iter().any(|row| row.contains(token) || row.contains(&hex)), "{table}");
            }
        }
    }

    /// How many sessions have a token, and how many questions have arguments.
    async fn kept(&self) -> (i64, i64) {
        let kept = "SELECT (SELECT count(*) FROM sessions WHERE join_token IS NOT NULL),
                           (SELECT count(*) FROM service_requests WHERE arguments <> '')";
        sqlx::query_as(kept).fetch_one(self.db()).await.expect("the query is good")
    }

    async fn change_sessions(&self, set: &str) {
        let update = format!("UPDATE sessions SET {set}");
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(self.db()).await.expect("the query is good");
    }

    async fn is_there(&self, user: u64) -> bool {
        self.discord.member_roles(self.guild, user).await.expect("Discord answers").is_some()
    }
}

#[tokio::test]
async fn who_opens_the_link_and_allows_it_is_in_the_server_with_their_role_by_one_call() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let browser = world.browser();
    let led = browser.led_to(&world.link()).await;
    assert_eq!(led.refresh(), Some(format!("0; url={}", world.link()).as_str()));
    let first = browser.open(&world.link()).await;
    assert_eq!((first.status, first.title()), (StatusCode::UNAUTHORIZED, "Join the server".to_owned()));
    // Only here Discord is asked for more than who somebody is.
    let login = first.link("Log in with Discord");
    for (path, scope) in [(login.as_str(), "identify+email+guilds.join"), ("/login/discord", "identify")] {
        let sent = world.browser().open(path).await;
        let scope = format!("scope={scope}");
        assert!(sent.location().split('&').any(|pair| pair == scope), "{}", sent.location());
    }
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    assert!(asked.html.contains("A role is waiting for you there."), "{}", asked.html);
    assert!(!world.is_there(ana.user).await, "nobody is added by looking");
    assert_eq!(world.kept().await.0, 1);
    world.assert_no_token_rests().await;
    let cookie = browser.cookie("__Host-session").unwrap();
    let tokens = world.tokens().await;
    assert!(tokens.iter().all(|token| !cookie.contains(token) && !asked.html.contains(token)));

    let done = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, world.roles().as_str()));
    assert!(world.has(&ana, world.vip).await, "before anybody heard of the joining");
    browser.until_title(&world, &world.roles(), "Your role is there").await;
    assert_eq!(world.kept().await, (0, 0));
    world.assert_no_token_rests().await;
    world.settle().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    assert_eq!((world.added(ana.user).await, world.role_calls().await), (1, vec![]));
    // The link shows them what they have; the role is taken like any other.
    let again = browser.open(&world.link()).await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, world.roles().as_str()));
    world.finish().await;
}

#[tokio::test]
async fn who_is_in_the_server_already_is_shown_what_is_theirs() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    // Meanwhile they come in by an invitation, which the bot cannot read, and somebody gives them the role by hand.
    world.discord.replace_field("GUILD_MEMBER_ADD", "/user/id", Some(json!("x")), 1).await.unwrap();
    world.discord.rejoin(world.guild, ana.user).await.unwrap();
    world.discord.give_role(world.guild, ana.user, world.vip).await.unwrap();
    let done = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, world.roles().as_str()));
    assert_eq!(world.kept().await, (0, 0));
    // The call gave them nothing, so the role stays that person's.
    world.settle().await;
    assert_eq!((world.added(ana.user).await, world.grants().await), (1, 0));
    let other = world.discord.join(world.guild, "ben").await.unwrap();
    let bens = world.browser();
    let next = bens.log_in(other, "/login/discord?next=%2Faccount").await;
    assert_eq!(next, "/account");
    let page = bens.open(&world.link()).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, world.roles().as_str()));
    assert_eq!(bens.open(&world.roles()).await.title(), "Nothing is linked to you here");
    world.finish().await;
}

#[tokio::test]
async fn who_says_no_at_discord_is_shown_the_other_way_in() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let browser = world.browser();
    let login = browser.open(&world.link()).await.link("Log in with Discord");
    let back = browser.at_discord(&login, &[("cancel", "1")]).await;
    let page = browser.led_to(&back).await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "You said no".to_owned()));
    // Logged in without it, they see what waits for them, and can allow it later.
    let next = browser.log_in(ana.user, &page.link("Log in without it")).await;
    assert_eq!(next, world.roles());
    assert_eq!(browser.open(&next).await.title(), "Join the server");
    let page = browser.open(&world.link()).await;
    assert_eq!((page.title().as_str(), page.html.contains("<form")), ("Join the server", false));
    assert_eq!(world.kept().await.0, 0);
    // Discord's word counts for what they agreed to, not what was asked for.
    let allow = page.link("Continue with Discord");
    let back = browser
        .at_discord_with(&allow, &[("user_id", &ana.user.to_string())], |asked| {
            asked.replace("+guilds.join", "")
        })
        .await;
    assert_eq!(browser.led_to(&back).await.status, StatusCode::OK);
    assert!(!browser.open(&world.link()).await.html.contains("<form"));
    assert_eq!(world.kept().await.0, 0);
    browser.log_in(ana.user, &allow).await;
    let asked = browser.open(&world.link()).await;
    assert_eq!(browser.send(asked.form("Join as @ana")).await.status, StatusCode::SEE_OTHER);
    assert!(world.has(&ana, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn each_of_discords_refusals_has_its_page_and_gives_nothing() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    // As Discord says it by its own rules.
    let all = MANAGE_ROLES | CREATE_INVITE;
    let cases = [
        (MANAGE_ROLES, json!({}), 409, "We may not add you to this server", "Look again"),
        (all, json!({ "banned": [ana.user] }), 403, "You cannot join this server", ""),
        (all, json!({ "full": [ana.user] }), 409, "You are in too many servers", "Try again"),
    ];
    for (permissions, door, status, title, step) in cases {
        world.bot_may(permissions).await;
        world.discord.set_door(door).await.unwrap();
        let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
        let page = browser.send(asked.form("Join as @ana")).await;
        assert_eq!((page.status.as_u16(), page.title().as_str()), (status, title), "{}", page.html);
        if step.is_empty() {
            assert!(!page.html.contains("<a "), "{}", page.html);
        } else {
            page.link(step);
        }
        assert_eq!(world.kept().await, (0, 0), "{title}: it is not good for anything any more");
        world.settle().await;
        assert_eq!(world.grants().await, 0, "{title}: nothing is taken for ours");
    }
    world.bot_may(all).await;
    world.discord.set_door(json!({})).await.unwrap();
    // Their token was revoked meanwhile.
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    let token = world.tokens().await.pop().unwrap();
    let revoke = format!("{}/api/v10/oauth2/token/revoke", world.discord_server().url);
    let form =
        [("client_id", BOT_ID.to_string()), ("client_secret", CLIENT_SECRET.to_owned()), ("token", token)];
    let client =
        reqwest::Client::builder().timeout(Duration::from_secs(5)).user_agent(AGENT).build().unwrap();
    client.post(revoke).form(&form).send().await.unwrap();
    // That was not our call.
    world.discord.clear_requests().await.unwrap();
    let page = browser.send(asked.form("Join as @ana")).await;
    assert_eq!(
        (page.status.as_u16(), page.title().as_str()),
        (409, "Discord wants you to confirm once more")
    );
    assert_eq!(
        page.link("Continue with Discord"),
        format!("/login/discord?next=%2Fjoin%2F{}&as=other", world.guild)
    );
    world.settle().await;
    assert!(!world.is_there(ana.user).await && world.grants().await == 0);
    // A 401 may be about that token: it ends the call, and not the bot. Nor does a code of tomorrow.
    let ben = world.buyer("ben").await;
    let path = format!("/members/{}", ben.user);
    for (said, title) in [
        (Fault::status(401), "Discord wants you to confirm once more"),
        (Fault::status(403).body(json!({ "code": 50600, "message": "?" })), "Discord did not let you in"),
    ] {
        world.discord.fault(said.on("PUT", &path)).await.unwrap();
        let (browser, asked) = world.asked_to_join(ben.user, "ben").await;
        assert_eq!(browser.send(asked.form("Join as @ben")).await.title(), title);
    }
    // And in the end they come in.
    let (browser, asked) = world.asked_to_join(ben.user, "ben").await;
    assert_eq!(browser.send(asked.form("Join as @ben")).await.status, StatusCode::SEE_OTHER);
    world.until_vip(&ben).await;
    assert_eq!(world.role_history(&ben).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn what_discord_asks_to_wait_for_or_does_not_answer_is_tried_again_with_the_same_permission() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let path = format!("/members/{}", ana.user);
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    let limit =
        json!({ "message": "You are being rate limited.", "retry_after": 2.0, "global": false, "code": 0 });
    let limited = Fault::status(429).header("retry-after", "2").body(limit);
    world.discord.fault(limited.on("PUT", &path)).await.unwrap();
    for _ in 0..2 {
        let page = browser.send(asked.form("Join as @ana")).await;
        assert_eq!((page.status.as_u16(), page.title().as_str()), (503, "You could not be added yet"));
        let wait: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=2).contains(&wait), "{wait}");
        assert_eq!(page.link("Try again"), world.link());
    }
    assert_eq!(world.added(ana.user).await, 1, "before its time Discord is not asked again");
    assert_eq!(world.kept().await, (1, 0), "and they need not allow it again");
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.discord.fault(Fault::status(500).on("PUT", &path)).await.unwrap();
    let page = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((page.status.as_u16(), page.title().as_str()), (200, "Discord has not answered yet"));
    assert_eq!(page.refresh(), Some(format!("3; url={}", world.link()).as_str()));
    // For some seconds it is not known whether it was done.
    let waits = browser.open(&world.link()).await;
    assert_eq!((waits.title().as_str(), waits.refresh().is_some()), ("You are being added", true));
    let early = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((early.status, early.location()), (StatusCode::SEE_OTHER, world.link().as_str()));
    assert_eq!(world.added(ana.user).await, 2);
    world.change_sessions("join_taken_at = join_taken_at - interval '15 seconds'").await;
    world.settle().await;
    let asked = browser.open(&world.link()).await;
    assert_eq!(browser.send(asked.form("Join as @ana")).await.status, StatusCode::SEE_OTHER);
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    assert_eq!(world.kept().await, (0, 0));
    world.finish().await;
}

/// It may say that the role was given: whoever took it for one that was not would leave it to them for good.
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_as_none() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    let broken = Fault::status(201).body(json!({ "roles": "?" }));
    world.discord.fault(broken.on("PUT", &format!("/members/{}", ana.user))).await.unwrap();
    let page = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((page.status.as_u16(), page.title().as_str()), (200, "Discord has not answered yet"));
    world.change_sessions("join_taken_at = join_taken_at - interval '15 seconds'").await;
    world.settle().await;
    let asked = browser.open(&world.link()).await;
    assert_eq!(browser.send(asked.form("Join as @ana")).await.status, StatusCode::SEE_OTHER);
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn of_two_clicks_at_once_one_adds() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    let copies: Vec<_> = (0..4).map(|_| browser.copy()).collect();
    let pages = join_all(copies.iter().map(|copy| copy.send(asked.form("Join as @ana")))).await;
    assert!(pages.iter().all(|page| page.status == StatusCode::SEE_OTHER), "{pages:?}");
    assert_eq!(pages.iter().filter(|page| page.location() == world.roles()).count(), 1);
    assert_eq!(world.added(ana.user).await, 1);
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_dies_before_the_call_or_after_it_gives_the_role_once() {
    let mut world = World::with_link().await;
    world.stop_bot().await.unwrap();
    let mut bot = world.another_bot();
    // Not carried out; and carried out, without an answer.
    for (name, fault) in [("ana", Fault::hang()), ("ben", Fault::apply_then_hang())] {
        let member = world.buyer(name).await;
        let is_carried_out = name == "ben";
        {
            let (browser, asked) = world.asked_to_join(member.user, name).await;
            let path = format!("/members/{}", member.user);
            world.discord.fault(fault.on("PUT", &path)).await.unwrap();
            let page = browser.send(asked.form(&format!("Join as @{name}"))).await;
            // It may or may not have happened, and the page says no more.
            assert_eq!(page.title(), "Discord has not answered yet");
        }
        let intended = "SELECT count(*) FROM role_grants WHERE state = 'intended'";
        assert_eq!(sqlx::query_scalar::<_, i64>(intended).fetch_one(world.db()).await.unwrap(), 1);
        let (_, task) = bot;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(world.is_there(member.user).await, is_carried_out);
        world.discord.clear_faults().await.unwrap();
        bot = world.another_bot();
        if !is_carried_out {
            world
                .until("it is seen that they are not there", async || {
                    world.jobs_where(|job| job.outcome.contains("not in the server")).await > 0
                })
                .await;
            world.change_sessions("join_taken_at = NULL").await;
            let (browser, asked) = world.asked_to_join(member.user, name).await;
            let done = browser.send(asked.form(&format!("Join as @{name}"))).await;
            assert_eq!(done.status, StatusCode::SEE_OTHER);
        }
        world.until_vip(&member).await;
        assert_eq!(world.role_history(&member).await, ["role.granted"], "{name}");
    }
    assert_eq!(world.role_calls().await, ["PUT 204"], "ana's, whose first call was in doubt; ben had it");
    let (stop, task) = bot;
    stop.cancel();
    task.await.unwrap().unwrap();
    world.finish().await;
}

#[tokio::test]
async fn nobody_is_added_without_a_login_or_by_another_sites_form() {
    let world = World::with_link().await;
    let ana = world.buyer("ana").await;
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    let (action, fields) = asked.form("Join as @ana");
    let stranger = world.browser();
    let page = stranger.send((action.clone(), fields.clone())).await;
    assert_eq!((page.status, page.title()), (StatusCode::UNAUTHORIZED, "Join the server".to_owned()));
    let (_, token) = fields.iter().find(|(name, _)| name == "form_token").unwrap();
    let ours = world.gateway_url.clone();
    for (origin, token) in [
        (Some("https://evil.example"), token.as_str()),
        (None, token.as_str()),
        (Some(ours.as_str()), "x"),
        (Some(ours.as_str()), ""),
    ] {
        let page = browser.post_as(origin, &action, token).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{origin:?} {token}");
    }
    assert!(!world.is_there(ana.user).await && world.added(ana.user).await == 0);
    // What was allowed is good for ten minutes.
    world.change_sessions("join_token_at = join_token_at - interval '10 minutes'").await;
    let late = browser.send((action, fields)).await;
    assert_eq!((late.status, late.location()), (StatusCode::SEE_OTHER, world.link().as_str()));
    assert_eq!(browser.open(&world.link()).await.title(), "Join the server");
    let sessions = Sessions::new(world.login(Login::Gateway));
    assert_eq!(sessions.forget_old_join_tokens().await.unwrap(), 1);
    assert_eq!(world.kept().await.0, 0);
    assert_eq!(world.added(ana.user).await, 0);
    drop(browser);
    world.finish().await;
}

#[tokio::test]
async fn what_was_allowed_for_one_server_is_good_for_no_other() {
    let world = World::without_services().await;
    let [one, other] = [1, 2].map(|guild| GuildId::from_u64(guild).unwrap());
    let pool = world.login(Login::Gateway);
    let sessions = Sessions::new(pool.clone());
    let (user, token) = (UserId::from_u64(7).unwrap(), AccessToken::new("t0ken").unwrap());
    let cookie = sessions.begin(user, "ana", Some((one, &token))).await.unwrap();
    let Resumed::Somebody(ana, _) = sessions.resume(Some(&cookie)).await.unwrap() else { panic!("ana") };
    assert_eq!(sessions.may_add(&ana, one).await.unwrap(), Allowed::Yes);
    assert_eq!(sessions.may_add(&ana, other).await.unwrap(), Allowed::No);
    assert_eq!(sessions.take_join_token(&ana, other).await.unwrap(), None);
    assert_eq!(sessions.take_join_token(&ana, one).await.unwrap(), Some(token));
    assert_eq!(sessions.take_join_token(&ana, one).await.unwrap(), None, "one click has it");
    assert_eq!(sessions.may_add(&ana, one).await.unwrap(), Allowed::BeingUsed);
    sessions.give_back_join_token(&ana).await.unwrap();
    assert_eq!(sessions.may_add(&ana, one).await.unwrap(), Allowed::Yes);
    sessions.forget_join_token(&ana).await.unwrap();
    assert_eq!(sessions.may_add(&ana, one).await.unwrap(), Allowed::No);
    pool.close().await;
    world.finish().await;
}

#[tokio::test]
async fn where_there_are_rules_to_accept_the_newcomer_is_told_so() {
    let world = World::with_link().await;
    world.discord.set_door(json!({ "screening": true })).await.unwrap();
    let ana = world.buyer("ana").await;
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    let page = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((page.status.as_u16(), page.title().as_str()), (200, "Accept the server's rules"));
    assert_eq!(page.link("Look again"), world.roles());
    assert!(world.has(&ana, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn a_link_to_a_server_that_is_not_set_up_says_so() {
    let world = World::with_link().await;
    let browser = world.browser();
    let page = browser.open("/join/4711").await;
    assert_eq!((page.status.as_u16(), page.title().as_str()), (404, "This link leads to no server"));
    assert_eq!(browser.open("/join/x").await.status, StatusCode::NOT_FOUND);
    // Where the bot was thrown out, the page says it.
    let ana = world.buyer("ana").await;
    let (browser, asked) = world.asked_to_join(ana.user, "ana").await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.until("the gate is closed", async || world.gate_is(|gate| gate.is_free_and_away()).await).await;
    sqlx::query("UPDATE guild_gates SET open_at = now()").execute(world.db()).await.unwrap();
    let page = browser.send(asked.form("Join as @ana")).await;
    assert_eq!((page.status.as_u16(), page.title().as_str()), (409, "The bot is not in this server"));
    world.close().await;
}
