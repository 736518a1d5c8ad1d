//! Staying logged in: how long, for whom, and what a copied cookie is worth.

use reqwest::StatusCode;

use super::browser::Browser;
use crate::support::world::World;

const LOGIN: &str = "/login/discord?next=%2Faccount";
const SESSION: &str = "__Host-session";

impl World {
    /// Lets time pass for every session.
    async fn sessions_age(&self, began: &str, replaced: &str) {
        sqlx::query("UPDATE sessions SET began_at = began_at - $1::interval, replaced_at = replaced_at - $2::interval")
            .bind(began)
            .bind(replaced)
            .execute(self.db())
            .await
            .expect("the query is good");
    }
}

impl Browser<'_> {
    async fn is_in(&self) -> bool {
        let page = self.open("/account").await;
        match page.status {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            other => panic!("{other}: {}", page.html),
        }
    }
}

async fn logged_in(world: &World) -> Browser<'_> {
    let ana = world.discord.sign_up("ana").await.expect("it is answered");
    let browser = world.browser();
    browser.log_in(ana, LOGIN).await;
    browser
}

#[tokio::test]
async fn the_cookie_is_replaced_and_a_copy_of_the_old_one_ends_both() {
    let world = World::with_login().await;
    let browser = logged_in(&world).await;
    let first = browser.cookie(SESSION).unwrap();
    assert!(browser.is_in().await);
    assert_eq!(browser.cookie(SESSION).unwrap(), first, "not within fifteen minutes");
    let copy = browser.copy();
    world.sessions_age("16 minutes", "16 minutes").await;
    assert!(browser.is_in().await);
    let second = browser.cookie(SESSION).unwrap();
    assert_ne!(second, first);
    assert_eq!(second.split('.').next(), first.split('.').next(), "it is the same session");
    // A second tab that asked at the same moment.
    assert!(copy.is_in().await);
    assert_eq!(copy.cookie(SESSION).unwrap(), first, "and is not given another");
    world.sessions_age("10 seconds", "10 seconds").await;
    let page = copy.open("/account").await;
    assert_eq!((page.status, page.title()), (StatusCode::UNAUTHORIZED, "You were logged out".to_owned()));
    assert_eq!(copy.cookie(SESSION), None);
    assert_eq!(world.rows_of("sessions").await, 0);
    assert!(!browser.is_in().await, "nobody knows which of the two was the thief");
    world.finish().await;
}

#[tokio::test]
async fn many_tabs_at_once_stay_logged_in_and_one_gets_the_new_cookie() {
    let world = World::with_login().await;
    let browser = logged_in(&world).await;
    let first = browser.cookie(SESSION).unwrap();
    world.sessions_age("16 minutes", "16 minutes").await;
    let tabs: Vec<_> = (0..10).map(|_| browser.copy()).collect();
    let stayed = futures::future::join_all(tabs.iter().map(Browser::is_in)).await;
    assert_eq!(stayed, [true; 10]);
    let replaced = tabs.iter().filter(|tab| tab.cookie(SESSION).unwrap() != first).count();
    assert_eq!(replaced, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_session_ends_after_half_a_day_without_anybody_and_after_a_week_with_somebody() {
    let world = World::with_login().await;
    let browser = logged_in(&world).await;
    world.sessions_age("11 hours", "11 hours").await;
    assert!(browser.is_in().await);
    world.sessions_age("12 hours", "12 hours").await;
    assert!(!browser.is_in().await);
    assert_eq!(world.rows_of("sessions").await, 0);

    let browser = logged_in(&world).await;
    world.sessions_age("6 days 23 hours", "1 hour").await;
    assert!(browser.is_in().await);
    world.sessions_age("2 hours", "1 minute").await;
    assert!(!browser.is_in().await);
    world.finish().await;
}

#[tokio::test]
async fn who_logs_out_is_out_with_every_copy_and_everywhere_if_they_say_so() {
    let world = World::with_login().await;
    let (phone, laptop) = (logged_in(&world).await, logged_in(&world).await);
    let stolen = phone.copy();
    let page = phone.open("/account").await;
    let out = phone.send(page.form("Log out")).await;
    assert_eq!((out.status, out.title()), (StatusCode::OK, "You are logged out".to_owned()));
    assert_eq!(phone.cookie(SESSION), None);
    assert!(!stolen.is_in().await && laptop.is_in().await);

    let (phone, tablet) = (logged_in(&world).await, logged_in(&world).await);
    let ben = world.discord.sign_up("ben").await.unwrap();
    let bens = world.browser();
    bens.log_in(ben, LOGIN).await;
    let page = phone.open("/account").await;
    phone.send(page.form("Log out everywhere")).await;
    for browser in [&phone, &tablet, &laptop] {
        assert!(!browser.is_in().await);
    }
    assert!(bens.is_in().await);
    world.finish().await;
}

#[tokio::test]
async fn a_change_comes_from_our_own_page_and_this_very_session() {
    let world = World::with_login().await;
    let browser = logged_in(&world).await;
    let token = browser.open("/account").await.form("Log out").1.remove(0).1;
    let other = logged_in(&world).await;
    let others = other.open("/account").await.form("Log out").1.remove(0).1;
    let own = world.gateway_url.clone();
    for route in
        ["/logout", "/logout/everywhere", "/claim?session_id=cs_test_1", "/claim/7?session_id=cs_test_1"]
    {
        for (origin, token, why) in [
            (None, token.as_str(), "no origin"),
            (Some("https://evil.example"), &token, "another origin"),
            (Some("null"), &token, "a sandboxed frame"),
            (Some(own.as_str()), &others, "another session's token"),
            (Some(own.as_str()), "", "no token"),
        ] {
            let page = browser.post_as(origin, route, token).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{route}: {why}");
            assert!(page.html.contains("<h1>"), "a page: {}", page.html);
        }
    }
    assert!(browser.is_in().await && other.is_in().await);
    // Reading changes nothing: neither page logs out by being opened.
    assert_eq!(browser.open("/logout").await.status, StatusCode::METHOD_NOT_ALLOWED);
    world.finish().await;
}

#[tokio::test]
async fn a_cookie_that_is_not_one_of_ours_is_nobodys() {
    let world = World::with_login().await;
    let browser = logged_in(&world).await;
    let good = browser.cookie(SESSION).unwrap();
    let (session, current) = good.split_once('.').unwrap();
    let guess = "A".repeat(43);
    for wrong in [
        guess.clone(),
        format!("{guess}.{current}"),
        session.to_owned(),
        format!("{session}."),
        format!("{session}.{current}.{current}"),
        format!("{current}.{session}"),
        "x".repeat(4000),
    ] {
        let stranger = world.browser();
        stranger.set_cookie(SESSION, &wrong);
        assert!(!stranger.is_in().await, "{wrong}");
    }
    assert!(browser.is_in().await, "no guess ended the session");
    world.finish().await;
}
