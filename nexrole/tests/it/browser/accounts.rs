//! Whole ways between accounts and servers: into a server by its link, from one account to another, and away from both.

use shared::{
    actions::{give_up::GivenUp, move_links::Moving},
    domain::{
        claim::{Presence, Progress},
        moving::RESTS_FOR,
    },
    views::{
        document::message,
        join,
        login::LoggedOut,
        moving::{self, Paths},
        page::text,
    },
};

use super::{
    chromium::Chromium,
    journeys::{AT_DISCORD, arrived, label},
};
use crate::support::world::{Member, World};

const MANAGE_ROLES: u64 = 1 << 28;
const CREATE_INVITE: u64 = 1;
const ALL: Moving = Moving { moves: 1, rests_until: None, named: 0 };

/// Titles do not depend on where steps lead.
fn paths() -> Paths {
    let [offer, accept, give_up, roles, other] = [(); 5].map(|()| String::new());
    Paths { offer, accept, give_up, roles, other }
}

fn named(id: &'static str, name: &str) -> String {
    text(&message(id).with("name", name.to_owned()))
}

impl Chromium {
    /// Pays, logs in, claims, and has the role. Out: who that is.
    async fn has_claimed(&self, world: &World, name: &str) -> Member {
        let user = world.discord.join(world.guild, name).await.expect("it is answered");
        self.pays(world, "somebody@example.test").await;
        self.logs_in(name).await;
        self.claims(name).await;
        self.until_page(&arrived(name)).await;
        Member { user, customer: String::new() }
    }
}

#[tokio::test]
async fn who_opens_the_servers_link_is_added_to_it_and_sees_their_role() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    world.bot_may(MANAGE_ROLES | CREATE_INVITE).await;
    let ana = world.buyer("ana").await;
    let [join, roles, login, allow] = [(); 4].map(|()| String::new());
    let paths = join::Paths { join, roles, login, allow };
    browser.open(&world.page(&format!("/join/{}", world.guild))).await;
    browser.until_page(&join::log_in(LoggedOut::Nobody, &paths)).await;
    browser.check("join-log-in").await;
    browser.click(&label("page-log-in")).await;
    browser.until_title(AT_DISCORD).await;
    browser.check("discord-asks-to-join").await;
    browser.click("Authorize as ana").await;
    browser.until_page(&join::question("ana", &Progress::default(), "", &paths)).await;
    browser.check("join-question").await;
    assert_eq!(world.discord.member_roles(world.guild, ana.user).await.unwrap(), None, "not by looking");
    browser.click(&named("join-yes", "ana")).await;
    browser.until_page(&arrived("ana")).await;
    assert_eq!(browser.address().await, world.roles_page());
    assert!(world.has(&ana, world.vip).await, "and Discord says so, too");
    // By the call that added them: no other gave it.
    assert_eq!(world.role_calls().await, [""; 0]);
    browser.quit().await;
    world.finish().await;
}

#[tokio::test]
async fn what_one_account_has_is_moved_to_the_other_by_both_logins() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    let ana = browser.has_claimed(&world, "ana").await;
    let alt = world.discord.join(world.guild, "ana_alt").await.unwrap();
    let alt = Member { user: alt, customer: String::new() };
    let paths = paths();
    browser.check("role-is-there-with-a-way-out").await;
    browser.click(&label("move-way")).await;
    browser.until_page(&moving::ways("ana", &ALL, "", &paths)).await;
    browser.check("move").await;
    browser.click(&named("move-offer", "ana")).await;
    browser.until_page(&moving::log_in_as_other("ana", &paths)).await;
    browser.check("move-other").await;
    assert!(world.has(&ana, world.vip).await, "nothing moves by one word");
    browser.click(&label("move-log-in")).await;
    browser.until_title(AT_DISCORD).await;
    browser.click("Authorize as ana_alt").await;
    browser.until_page(&moving::question("ana", "ana_alt", Presence::Member, &ALL, "", &paths)).await;
    browser.check("move-question").await;
    browser.click(&named("move-yes", "ana_alt")).await;
    browser.until_page(&arrived("ana_alt")).await;
    assert_eq!(browser.address().await, world.roles_page());
    assert!(world.has(&alt, world.vip).await);
    world.until_no_vip(&ana).await;
    // It rests there, and the page says until when.
    browser.click(&label("move-way")).await;
    let rests = Moving { moves: 0, rests_until: Some(shared::clock::now() + RESTS_FOR), named: 0 };
    browser.until_page(&moving::ways("ana_alt", &rests, "", &paths)).await;
    browser.check("move-rests").await;
    browser.quit().await;
    world.finish().await;
}

#[tokio::test]
async fn who_unlinks_an_account_is_told_what_goes_on_and_sees_that_it_is_done() {
    let Some(browser) = Chromium::start().await else { return };
    let world = World::for_browsers().await.with_bot().await;
    let ana = browser.has_claimed(&world, "ana").await;
    let paths = paths();
    browser.click(&label("move-way")).await;
    browser.until_page(&moving::ways("ana", &ALL, "", &paths)).await;
    browser.click(&label("give-up-instead")).await;
    browser.until_page(&moving::ask_give_up("ana", &[], "", &paths)).await;
    assert!(browser.text().await.contains(&label("give-up-goes-on")));
    browser.check("unlink").await;
    browser.click(&named("give-up-yes", "ana")).await;
    browser.until_page(&moving::given_up(GivenUp { customers: 1, named: 0 }, "ana", &[], &paths)).await;
    browser.check("unlinked").await;
    world.until_no_vip(&ana).await;
    browser.quit().await;
    world.finish().await;
}
