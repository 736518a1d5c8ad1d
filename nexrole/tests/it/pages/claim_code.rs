//! Claiming by a code that is sent by e-mail, as a browser sees it: whoever reads mail to the address gets the role, and nobody learns whose
//! it is.

use reqwest::StatusCode;
use sandbox::smtp::Running;

use super::browser::{Browser, Page, plain};
use crate::support::world::World;

const ADDRESS: &str = "ana@example.com";

impl World {
    /// Somebody pays whom nothing ties to Discord.
    async fn pays_as(&self, address: &str) {
        let customer = self.stripe.create_customer(Some(address), &[]).await.expect("it is answered");
        self.stripe.subscribe(&customer, &self.price).await.expect("it is answered");
    }

    fn by_email(&self) -> String {
        format!("/claim/{}/email", self.guild)
    }

    /// The code in the mail after so many others.
    pub(super) async fn code(&self, mails: &Running, before: usize) -> String {
        self.until("the mail has come", async || mails.mails().len() > before).await;
        let mail = mails.mails().swap_remove(before);
        let is_code = |line: &&str| line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit());
        mail.body().lines().find(is_code).expect("a code on a line of its own").to_owned()
    }
}

impl Browser<'_> {
    /// Types into the page's one line, and clicks.
    pub(super) async fn types(&self, page: &Page, button: &str, name: &str, typed: &str) -> Page {
        let (action, mut fields) = page.form(button);
        let field = fields.iter_mut().find(|(known, _)| known == name).expect("a line to type");
        field.1 = typed.to_owned();
        self.send((action, fields)).await
    }

    /// Asks for a code: the page on which it is typed.
    pub(super) async fn asks_for_code(&self, world: &World, address: &str) -> String {
        let page = self.open(&world.by_email()).await;
        let sent = self.types(&page, "Send me a code", "email", address).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.html);
        sent.location().to_owned()
    }
}

#[tokio::test]
async fn who_paid_with_an_address_has_a_code_sent_there_and_sees_the_role_arrive() {
    let (world, mails) = World::with_login_and_mail().await;
    world.pays_as(ADDRESS).await;
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let browser = world.browser();
    // Nobody is logged in: back here afterwards.
    let first = browser.open(&world.by_email()).await;
    assert_eq!((first.status, first.title().as_str()), (StatusCode::UNAUTHORIZED, "Log in first"));
    assert_eq!(browser.log_in(ana, &first.link("Log in with Discord")).await, world.by_email());
    // Who has nothing here is shown the way.
    let roles = format!("/roles/{}", world.guild);
    assert_eq!(browser.open(&roles).await.link("Claim by e-mail"), world.by_email());
    // And so is who has a link that nothing is behind.
    let lost = format!("/claim/{}?session_id=cs_test_lost", world.guild);
    let lost = browser.send(browser.open(&lost).await.form("Yes, give it to @ana")).await;
    assert_eq!((lost.status, lost.title().as_str()), (StatusCode::NOT_FOUND, "There is no such purchase"));
    assert_eq!(lost.link("Claim by e-mail"), world.by_email());
    let asked = browser.open(&world.by_email()).await;
    let wrong = browser.types(&asked, "Send me a code", "email", "ana@<b>").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(plain(&wrong.html).contains("This is not an e-mail address."), "{}", wrong.html);
    assert!(
        !wrong.html.contains("<b>") && plain(&wrong.html).contains("value=\"ana@<b>\""),
        "{}",
        wrong.html
    );
    let at = browser.asks_for_code(&world, ADDRESS).await;
    let code = world.code(&mails, 0).await;
    let page = browser.open(&at).await;
    assert_eq!((page.status, page.title().as_str()), (StatusCode::OK, "Check your e-mail"));
    let wrong = browser.types(&page, "Use this code", "code", "0000 0000").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(plain(&wrong.html).contains("That is not the code. 4 tries are left."), "{}", wrong.html);
    // As people copy it.
    let typed = format!(" {}-{}", &code[..4], &code[4..]);
    let done = browser.types(&wrong, "Use this code", "code", &typed).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, roles.as_str()), "{}", done.html);
    browser.until_title(&world, &roles, "Your role is there").await;
    assert!(world.discord.member_roles(world.guild, ana).await.unwrap().unwrap().contains(&world.vip));
    let again = browser.types(&page, "Use this code", "code", &code).await;
    assert_eq!(
        (again.status, again.title().as_str()),
        (StatusCode::GONE, "This code does not count any more")
    );
    assert_eq!(again.link("Send another code"), world.by_email());
    world.finish().await;
}

/// What can be seen of a page, without what is new in each.
fn seen(page: &Page, address: &str, at: &str) -> String {
    let headers = page.headers.iter().filter(|(name, _)| *name != "date" && *name != "x-request-id");
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    let token =
        page.html.split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let seen = format!("{} {} {}", page.status, headers.join("; "), page.html);
    let seen = seen.replace(address, "ADDRESS").replace(at, "AT");
    token.map_or(seen.clone(), |token| seen.replace(token, "TOKEN"))
}

#[tokio::test]
async fn no_page_says_whether_an_address_is_a_customers() {
    let (world, mails) = World::with_login_and_mail().await;
    world.pays_as(ADDRESS).await;
    let (_, eve) = world.logged_in("eve").await;
    let mut found = Vec::new();
    for address in [ADDRESS, "bob@example.com"] {
        let page = eve.open(&world.by_email()).await;
        let sent = eve.types(&page, "Send me a code", "email", address).await;
        let at = sent.location().to_owned();
        let open = eve.open(&at).await;
        let wrong = eve.types(&open, "Use this code", "code", "12345678").await;
        found.push([&sent, &open, &wrong].map(|page| seen(page, address, &at)));
    }
    assert_eq!(found[0], found[1]);
    world.code(&mails, 0).await;
    world.settle().await;
    assert_eq!(mails.mails().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_code_is_used_in_the_session_that_asked_and_by_our_own_form_only() {
    let (world, mails) = World::with_login_and_mail().await;
    world.pays_as(ADDRESS).await;
    let (ana, hers) = world.logged_in("ana").await;
    let (_, thiefs) = world.logged_in("thief").await;
    let at = hers.asks_for_code(&world, ADDRESS).await;
    let code = world.code(&mails, 0).await;
    // The thief has read the address of her page and the mail, and not her session.
    let his = thiefs.open(&at).await;
    let refused = thiefs.types(&his, "Use this code", "code", &code).await;
    assert_eq!(
        (refused.status, refused.title().as_str()),
        (StatusCode::GONE, "This code does not count any more")
    );
    // His form in her browser; no form; another site's.
    let foreign = hers.types(&his, "Use this code", "code", &code).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{}", foreign.html);
    let bare = hers.send((at.clone(), vec![("code".to_owned(), code.clone())])).await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
    let elsewhere = hers.post_as(Some("https://evil.example"), &at, "x").await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    let asked_elsewhere = hers.post_as(None, &world.by_email(), "x").await;
    assert_eq!(asked_elsewhere.status, StatusCode::FORBIDDEN);
    // Her own still counts.
    let page = hers.open(&at).await;
    assert_eq!(hers.types(&page, "Use this code", "code", &code).await.status, StatusCode::SEE_OTHER);
    let roles = format!("/roles/{}", world.guild);
    hers.until_title(&world, &roles, "Your role is there").await;
    // And what is hers, nobody else gets who reads the mail.
    let at = thiefs.asks_for_code(&world, ADDRESS).await;
    let code = world.code(&mails, 1).await;
    let page = thiefs.open(&at).await;
    let taken = thiefs.types(&page, "Use this code", "code", &code).await;
    assert_eq!(
        (taken.status, taken.title().as_str()),
        (StatusCode::CONFLICT, "This purchase belongs to another account")
    );
    assert!(world.discord.member_roles(world.guild, ana).await.unwrap().unwrap().contains(&world.vip));
    world.finish().await;
}

#[tokio::test]
async fn guesses_and_requests_end_and_say_when_to_go_on() {
    let (world, mails) = World::with_login_and_mail().await;
    world.pays_as(ADDRESS).await;
    let (_, eve) = world.logged_in("eve").await;
    let at = eve.asks_for_code(&world, ADDRESS).await;
    let right = world.code(&mails, 0).await;
    let page = eve.open(&at).await;
    for _ in 0..4 {
        let wrong = eve.types(&page, "Use this code", "code", "nonsense").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.html);
    }
    let locked = eve.types(&page, "Use this code", "code", "nonsense").await;
    assert_eq!(
        (locked.status, locked.title().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "Too many wrong codes")
    );
    // More of her than six a minute are not looked at.
    let limited = eve.types(&page, "Use this code", "code", &right).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.headers.contains_key("retry-after"), "{:?}", limited.headers);
    // Three an hour go to one address, whoever asks.
    let (_, ben) = world.logged_in("ben").await;
    for _ in 0..2 {
        ben.asks_for_code(&world, ADDRESS).await;
    }
    let asked = ben.open(&world.by_email()).await;
    let refused = ben.types(&asked, "Send me a code", "email", ADDRESS).await;
    let said = (refused.status, refused.title());
    assert_eq!(said, (StatusCode::TOO_MANY_REQUESTS, "Too many codes were asked for".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn where_no_mail_is_sent_and_where_nothing_is_sold_that_is_said() {
    let world = World::with_login().await;
    let (_, ana) = world.logged_in("ana").await;
    let none = ana.open(&world.by_email()).await;
    assert_eq!((none.status, none.title().as_str()), (StatusCode::NOT_FOUND, "No codes are sent here"));
    let nothing = ana.open(&format!("/roles/{}", world.guild)).await;
    assert!(!nothing.html.contains("Claim by e-mail"), "{}", nothing.html);
    world.finish().await;
    let (world, _mails) = World::with_login_and_mail().await;
    let (_, ana) = world.logged_in("ana").await;
    let foreign = ana.open("/claim/4711/email").await;
    assert_eq!((foreign.status, foreign.title().as_str()), (StatusCode::NOT_FOUND, "Nothing is sold here"));
    for odd in ["/claim/x/email", "/claim/4711/email/x", "/claim/4711/email/"] {
        assert_eq!(ana.open(odd).await.status, StatusCode::NOT_FOUND, "{odd}");
    }
    world.finish().await;
}
