//! Moving what one paid for to another account, and giving it up. In: who asks, and what may be done. Out: a page, with one next step.

use super::{
    document::{Message, Tone, Value, message},
    login::logged_in_as,
    page::Page,
};
use crate::{
    actions::{give_up::GivenUp, move_links::Moving},
    domain::{billing::page::PageUrl, claim::Presence},
};

/// Where the steps lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The page on which it is offered.
    pub offer: String,
    /// Where the other account says yes.
    pub accept: String,
    /// Where it is given up.
    pub give_up: String,
    /// How far their roles are.
    pub roles: String,
    /// To log in as somebody else, and come back.
    pub other: String,
}

fn page(title: Message, tone: Tone, lines: Vec<Message>) -> Page {
    Page::new(title, tone, lines)
}

fn name(name: &str) -> Value {
    Value::code(name)
}

/// What stays, and why.
fn stays(moving: &Moving) -> Vec<Message> {
    let rests = moving.rests_until.map(|until| message("move-rests-why").with("until", Value::Time(until)));
    let named = (moving.named > 0).then(|| message("move-named-why"));
    rests.into_iter().chain(named).collect()
}

/// From the page of their roles to the ways out: those who have something here.
pub fn way_out(roles: Page, paths: &Paths) -> Page {
    let all_aside = roles.steps.is_empty();
    Page { all_aside, ..roles.link(message("move-way"), paths.offer.as_str()) }
}

/// Is it to go to another account?
pub fn ways(username: &str, moving: &Moving, form_token: &str, paths: &Paths) -> Page {
    let give_up = |page: Page| page.link(message("give-up-instead"), paths.give_up.as_str());
    if moving.moves == 0 {
        let stays = stays(moving);
        if stays.is_empty() {
            return nothing(username, paths);
        }
        let lines = stays.into_iter().chain([logged_in_as(username)]).collect();
        return give_up(page(message("move-not-now"), Tone::Warning, lines));
    }
    let lines = [vec![message("move-why"), message("move-both")], stays(moving)].concat();
    let offer = message("move-offer").with("name", name(username));
    give_up(page(message("move-title"), Tone::Question, lines).form(
        offer,
        paths.offer.as_str(),
        form_token.to_owned(),
        Vec::new(),
    ))
}

/// They have nothing here.
pub fn nothing(username: &str, paths: &Paths) -> Page {
    page(message("arrival-nothing"), Tone::Neutral, vec![message("move-nothing-why"), logged_in_as(username)])
        .link(message("claim-not-me"), paths.other.as_str())
}

/// It is offered: now the other account.
pub fn log_in_as_other(username: &str, paths: &Paths) -> Page {
    let lines = vec![message("move-other-why"), message("move-other-until").with("name", name(username))];
    page(message("move-other"), Tone::Question, lines).link(message("move-log-in"), paths.other.as_str())
}

/// Both have logged in: is it to go from one to the other?
pub fn question(
    from: &str,
    to: &str,
    presence: Presence,
    moving: &Moving,
    form_token: &str,
    paths: &Paths,
) -> Page {
    let mut lines = vec![message("move-question-why").with("from", name(from)).with("to", name(to))];
    lines.extend(stays(moving));
    let is_absent = presence == Presence::Absent;
    if is_absent {
        lines.push(message("claim-not-in-server").with("name", name(to)));
    }
    let tone = if is_absent { Tone::Warning } else { Tone::Question };
    let title = message("move-question").with("from", name(from)).with("to", name(to));
    page(title, tone, lines)
        .form(
            message("move-yes").with("name", name(to)),
            paths.accept.as_str(),
            form_token.to_owned(),
            Vec::new(),
        )
        .link(message("claim-not-me"), paths.other.as_str())
}

/// What came of it; `None`: all of it is theirs, and the page of their roles has the rest.
pub fn outcome(moved: &Moving, to: &str, paths: &Paths) -> Option<Page> {
    let stays = stays(moved);
    let look = |page: Page| Some(page.link(message("move-look"), paths.roles.as_str()));
    match (moved.moves, stays.is_empty()) {
        (1.., true) => None,
        (1.., false) => {
            let title = message("move-some").with("name", name(to));
            look(page(title, Tone::Warning, stays))
        }
        (0, true) => Some(over(to, paths)),
        (0, false) => look(page(message("move-not-now"), Tone::Warning, stays)),
    }
}

/// There is no offer in this browser, or none any more.
pub fn over(username: &str, paths: &Paths) -> Page {
    page(message("move-over"), Tone::Warning, vec![message("move-over-why"), logged_in_as(username)])
        .link(message("move-look"), paths.roles.as_str())
        .link(message("move-begin"), paths.other.as_str())
}

/// Pages on which members cancel what they pay for.
fn cancel(page: Page, portals: &[PageUrl]) -> Page {
    portals.iter().fold(page, |page, portal| page.link(message("give-up-cancel"), portal.as_str()))
}

/// Is it to be given up? What stays as it is, is said first.
pub fn ask_give_up(username: &str, portals: &[PageUrl], form_token: &str, paths: &Paths) -> Page {
    let mut lines = vec![message("give-up-why"), message("give-up-goes-on")];
    lines.push(if portals.is_empty() { message("give-up-no-portal") } else { message("give-up-portal") });
    lines.push(message("give-up-rests"));
    let yes = message("give-up-yes").with("name", name(username));
    let asked = page(message("give-up-title").with("name", name(username)), Tone::Warning, lines).form(
        yes,
        paths.give_up.as_str(),
        form_token.to_owned(),
        Vec::new(),
    );
    cancel(asked, portals).link(message("give-up-move"), paths.offer.as_str())
}

pub fn given_up(given_up: GivenUp, username: &str, portals: &[PageUrl], paths: &Paths) -> Page {
    match given_up {
        GivenUp { customers: 0, named: 0 } => nothing(username, paths),
        GivenUp { customers: 0, .. } => page(
            message("give-up-named"),
            Tone::Warning,
            vec![message("move-named-why"), logged_in_as(username)],
        )
        .link(message("move-look"), paths.roles.as_str()),
        GivenUp { named, .. } => {
            let mut lines = vec![message("given-up-why"), message("give-up-goes-on")];
            if named > 0 {
                lines.push(message("move-named-why"));
            }
            let done = page(message("given-up").with("name", name(username)), Tone::Good, lines);
            cancel(done, portals).link(message("claim-not-me"), paths.other.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, views::page as rendered};

    fn paths() -> Paths {
        let [offer, accept, give_up, roles, other] =
            ["/move/7", "/move/7/accept", "/unlink/7", "/roles/7", "/login"].map(str::to_owned);
        Paths { offer, accept, give_up, roles, other }
    }

    fn said(page: &Page) -> String {
        let texts = rendered::render(&page.document);
        let steps: Vec<_> = page.steps.iter().map(|step| rendered::text(&step.label)).collect();
        let lines = texts.sections.iter().flat_map(|section| section.lines.clone()).collect::<Vec<_>>();
        format!("{} {}: {} [{}]", texts.tone, texts.title, lines.join(" "), steps.join("] ["))
    }

    #[test]
    fn each_state_of_moving_has_its_page_and_a_next_step() {
        let rests_until = Some(Timestamp::UNIX_EPOCH);
        let all = Moving { moves: 1, ..Moving::default() };
        let some = Moving { rests_until, ..all };
        let rests = Moving { moves: 0, ..some };
        let named = Moving { named: 1, ..Moving::default() };
        let paths = paths();
        let pages = [
            ways("ana", &all, "t", &paths),
            ways("ana", &rests, "t", &paths),
            ways("ana", &named, "t", &paths),
            ways("ana", &Moving::default(), "t", &paths),
            log_in_as_other("ana", &paths),
            question("ana", "ana_alt", Presence::Member, &all, "t", &paths),
            question("ana", "ana_alt", Presence::Absent, &some, "t", &paths),
            outcome(&some, "ana_alt", &paths).unwrap(),
            outcome(&rests, "ana_alt", &paths).unwrap(),
            outcome(&Moving::default(), "ana_alt", &paths).unwrap(),
        ];
        assert!(pages.iter().all(|page| !page.steps.is_empty()));
        assert_eq!(outcome(&all, "ana_alt", &paths), None);
        insta::assert_snapshot!(pages.map(|page| said(&page)).join("\n"), @r"
        question Move what you paid for to another account: Your role here goes to the other account at once, and this one loses it. What you pay stays as it is. Both accounts log in, one after the other, in this browser: this one says yes now, the other one after it. Until then nothing changes. It can be moved again a week later. [Move it from @ana] [Unlink it from this account]
        warning It cannot be moved now: What came to an account a short while ago, or was moved before, rests there until 1 January 1970, 00:00 UTC. The owner of the server can move it at any time. You are logged in as @ana [Unlink it from this account]
        warning It cannot be moved now: The owner of the server has noted at Stripe whose it is, so it cannot be changed here. Write to them. You are logged in as @ana [Unlink it from this account]
        neutral Nothing is linked to you here: Nothing that is paid for is linked to this account here. Log in with the account that has it. You are logged in as @ana [Not you? Use another Discord account]
        question Now log in with the other account: At Discord, switch to the account that is to have it before you say yes there. You have ten minutes. Until the other account says yes, all stays with @ana; log out everywhere, and it stays there for good. [Log in with the other account]
        question Move it from @ana to @ana_alt?: @ana has agreed. If you say yes, @ana_alt has the role from now on, and @ana loses it. What is paid stays as it is. [Yes, move it to @ana_alt] [Not you? Use another Discord account]
        warning Move it from @ana to @ana_alt?: @ana has agreed. If you say yes, @ana_alt has the role from now on, and @ana loses it. What is paid stays as it is. What came to an account a short while ago, or was moved before, rests there until 1 January 1970, 00:00 UTC. The owner of the server can move it at any time. @ana_alt is not in the server. You can go on, and join the server afterwards. [Yes, move it to @ana_alt] [Not you? Use another Discord account]
        warning Not all of it went to @ana_alt: What came to an account a short while ago, or was moved before, rests there until 1 January 1970, 00:00 UTC. The owner of the server can move it at any time. [See your roles]
        warning It cannot be moved now: What came to an account a short while ago, or was moved before, rests there until 1 January 1970, 00:00 UTC. The owner of the server can move it at any time. [See your roles]
        warning There is nothing to take over: Either it was moved already, or more than ten minutes are over, or the other account has logged out. Nothing was changed just now. You are logged in as @ana_alt [See your roles] [Begin again, with the account that has it]
        ");
    }

    #[test]
    fn who_gives_it_up_is_told_first_that_it_is_paid_for_all_the_same() {
        let portal = [PageUrl::parse("https://billing.stripe.com/p/login/test_1").unwrap()];
        let paths = paths();
        let pages = [
            ask_give_up("ana", &portal, "t", &paths),
            ask_give_up("ana", &[], "t", &paths),
            given_up(GivenUp { customers: 1, named: 0 }, "ana", &portal, &paths),
            given_up(GivenUp { customers: 1, named: 1 }, "ana", &[], &paths),
            given_up(GivenUp { customers: 0, named: 1 }, "ana", &portal, &paths),
            given_up(GivenUp::default(), "ana", &portal, &paths),
        ];
        assert!(pages.iter().all(|page| !page.steps.is_empty()));
        insta::assert_snapshot!(pages.map(|page| said(&page)).join("\n"), @r"
        warning Unlink what is paid for from @ana?: This account loses its role here at once, and nobody gets it by that. Unlinking cancels nothing: a subscription is charged as before. To stop paying, cancel it at Stripe. This account can claim it again at any time; another one from a week after this account claimed it, or within a day of that. [Yes, unlink it from @ana] [Manage or cancel the subscription] [Move it to another account instead]
        warning Unlink what is paid for from @ana?: This account loses its role here at once, and nobody gets it by that. Unlinking cancels nothing: a subscription is charged as before. To stop paying, write to the owner of the server. This account can claim it again at any time; another one from a week after this account claimed it, or within a day of that. [Yes, unlink it from @ana] [Move it to another account instead]
        good It is not linked to @ana any more: The role is being taken from this account. Unlinking cancels nothing: a subscription is charged as before. [Manage or cancel the subscription] [Not you? Use another Discord account]
        good It is not linked to @ana any more: The role is being taken from this account. Unlinking cancels nothing: a subscription is charged as before. The owner of the server has noted at Stripe whose it is, so it cannot be changed here. Write to them. [Not you? Use another Discord account]
        warning It cannot be unlinked here: The owner of the server has noted at Stripe whose it is, so it cannot be changed here. Write to them. You are logged in as @ana [See your roles]
        neutral Nothing is linked to you here: Nothing that is paid for is linked to this account here. Log in with the account that has it. You are logged in as @ana [Not you? Use another Discord account]
        ");
    }
}
