//! Moving what one paid for to another account, and unlinking it, by the pages.

use reqwest::StatusCode;
use serde_json::json;

use super::browser::{Browser, Page};
use crate::support::world::{Member, World};

const OTHER: &str = "Log in with the other account";

impl World {
    fn moving(&self) -> String {
        format!("/move/{}", self.guild)
    }

    fn unlinking(&self) -> String {
        format!("/unlink/{}", self.guild)
    }

    /// Somebody who has claimed what they paid for, and has its role.
    async fn claimed_by(&self, name: &str) -> (Member, Browser<'_>) {
        let (user, browser) = self.logged_in(name).await;
        let session = self.pays_by_link(json!({})).await;
        assert_eq!(browser.claims(&session, name).await.status, StatusCode::SEE_OTHER);
        browser.until_title(self, &format!("/roles/{}", self.guild), "Your role is there").await;
        (Member { user, customer: String::new() }, browser)
    }

    async fn holders(&self) -> Vec<u64> {
        let holders = "SELECT user_id FROM member_links ORDER BY user_id";
        let holders: Vec<i64> =
            sqlx::query_scalar(holders).fetch_all(self.db()).await.expect("the query is good");
        holders.into_iter().map(i64::unsigned_abs).collect()
    }
}

impl Browser<'_> {
    /// Offers what its account has. Out: the page that says what is next.
    async fn offers(&self, world: &World, name: &str) -> Page {
        let page = self.open(&world.moving()).await;
        assert_eq!(page.title(), "Move what you paid for to another account");
        let offered = self.send(page.form(&format!("Move it from @{name}"))).await;
        assert_eq!((offered.status, offered.location()), (StatusCode::SEE_OTHER, world.moving().as_str()));
        self.open(&world.moving()).await
    }

    /// Offers it, and logs in as the other account. Out: the question.
    async fn offers_to(&self, world: &World, name: &str, other: u64) -> Page {
        let next = self.log_in(other, &self.offers(world, name).await.link(OTHER)).await;
        assert_eq!(next, world.moving());
        self.open(&next).await
    }
}

#[tokio::test]
async fn what_one_account_has_goes_to_the_other_by_the_word_of_both() {
    let world = World::with_login().await;
    let (ana, browser) = world.claimed_by("ana").await;
    let alt = world.discord.join(world.guild, "ana_alt").await.unwrap();
    let alt = Member { user: alt, customer: String::new() };
    // From the page of one's roles.
    let roles = browser.open(&format!("/roles/{}", world.guild)).await;
    assert_eq!(roles.link("Wrong account? Move or unlink it"), world.moving());
    let offered = browser.offers(&world, "ana").await;
    assert_eq!(offered.title(), "Now log in with the other account");
    let next = browser.log_in(alt.user, &offered.link(OTHER)).await;
    let asked = browser.open(&next).await;
    assert_eq!(asked.title(), "Move it from @ana to @ana_alt?");
    assert!(!asked.html.contains("not in the server"), "{}", asked.html);
    assert_eq!(world.holders().await, [ana.user], "nothing moves by looking, nor by one word");
    let moved = browser.send(asked.form("Yes, move it to @ana_alt")).await;
    let roles = format!("/roles/{}", world.guild);
    assert_eq!((moved.status, moved.location()), (StatusCode::SEE_OTHER, roles.as_str()));
    assert_eq!(browser.cookie("__Host-offer"), None, "it is used up");
    browser.until_title(&world, &roles, "Your role is there").await;
    world.until_vip(&alt).await;
    world.until_no_vip(&ana).await;
    assert_eq!(world.holders().await, [alt.user]);
    // The old one sees that it has nothing; the new one, that it cannot go on at once.
    let olds = world.browser();
    olds.log_in(ana.user, "/login/discord?next=%2Faccount").await;
    assert_eq!(olds.open(&roles).await.title(), "Nothing is linked to you here");
    assert_eq!(olds.open(&world.moving()).await.title(), "Nothing is linked to you here");
    let rests = browser.open(&world.moving()).await;
    assert_eq!((rests.title().as_str(), rests.html.contains("<form")), ("It cannot be moved now", false));
    world.finish().await;
}

#[tokio::test]
async fn an_offer_is_taken_in_the_same_browser_by_our_own_form_and_while_its_session_lives() {
    let world = World::with_login().await;
    let (ana, browser) = world.claimed_by("ana").await;
    let (eve, eves) = world.logged_in("eve").await;
    let alt = world.discord.join(world.guild, "ana_alt").await.unwrap();
    let accept = format!("{}/accept", world.moving());
    // Nobody offers for somebody else: without a login, by another site's form, by a form of another session.
    let strangers = world.browser().open(&world.moving()).await;
    assert_eq!(strangers.status, StatusCode::UNAUTHORIZED);
    let evil = Some("https://evil.example");
    for path in [world.moving(), accept.clone(), world.unlinking()] {
        assert_eq!(browser.post_as(evil, &path, "x").await.status, StatusCode::FORBIDDEN, "{path}");
        let own = Some(world.gateway_url.as_str());
        assert_eq!(browser.post_as(own, &path, "x").await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(browser.cookie("__Host-offer"), None);
    // Who sees the address, in another browser, has nothing; nor does who is asked to take it there.
    let offered = browser.offers(&world, "ana").await;
    assert!(!offered.html.contains(&browser.cookie("__Host-offer").unwrap()), "{}", offered.html);
    assert_eq!(eves.open(&world.moving()).await.title(), "Nothing is linked to you here");
    let theirs = eves.open("/account").await;
    let (_, fields) = theirs.form("Log out");
    let taken = eves.send((accept.clone(), fields)).await;
    assert_eq!((taken.status, taken.title().as_str()), (StatusCode::GONE, "There is nothing to take over"));
    // One's own word is not two.
    let own = browser.open("/account").await;
    let (_, fields) = own.form("Log out");
    let again = browser.send((accept.clone(), fields)).await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, world.moving().as_str()));
    // Meanwhile the old account logs out everywhere: the offer ends with the session that made it.
    let next = browser.log_in(alt, &offered.link(OTHER)).await;
    let asked = browser.open(&next).await;
    let phone = world.browser();
    phone.log_in(ana.user, "/login/discord?next=%2Faccount").await;
    phone.send(phone.open("/account").await.form("Log out everywhere")).await;
    let late = browser.send(asked.form("Yes, move it to @ana_alt")).await;
    assert_eq!((late.status, late.title().as_str()), (StatusCode::GONE, "There is nothing to take over"));
    assert_eq!(world.holders().await, [ana.user]);
    // A form of the session before, after another login in that browser, is none.
    let browser = world.browser();
    browser.log_in(ana.user, "/login/discord?next=%2Faccount").await;
    let asked = browser.offers_to(&world, "ana", alt).await;
    browser.log_in(eve, "/login/discord?next=%2Faccount&as=other").await;
    let foreign = browser.send(asked.form("Yes, move it to @ana_alt")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "who is logged in did not say it");
    assert_eq!(world.holders().await, [ana.user]);
    world.finish().await;
}

#[tokio::test]
async fn who_is_not_in_the_server_is_warned_before_it_moves_and_a_click_too_many_is_told() {
    let world = World::with_login().await;
    let (ana, browser) = world.claimed_by("ana").await;
    let alt = world.discord.sign_up("ana_alt").await.unwrap();
    let asked = browser.offers_to(&world, "ana", alt).await;
    assert!(asked.html.contains("@ana_alt is not in the server"), "{}", asked.html);
    let yes = asked.form("Yes, move it to @ana_alt");
    let moved = browser.send(yes.clone()).await;
    assert_eq!(moved.status, StatusCode::SEE_OTHER);
    let twice = browser.send(yes).await;
    assert_eq!((twice.status, twice.title().as_str()), (StatusCode::GONE, "There is nothing to take over"));
    assert_eq!(twice.link("See your roles"), moved.location());
    browser.until_title(&world, moved.location(), "Join the server").await;
    world.until_no_vip(&ana).await;
    world.discord.rejoin(world.guild, alt).await.unwrap();
    browser.until_title(&world, moved.location(), "Your role is there").await;
    world.close().await;
}

#[tokio::test]
async fn who_unlinks_is_told_first_what_goes_on_and_loses_the_role() {
    let world = World::with_login().await;
    let (ana, browser) = world.claimed_by("ana").await;
    let asked = browser.open(&world.moving()).await;
    let asked = browser.open(&asked.link("Unlink it from this account")).await;
    assert_eq!(asked.title(), "Unlink what is paid for from @ana?");
    assert!(asked.html.contains("a subscription is charged as before"), "{}", asked.html);
    assert_eq!(world.holders().await, [ana.user], "nothing is unlinked by looking");
    let done = browser.send(asked.form("Yes, unlink it from @ana")).await;
    assert_eq!((done.status, done.title().as_str()), (StatusCode::OK, "It is not linked to @ana any more"));
    assert_eq!(world.holders().await, [0_u64; 0]);
    world.until_no_vip(&ana).await;
    let roles = format!("/roles/{}", world.guild);
    assert_eq!(browser.open(&roles).await.title(), "Nothing is linked to you here");
    assert_eq!(browser.open(&world.unlinking()).await.title(), "Nothing is linked to you here");
    let nothing = browser.send(asked.form("Yes, unlink it from @ana")).await;
    assert_eq!(nothing.title(), "Nothing is linked to you here");
    world.settle().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

#[tokio::test]
async fn who_finds_it_taken_is_led_to_the_account_that_has_it_and_what_rests_says_until_when() {
    let world = World::with_login().await;
    let (ana, anas) = world.logged_in("ana").await;
    let (_, alts) = world.logged_in("ana_alt").await;
    let session = world.pays_by_link(json!({})).await;
    anas.claims(&session, "ana").await;
    let taken = alts.claims(&session, "ana_alt").await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    let next = alts.log_in(ana, &taken.link("It is mine: log in with that account")).await;
    assert_eq!(
        (next.as_str(), alts.open(&next).await.title().as_str()),
        (world.moving().as_str(), "Move what you paid for to another account")
    );
    // Given up after two days, it is nobody's, and yet not anybody's.
    let ages = "UPDATE member_links SET linked_at = linked_at - interval '2 days'";
    sqlx::query(ages).execute(world.db()).await.unwrap();
    let asked = anas.open(&world.unlinking()).await;
    anas.send(asked.form("Yes, unlink it from @ana")).await;
    let (_, friends) = world.logged_in("friend").await;
    let rests = friends.claims(&session, "friend").await;
    assert_eq!(
        (rests.status, rests.title().as_str()),
        (StatusCode::CONFLICT, "This purchase cannot be claimed yet")
    );
    assert_eq!(world.holders().await, [0_u64; 0]);
    assert_eq!(anas.claims(&session, "ana").await.status, StatusCode::SEE_OTHER, "who had it has it back");
    world.finish().await;
}
