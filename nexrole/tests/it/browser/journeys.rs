//! Whole ways, from the shop to the role, and the pages beside them.

use serde_json::json;
use shared::{
    domain::claim::{Arrival, Presence},
    views::{
        claim::{self, NotTold},
        claim_code,
        document::message,
        login::{self, LoggedOut, LoginFailure},
        page::{Page, render, text},
    },
};
use thirtyfour::SameSite;

use super::chromium::Chromium;
use crate::support::world::World;

const EMAIL: &str = "Your e-mail address";
const SOMEBODY_NEW: &str = "Somebody new";
pub(super) const AT_DISCORD: &str = "Sandbox Discord: who are you?";

impl World {
    /// Everything for a browser: a shop, pages, the login.
    pub(super) async fn for_browsers() -> Self {
        Self::without_services().await.with_pages().await
    }

    pub(super) async fn with_pages(self) -> Self {
        let mut world = self;
        let pages = world.pages();
        for (name, value) in world.set_up_login(&pages).await.expect("it is answered") {
            world.set(name, &value);
        }
        world.set_up_shop().await.expect("it is answered");
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world
    }

    pub(super) async fn with_bot(mut self) -> Self {
        self.start_bot().await;
        self.until_every_mapped_role_is_seen().await;
        self
    }

    async fn last_session(&self) -> String {
        let events = self.stripe.events().await.expect("Stripe answers");
        let paid = events.iter().rfind(|event| event["type"] == "checkout.session.completed");
        paid.and_then(|event| event["data"]["object"]["id"].as_str()).expect("somebody paid").to_owned()
    }

    pub(super) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.pages())
    }

    pub(super) fn roles_page(&self) -> String {
        self.page(&format!("/roles/{}", self.guild))
    }
}

impl Chromium {
    pub(super) async fn until_page(&self, page: &Page) {
        self.until_title(&render(&page.document).title).await;
    }

    /// Pays in the shop, as somebody whom Stripe does not know.
    pub(super) async fn pays(&self, world: &World, email: &str) {
        self.open(&world.shop()).await;
        self.click("VIP: 9.00 USD a month").await;
        self.fill(EMAIL, email).await;
        self.click("Pay").await;
    }

    /// From a page that asks for a login to Discord's.
    async fn goes_to_discord(&self) {
        self.until_page(&login::needed(LoggedOut::Nobody, "")).await;
        self.click(&label("page-log-in")).await;
        self.until_title(AT_DISCORD).await;
    }

    pub(super) async fn logs_in(&self, name: &str) {
        self.goes_to_discord().await;
        self.click(&format!("Authorize as {name}")).await;
    }

    pub(super) async fn claims(&self, name: &str) {
        self.until_page(&question(name, Presence::Unknown)).await;
        let yes = message("claim-yes").with("name", name.to_owned());
        self.click(&text(&yes)).await;
    }
}

pub(super) fn label(id: &'static str) -> String {
    text(&message(id))
}

fn question(name: &str, presence: Presence) -> Page {
    claim::question(name, presence, "", "", "")
}

pub(super) fn arrived(name: &str) -> Page {
    claim::arrival(Arrival::Arrived { roles: 1 }, name, "", None)
}

#[tokio::test]
async fn somebody_pays_logs_in_and_sees_their_role_arrive() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    let ana = world.discord.join(world.guild, "ana").await.unwrap();

    browser.open(&world.shop()).await;
    browser.check("shop").await;
    browser.click("VIP: 9.00 USD a month").await;
    browser.check("shop-offer").await;
    browser.fill(EMAIL, "ana@example.test").await;
    browser.click("Pay").await;

    browser.until_page(&login::needed(LoggedOut::Nobody, "")).await;
    assert!(browser.address().await.starts_with(&world.page("/claim?session_id=cs_test_")));
    assert!(browser.text().await.contains(&label("page-log-in-why")));
    browser.check("log-in-first").await;
    browser.goes_to_discord().await;
    browser.check("discord").await;
    browser.click("Authorize as ana").await;

    browser.until_page(&question("ana", Presence::Member)).await;
    assert!(browser.text().await.contains(&label("claim-question-why")));
    browser.check("claim").await;
    browser.claims("ana").await;

    // By itself: nothing is clicked any more.
    browser.until_page(&arrived("ana")).await;
    assert_eq!(browser.address().await, world.roles_page());
    assert!(browser.text().await.contains(&label("arrival-there-why")));
    browser.check("role-is-there").await;
    let roles = world.discord.member_roles(world.guild, ana).await.unwrap();
    assert!(roles.is_some_and(|roles| roles.contains(&world.vip)), "and Discord says so, too");
    let customers = world.stripe.events().await.unwrap();
    let customers = customers.iter().filter(|event| event["type"] == "customer.created");
    let emails: Vec<_> = customers.map(|event| event["data"]["object"]["email"].clone()).collect();
    assert_eq!(emails, [json!("ana@example.test")]);

    browser.open(&world.page("/account")).await;
    browser.until_page(&login::account("ana", "")).await;
    browser.check("account").await;
    browser.click(&label("page-log-out")).await;
    browser.until_page(&login::logged_out("")).await;
    browser.check("logged-out").await;
    browser.open(&world.roles_page()).await;
    browser.until_page(&login::needed(LoggedOut::Nobody, "")).await;
    browser.quit().await;
    world.finish().await;
}

/// Shop and Discord are other sites: a strict cookie does not come along from there, and the page is nonetheless the visitor's own.
#[tokio::test]
async fn who_is_logged_in_and_pays_is_asked_at_once_and_no_script_reads_the_cookie() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    world.discord.join(world.guild, "ana").await.unwrap();
    browser.open(&world.page("/account")).await;
    browser.logs_in("ana").await;
    browser.until_page(&login::account("ana", "")).await;
    let kept = ("__Host-session".to_owned(), Some(SameSite::Strict), Some(true), Some(true));
    assert_eq!(browser.cookies().await, [kept], "strict, secure, and not for scripts");
    assert_eq!(browser.script("return document.cookie").await, "");
    browser.pays(&world, "ana@example.test").await;
    browser.claims("ana").await;
    browser.until_page(&arrived("ana")).await;
    browser.quit().await;
    world.finish().await;
}

#[tokio::test]
async fn somebody_subscribes_by_a_link_of_their_own_and_manages_it_from_then_on() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    world.discord.join(world.guild, "ana").await.unwrap();
    let for_sale = world.page(&format!("/subscribe/{}", world.guild));
    browser.open(&for_sale).await;
    browser.logs_in("ana").await;
    browser.until_title(&label("subscribe-title")).await;
    browser.check("subscribe").await;
    browser.click("VIP: 9.00 USD every month").await;
    browser.until_title("VIP: 9.00 USD every month").await;
    browser.check("subscribe-link").await;
    let personal = browser.script("return document.querySelector('a.step').href").await;
    // The sandbox's Payment Links are pages of its shop, by the same id.
    let (link, reference) = personal.as_str().and_then(|link| link.split_once('?')).unwrap();
    let id = link.strip_prefix("https://buy.stripe.com/test_").unwrap();
    browser.open(&format!("{}/plink_{id}?{reference}", world.shop())).await;
    browser.fill(EMAIL, "another@example.test").await;
    browser.click("Pay").await;
    browser.claims("ana").await;
    browser.until_page(&arrived("ana")).await;
    browser.open(&for_sale).await;
    browser.until_text("Manage VIP, which you have").await;
    browser.check("subscribe-manage").await;
    browser.quit().await;
    world.finish().await;
}

#[tokio::test]
async fn a_role_that_is_waited_for_shows_how_far_it_is() {
    let Some(browser) = Chromium::start().await else { return };
    let mut world = World::for_browsers().await.with_bot().await;
    // Without the bot nothing moves on.
    world.stop_bot().await.unwrap();
    world.discord.join(world.guild, "ana").await.unwrap();
    browser.pays(&world, "ana@example.test").await;
    browser.logs_in("ana").await;
    browser.claims("ana").await;
    browser.until_page(&claim::arrival(Arrival::OnTheWay, "ana", "", None)).await;
    browser.check("role-is-on-its-way").await;
    world.start_bot().await;
    // Standing still since it was looked at.
    browser.click(&label("arrival-look-again")).await;
    browser.until_page(&arrived("ana")).await;
    browser.quit().await;
    world.finish().await;
}

#[tokio::test]
async fn who_is_not_in_the_server_is_told_to_join_it() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    browser.pays(&world, "tom@example.test").await;
    browser.goes_to_discord().await;
    browser.fill(SOMEBODY_NEW, "tom_alt").await;
    browser.click("Authorize").await;
    browser.until_page(&question("tom_alt", Presence::Absent)).await;
    browser.check("claim-outside-the-server").await;
    browser.claims("tom_alt").await;
    browser.until_page(&claim::arrival(Arrival::Join, "tom_alt", "", None)).await;
    browser.check("join-the-server").await;
    browser.quit().await;
    world.close().await;
}

#[tokio::test]
async fn somebody_without_a_link_has_a_code_sent_and_sees_their_role_arrive() {
    let Some(browser) = Chromium::start().await else { return };
    let mut world = World::without_services().await;
    let mails = world.set_up_mail().await;
    let world = world.with_pages().await.with_bot().await;
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let customer = world.stripe.create_customer(Some("ana@example.test"), &[]).await.unwrap();
    world.stripe.subscribe(&customer, &world.price).await.unwrap();

    browser.open(&world.roles_page()).await;
    browser.until_page(&login::needed(LoggedOut::Nobody, "")).await;
    browser.logs_in("ana").await;
    browser.until_page(&claim::arrival(Arrival::Nothing, "ana", "", Some(""))).await;
    browser.check("nothing-linked-with-mail").await;
    browser.click(&label("claim-by-email")).await;
    let asked =
        |typed: Option<&str>| claim_code::ask_address("ana", "", String::new(), typed.map(str::to_owned));
    browser.until_page(&asked(None)).await;
    browser.check("code-address").await;
    // An address as far as a browser sees, and none as far as mail goes.
    browser.fill(&label("code-address-label"), "ana@example").await;
    browser.click(&label("code-send")).await;
    browser.until_text(&label("code-address-wrong")).await;
    browser.check("code-address-wrong").await;
    browser.fill(&label("code-address-label"), "ana@example.test").await;
    browser.click(&label("code-send")).await;
    browser.until_page(&claim_code::ask_code("", String::new(), None, "")).await;
    browser.check("code-sent").await;
    browser.fill(&label("code-label"), "1234 5678").await;
    browser.click(&label("code-use")).await;
    browser.until_text(&text(&message("code-wrong").with("left", 4_i64))).await;
    browser.check("code-wrong").await;
    world.until("the mail has come", async || !mails.mails().is_empty()).await;
    let mail = mails.mails().swap_remove(0);
    let mail = mail.body();
    let code = mail.lines().find(|line| line.len() == 8 && line.parse::<u32>().is_ok()).expect("a code");
    browser.fill(&label("code-label"), code).await;
    browser.click(&label("code-use")).await;
    browser.until_page(&arrived("ana")).await;
    let roles = world.discord.member_roles(world.guild, ana).await.unwrap();
    assert!(roles.is_some_and(|roles| roles.contains(&world.vip)));
    browser.quit().await;
    world.finish().await;
}

/// What is checked of every page is looked for, and found.
#[tokio::test]
async fn a_page_with_something_wrong_is_noticed() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await;
    let noticed = async |words: &[&str]| {
        let wrong = browser.wrong("something-wrong").await;
        for word in words {
            assert!(wrong.iter().any(|line| line.contains(word)), "{word:?} is missing: {wrong:#?}");
        }
    };
    let loads = "const asks = address => new Promise(heard => {
                     const picture = new Image();
                     picture.onerror = () => heard();
                     picture.src = address;
                 });";
    browser.open(&world.shop()).await;
    browser.script(&format!("{loads} return asks('http://elsewhere.test/picture.png')")).await;
    let much =
        "return Promise.all([...Array(40).keys()].map(n => fetch('/shop?' + n).then(page => page.text())))";
    browser.script(much).await;
    browser
        .script(
            "document.documentElement.lang = 'de';
             const grey = document.querySelector('p');
             grey.style.color = '#777';
             grey.style.width = '2000px';
             document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"\">');",
        )
        .await;
    noticed(&[
        "its language: \"de\"",
        "it asks others: [\"http://elsewhere.test/picture.png\"]",
        "its bytes: ",
        "phone-light: cut off: ",
        "desktop-dark: cut off: ",
        "\"id\": \"image-alt\"",
        "\"id\": \"color-contrast\"",
    ])
    .await;
    browser.open(&world.page("/account")).await;
    browser.until_page(&login::needed(LoggedOut::Nobody, "")).await;
    browser.script(&format!("{loads} return asks('http://elsewhere.test/picture.png')")).await;
    noticed(&["Content Security Policy"]).await;
    browser.quit().await;
    world.close().await;
}

#[tokio::test]
async fn pages_that_say_no_can_be_used_like_the_others() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    for name in ["ana", "eve"] {
        world.discord.join(world.guild, name).await.unwrap();
    }
    browser.pays(&world, "ana@example.test").await;
    browser.goes_to_discord().await;
    browser.click("Cancel").await;
    browser.until_page(&login::failed(LoginFailure::Denied, "")).await;
    browser.check("denied").await;
    browser.click(&label("page-try-again")).await;
    browser.until_title(AT_DISCORD).await;
    browser.click("Authorize as ana").await;
    browser.claims("ana").await;
    browser.until_page(&arrived("ana")).await;

    // Another account, where it is claimed already.
    browser.open(&world.page(&format!("/claim?session_id={}", world.last_session().await))).await;
    browser.until_page(&question("ana", Presence::Member)).await;
    browser.click(&label("claim-not-me")).await;
    browser.until_title(AT_DISCORD).await;
    browser.click("Authorize as eve").await;
    browser.claims("eve").await;
    browser.until_title(&label("claim-taken")).await;
    browser.check("already-claimed").await;

    browser.open(&world.roles_page()).await;
    browser.until_page(&claim::arrival(Arrival::Nothing, "eve", "", None)).await;
    browser.check("nothing-linked").await;
    browser.open(&world.page("/roles/7")).await;
    browser.until_page(&claim::arrival(Arrival::Nothing, "eve", "", None)).await;
    browser.check("unknown-server").await;
    browser.open(&world.page("/claim?session_id=cs_test_guess")).await;
    browser.claims("eve").await;
    browser.until_page(&claim::not_told(NotTold::Unknown, "", None)).await;
    browser.check("unknown-purchase").await;
    browser.open(&world.page("/oauth/discord/callback?state=x&code=y")).await;
    browser.until_page(&login::failed(LoginFailure::NotBegunHere, "")).await;
    browser.check("stale-login").await;

    // A form that is not this session's.
    browser.open(&world.page("/account")).await;
    browser.script("document.querySelector('[name=form_token]').value = 'x'").await;
    browser.click(&label("page-log-out")).await;
    browser.until_title("This form is too old").await;
    browser.check("foreign-form").await;
    browser.quit().await;
    world.finish().await;
}
