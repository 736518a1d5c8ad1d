//! Logging in with Discord, and every way in which that must not work.

use std::time::Duration;

use reqwest::StatusCode;
use sandbox::discord::Fault;

use super::browser::{Browser, CALLBACK, Page};
use crate::support::world::World;

const LOGIN: &str = "/login/discord?next=%2Faccount";

impl World {
    async fn tokens_asked_for(&self) -> usize {
        self.discord_calls("POST", "/oauth2/token").await
    }

    /// Nobody is logged in, and nobody could be by what lies about.
    async fn assert_no_session(&self, browser: &Browser<'_>) {
        assert_eq!(browser.cookie("__Host-session"), None);
        assert_eq!(self.rows_of("sessions").await, 0);
    }

    pub(super) async fn rows_of(&self, table: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(self.db()).await.expect("the query is good")
    }
}

fn assert_stale(page: &Page) {
    assert_eq!(
        (page.status, page.title()),
        (StatusCode::BAD_REQUEST, "This login cannot be finished".to_owned())
    );
    assert_eq!(page.link("Try again"), LOGIN, "there is a way on");
}

#[tokio::test]
async fn somebody_logs_in_and_is_known_by_a_cookie_that_no_other_site_can_use() {
    let world = World::with_login().await;
    let ana = world.discord.sign_up("ana").await.unwrap();
    let browser = world.browser();
    let first = browser.open("/account").await;
    assert_eq!((first.status, first.title()), (StatusCode::UNAUTHORIZED, "Log in first".to_owned()));
    let next = browser.log_in(ana, &first.link("Log in with Discord")).await;
    assert_eq!(next, "/account");
    let page = browser.open(&next).await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "You are logged in as @ana".to_owned()));
    assert_eq!(browser.cookie("__Host-oauth"), None, "it is used up");
    // From another site the cookie does not come along: the page opens itself once more, as its own.
    let led = browser.led_to("/account").await;
    assert_eq!((led.status, led.refresh()), (StatusCode::OK, Some("0; url=/account")));
    assert!(!led.html.contains("ana"), "{}", led.html);

    // What is stored leads to nobody's name, and to no cookie.
    let row = "SELECT s::text FROM sessions s";
    let row: String = sqlx::query_scalar(row).fetch_one(world.db()).await.unwrap();
    let cookie = browser.cookie("__Host-session").unwrap();
    assert!(row.contains(&ana.to_string()) && !row.contains("(ana") && !row.contains(",ana,"), "{row}");
    assert!(cookie.split('.').all(|half| half.len() == 43 && !row.contains(half)), "{row}");
    assert_eq!(world.rows_of("logins").await, 0);
    // Who is logged in goes on at once.
    let again = browser.open(LOGIN).await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, "/account"));
    world.finish().await;
}

#[tokio::test]
async fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let world = World::with_login().await;
    let ana = world.discord.sign_up("ana").await.unwrap().to_string();
    let (browser, other) = (world.browser(), world.browser());
    let form = [("user_id", ana.as_str())];
    let back = browser.at_discord(LOGIN, &form).await;
    // A victim is led to the attacker's answer: with no login of their own, and with one.
    assert_stale(&other.led_to(&back).await);
    let others = other.at_discord(LOGIN, &form).await;
    assert_stale(&other.led_to(&back).await);
    world.assert_no_session(&other).await;
    assert_eq!(world.tokens_asked_for().await, 0, "Discord is asked nothing for a foreign state");
    let part = |path: &str, name: &str| {
        let query = path.split_once('?').unwrap().1.to_owned();
        query.split('&').find(|pair| pair.starts_with(name)).unwrap().to_owned()
    };
    for (what, path) in [
        ("no state", back.replace(&part(&back, "state="), "x=1")),
        ("another's state", back.replace(&part(&back, "state="), &part(&others, "state="))),
        ("a state twice", format!("{back}&{}", part(&back, "state="))),
        ("an empty state", back.replace(&part(&back, "state="), "state=")),
        ("another issuer", back.replace(&part(&back, "iss="), "iss=https%3A%2F%2Fevil.example")),
        ("an issuer twice", format!("{back}&{}", part(&back, "iss="))),
        ("nothing", CALLBACK.to_owned()),
    ] {
        let page = browser.led_to(&path).await;
        assert_stale(&page);
        assert!(page.headers.get("set-cookie").is_none(), "{what}: the login goes on");
    }
    world.assert_no_session(&browser).await;
    assert_eq!(world.tokens_asked_for().await, 0);
    // The code of another login: the state is right, and Discord finds that the verifier is not.
    let swapped = back.replace(&part(&back, "code="), &part(&others, "code="));
    assert_stale(&browser.led_to(&swapped).await);
    assert_eq!(world.tokens_asked_for().await, 1);
    assert_stale(&browser.led_to(&back).await);
    world.assert_no_session(&browser).await;
    // An answer that does not say who it is from is Discord's of last year; and it counts once.
    let back = browser.at_discord(LOGIN, &form).await;
    let kept = browser.copy();
    let silent = back.replace(&format!("&{}", part(&back, "iss=")), "");
    assert_eq!(browser.led_to(&silent).await.status, StatusCode::OK);
    assert_stale(&kept.led_to(&back).await);
    assert_eq!(world.rows_of("sessions").await, 1);
    // Ten minutes later nobody comes back.
    let late = world.browser();
    let back = late.at_discord(LOGIN, &form).await;
    sqlx::query("UPDATE logins SET began_at = began_at - interval '10 minutes'")
        .execute(world.db())
        .await
        .unwrap();
    assert_stale(&late.led_to(&back).await);
    world.finish().await;
}

#[tokio::test]
async fn of_one_answer_twice_at_once_one_counts() {
    let world = World::with_login().await;
    let ana = world.discord.sign_up("ana").await.unwrap().to_string();
    let browser = world.browser();
    let back = browser.at_discord(LOGIN, &[("user_id", &ana)]).await;
    let copies: Vec<_> = (0..8).map(|_| browser.copy()).collect();
    let pages = futures::future::join_all(copies.iter().map(|copy| copy.led_to(&back))).await;
    assert_eq!(pages.iter().filter(|page| page.status == StatusCode::OK).count(), 1);
    assert_eq!((world.rows_of("sessions").await, world.tokens_asked_for().await), (1, 1));
    world.finish().await;
}

#[tokio::test]
async fn a_login_leads_to_our_own_pages_only() {
    let world = World::with_login().await;
    let ana = world.discord.sign_up("ana").await.unwrap();
    for next in [
        "//evil.example",
        "https%3A%2F%2Fevil.example",
        "%2Faccount%2F..%2F%2Fevil.example",
        "",
        "javascript%3Ax",
    ] {
        let browser = world.browser();
        assert_eq!(browser.log_in(ana, &format!("/login/discord?next={next}")).await, "/account", "{next}");
    }
    let browser = world.browser();
    let claim = "/login/discord?next=%2Fclaim%3Fsession_id%3Dcs_test_1";
    assert_eq!(browser.log_in(ana, claim).await, "/claim?session_id=cs_test_1");
    world.finish().await;
}

#[tokio::test]
async fn a_cookie_that_somebody_else_planted_is_worth_nothing_after_the_login() {
    let world = World::with_login().await;
    let (ana, eve) =
        (world.discord.sign_up("ana").await.unwrap(), world.discord.sign_up("eve").await.unwrap());
    let made_up = format!("{}.{}", "A".repeat(43), "B".repeat(42) + "A");
    let victim = world.browser();
    victim.set_cookie("__Host-session", &made_up);
    victim.log_in(ana, LOGIN).await;
    assert_ne!(victim.cookie("__Host-session").unwrap(), made_up);
    // A real session of the attacker's, planted before the login, stays the attacker's alone.
    let attacker = world.browser();
    attacker.log_in(eve, LOGIN).await;
    let planted = attacker.cookie("__Host-session").unwrap();
    let victim = world.browser();
    victim.set_cookie("__Host-session", &planted);
    let back = victim.at_discord("/login/discord?as=other", &[("user_id", &ana.to_string())]).await;
    assert_eq!(victim.led_to(&back).await.status, StatusCode::OK);
    assert_ne!(victim.cookie("__Host-session").unwrap(), planted);
    assert_eq!(victim.open("/account").await.title(), "You are logged in as @ana");
    assert_eq!(attacker.open("/account").await.title(), "You are logged in as @eve");
    world.finish().await;
}

#[tokio::test]
async fn who_says_no_at_discord_is_not_logged_in_and_can_try_again() {
    let world = World::with_login().await;
    let browser = world.browser();
    let back = browser.at_discord(LOGIN, &[("cancel", "1")]).await;
    let page = browser.led_to(&back).await;
    assert_eq!((page.status, page.title()), (StatusCode::OK, "You are not logged in".to_owned()));
    assert_eq!(page.link("Try again"), LOGIN);
    world.assert_no_session(&browser).await;
    assert_eq!(world.tokens_asked_for().await, 0);
    world.finish().await;
}

#[tokio::test]
async fn discords_troubles_are_a_page_with_a_way_back_and_nothing_else() {
    let world = World::with_login().await;
    let ana = world.discord.sign_up("ana").await.unwrap().to_string();
    let limited = || Fault::status(429).header("retry-after", "7");
    let faults = [
        (limited().on("POST", "/oauth2/token"), 503, "7"),
        (limited().on("GET", "/users/@me"), 503, "7"),
        (Fault::status(500).on("POST", "/oauth2/token"), 502, "60"),
        (Fault::status(500).on("GET", "/users/@me"), 502, "60"),
        (Fault::status(502).text("<h1>Bad Gateway</h1>").on("POST", "/oauth2/token"), 502, "60"),
        (Fault::status(200).text("<h1>Hello</h1>").on("POST", "/oauth2/token"), 502, "60"),
        (Fault::status(200).text("{}").on("GET", "/users/@me"), 502, "60"),
        (Fault::status(401).on("GET", "/users/@me"), 502, "60"),
        (
            Fault::status(302).header("location", "https://evil.example/").on("POST", "/oauth2/token"),
            502,
            "60",
        ),
        (Fault::reset().on("POST", "/oauth2/token"), 502, "60"),
        (Fault::truncate().on("GET", "/users/@me"), 502, "60"),
        (Fault::ban(3600).on("GET", "/users/@me"), 503, "3600"),
        // Longer than we wait.
        (Fault::hang().for_ms(60_000).on("POST", "/oauth2/token"), 502, "60"),
    ];
    for (fault, status, wait) in faults {
        world.discord.fault(fault.clone()).await.unwrap();
        let browser = world.browser();
        let back = browser.at_discord(LOGIN, &[("user_id", &ana)]).await;
        let page = browser.led_to(&back).await;
        assert_eq!(
            (page.status.as_u16(), page.title().as_str()),
            (status, "Discord does not answer"),
            "{fault:?}"
        );
        assert_eq!(page.headers["retry-after"], wait, "{fault:?}");
        assert_eq!(page.link("Try again"), LOGIN, "{fault:?}");
        world.assert_no_session(&browser).await;
        // One login's trouble is not the next one's.
        assert_eq!(browser.cookie("__Host-oauth"), None);
    }
    let browser = world.browser();
    assert_eq!(browser.log_in(ana.parse().unwrap(), LOGIN).await, "/account");
    world.close().await;
}

#[tokio::test]
async fn a_wrong_secret_is_told_to_people_without_a_word_of_it() {
    let world = World::with_login().await;
    let ana = world.discord.sign_up("ana").await.unwrap().to_string();
    world.discord.set_oauth(serde_json::json!({ "client_secret": "changed" })).await.unwrap();
    let browser = world.browser();
    let back = browser.at_discord(LOGIN, &[("user_id", &ana)]).await;
    let page = browser.led_to(&back).await;
    assert_eq!((page.status.as_u16(), page.title().as_str()), (502, "Nobody can log in here yet"));
    assert!(!page.html.to_lowercase().contains("client") && !page.html.contains("<a "), "{}", page.html);
    world.assert_no_session(&browser).await;
    world.finish().await;
}

#[tokio::test]
async fn a_name_is_shown_and_never_obeyed() {
    let world = World::with_login().await;
    for name in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "&lt;b&gt;"]
    {
        let user = world.discord.sign_up(name).await.unwrap();
        let browser = world.browser();
        browser.log_in(user, LOGIN).await;
        let page = browser.open("/account").await;
        assert_eq!(page.title(), format!("You are logged in as @{name}"));
        assert!(!page.html.contains("<script") && !page.html.contains("<img"), "{}", page.html);
        assert_eq!(page.html.matches("<form ").count(), 2, "{}", page.html);
    }
    world.finish().await;
}

/// Without the variables there is a page, and no login.
#[tokio::test]
async fn where_it_is_not_set_up_nobody_can_log_in() {
    let world = World::start().await;
    let browser = world.browser();
    for path in [LOGIN, CALLBACK] {
        let page = browser.led_to(path).await;
        assert_eq!(
            (page.status.as_u16(), page.title().as_str()),
            (404, "Nobody can log in here yet"),
            "{path}"
        );
    }
    assert_eq!(browser.open("/account").await.status, StatusCode::UNAUTHORIZED);
    tokio::time::timeout(Duration::from_secs(60), world.finish()).await.unwrap();
}
