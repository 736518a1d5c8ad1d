//! Claiming what one bought, and waiting for the role. In: who asks, what came of it. Out: a page, with one next step.

use super::{
    document::{Message, Tone, Value, message},
    login::logged_in_as,
    page::Page,
};
use crate::{
    actions::claim::{Claimed, NotProven},
    clock::Timestamp,
    domain::claim::{Arrival, Presence},
};

/// Why it cannot be told whether a session is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTold {
    /// Stripe has no such session in the server's account.
    Unknown,
    /// The address does not say which server, and there are several.
    WhichServer,
    /// Stripe did not answer, or cannot be asked now.
    Later,
}

/// Before anything is bound: to whom it would be. `switch`: how to be somebody else.
pub fn question(username: &str, presence: Presence, claim: &str, form_token: &str, switch: &str) -> Page {
    let mut lines = vec![message("claim-question-why")];
    if presence == Presence::Absent {
        lines.push(message("claim-not-in-server").with("name", Value::code(username)));
    }
    let tone = if presence == Presence::Absent { Tone::Warning } else { Tone::Question };
    Page::new(message("claim-question").with("name", Value::code(username)), tone, lines)
        .form(
            message("claim-yes").with("name", Value::code(username)),
            claim,
            form_token.to_owned(),
            Vec::new(),
        )
        .link(message("claim-not-me"), switch)
}

/// What came of a claim that linked nothing; `None`: it did, or the customer was theirs, and [`arrival`] has the rest. `by_email`: where a
/// code can be had instead.
pub fn refused(
    claimed: Claimed,
    username: &str,
    again: &str,
    by_email: Option<&str>,
    others: &Others,
) -> Option<Page> {
    let page = |title: Message, tone, line: Message| {
        Some(Page::new(title, tone, vec![line, message("claim-as").with("name", Value::code(username))]))
    };
    match claimed {
        Claimed::Claimed | Claimed::AlreadyTheirs => None,
        Claimed::SomebodyElses => Some(taken(username, others)),
        Claimed::Rests(until) => Some(rests(until, username, others)),
        Claimed::NotProven(NotProven::NotComplete) => {
            page(message("claim-not-complete"), Tone::Warning, message("claim-not-complete-why"))
                .map(|page| page.link(message("page-try-again"), again))
        }
        Claimed::NotProven(NotProven::TooOld) => match by_email {
            None => page(message("claim-too-old"), Tone::Bad, message("claim-too-old-why")),
            Some(path) => page(message("claim-too-old"), Tone::Warning, message("claim-too-old-by-email"))
                .map(|page| page.link(message("claim-by-email"), path)),
        },
        Claimed::NotProven(NotProven::Guest) => {
            page(message("claim-guest"), Tone::Warning, message("claim-guest-why"))
        }
        Claimed::NotProven(NotProven::ForSomebodyElse) => match by_email {
            None => page(message("claim-held"), Tone::Warning, message("claim-held-why")),
            Some(path) => page(message("claim-held"), Tone::Warning, message("claim-held-by-email"))
                .map(|page| page.link(message("claim-by-email"), path)),
        },
    }
}

/// Where somebody logs in who has a claim's customer, or had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    /// To give it to this account.
    pub to_move: String,
    /// To claim it themselves.
    pub to_claim: String,
}

/// It is somebody else's.
pub(super) fn taken(username: &str, others: &Others) -> Page {
    let lines = vec![message("claim-taken-why"), message("claim-as").with("name", Value::code(username))];
    Page::new(message("claim-taken"), Tone::Bad, lines)
        .link(message("claim-taken-move"), others.to_move.as_str())
}

/// Somebody else gave it up a short while ago.
pub(super) fn rests(until: Timestamp, username: &str, others: &Others) -> Page {
    let why = message("claim-rests-why").with("until", Value::Time(until));
    let lines = vec![why, message("claim-as").with("name", Value::code(username))];
    Page::new(message("claim-rests"), Tone::Warning, lines)
        .link(message("claim-not-me"), others.to_claim.as_str())
}

/// `by_email`: where a code can be had instead, if the address says for which server.
pub fn not_told(why: NotTold, again: &str, by_email: Option<&str>) -> Page {
    match (why, by_email) {
        (NotTold::Unknown, None) => {
            Page::new(message("claim-unknown"), Tone::Bad, vec![message("claim-unknown-why")])
        }
        (NotTold::Unknown, Some(path)) => {
            Page::new(message("claim-unknown"), Tone::Bad, vec![message("claim-unknown-by-email")])
                .link(message("claim-by-email"), path)
        }
        (NotTold::WhichServer, _) => {
            Page::new(message("claim-which-server"), Tone::Bad, vec![message("claim-which-server-why")])
        }
        (NotTold::Later, _) => {
            Page::new(message("claim-later"), Tone::Warning, vec![message("claim-later-why")])
                .link(message("page-try-again"), again)
        }
    }
}

/// How far the role is. `again`: this page. `by_email`: where a code can be had.
pub fn arrival(arrival: Arrival, username: &str, again: &str, by_email: Option<&str>) -> Page {
    let (title, tone, line) = match arrival {
        Arrival::Arrived { roles } => {
            (message("arrival-there").with("count", roles), Tone::Good, message("arrival-there-why"))
        }
        Arrival::OnTheWay => (message("arrival-moving"), Tone::Neutral, message("arrival-moving-why")),
        Arrival::Delayed => (message("arrival-delayed"), Tone::Warning, message("arrival-delayed-why")),
        Arrival::Reading => (message("arrival-reading"), Tone::Neutral, message("arrival-reading-why")),
        Arrival::Rules => (message("arrival-rules"), Tone::Warning, message("arrival-rules-why")),
        Arrival::Join => (message("arrival-join"), Tone::Warning, message("arrival-join-why")),
        Arrival::Unpaid => (message("arrival-unpaid"), Tone::Warning, message("arrival-unpaid-why")),
        Arrival::Unconfirmed => {
            let why = match by_email {
                None => message("arrival-unconfirmed-why"),
                Some(_) => message("arrival-unconfirmed-by-email"),
            };
            (message("arrival-unconfirmed"), Tone::Warning, why)
        }
        Arrival::NoRole => (message("arrival-no-role"), Tone::Warning, message("arrival-no-role-why")),
        Arrival::Nothing => {
            let why = match by_email {
                None => message("arrival-nothing-why"),
                Some(_) => message("arrival-nothing-by-email"),
            };
            (message("arrival-nothing"), Tone::Neutral, why)
        }
    };
    let page = Page::new(title, tone, vec![line, logged_in_as(username)]);
    match (arrival, by_email) {
        (Arrival::Arrived { .. }, _) => page,
        (Arrival::Nothing | Arrival::Unconfirmed, Some(path)) => page.link(message("claim-by-email"), path),
        _ => page.link(message("arrival-look-again"), again),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page;

    fn others() -> Others {
        Others { to_move: "/move".to_owned(), to_claim: "/other".to_owned() }
    }

    fn titles(pages: impl IntoIterator<Item = Page>) -> Vec<String> {
        pages
            .into_iter()
            .map(|page| {
                let texts = page::render(&page.document);
                let steps: Vec<_> = page.steps.iter().map(|step| page::text(&step.label)).collect();
                format!("{} {} [{}]", texts.tone, texts.title, steps.join("] ["))
            })
            .collect()
    }

    #[test]
    fn who_claims_is_asked_first_and_warned_where_it_would_come_to_nothing() {
        let asked = |presence| question("tom_alt", presence, "/claim", "t", "/login");
        insta::assert_snapshot!(titles([asked(Presence::Member), asked(Presence::Absent)]).join("\n"), @r"
        question Is this your purchase, @tom_alt? [Yes, give it to @tom_alt] [Not you? Use another Discord account]
        warning Is this your purchase, @tom_alt? [Yes, give it to @tom_alt] [Not you? Use another Discord account]
        ");
        let warned = page::render(&asked(Presence::Absent).document).sections[0].lines.join("\n");
        assert!(warned.contains("@tom_alt is not in the server"), "{warned}");
    }

    #[test]
    fn every_state_has_its_page_and_at_most_one_next_step() {
        let refusals = [
            Claimed::SomebodyElses,
            Claimed::Rests(Timestamp::UNIX_EPOCH),
            Claimed::NotProven(NotProven::NotComplete),
            Claimed::NotProven(NotProven::TooOld),
            Claimed::NotProven(NotProven::Guest),
            Claimed::NotProven(NotProven::ForSomebodyElse),
        ];
        let arrivals = [
            Arrival::Arrived { roles: 1 },
            Arrival::Arrived { roles: 2 },
            Arrival::OnTheWay,
            Arrival::Delayed,
            Arrival::Reading,
            Arrival::Rules,
            Arrival::Join,
            Arrival::Unpaid,
            Arrival::Unconfirmed,
            Arrival::NoRole,
            Arrival::Nothing,
        ];
        let untold = [NotTold::Unknown, NotTold::WhichServer, NotTold::Later];
        let pages = refusals
            .into_iter()
            .filter_map(|claimed| refused(claimed, "ana", "/again", None, &others()))
            .chain(untold.into_iter().map(|why| not_told(why, "/again", None)))
            .chain(arrivals.into_iter().map(|how| arrival(how, "ana", "/again", None)));
        let pages: Vec<_> = pages.collect();
        assert!(pages.iter().all(|page| page.steps.len() <= 1));
        insta::assert_snapshot!(titles(pages).join("\n"), @r"
        bad This purchase belongs to another account [It is mine: log in with that account]
        warning This purchase cannot be claimed yet [Not you? Use another Discord account]
        warning This purchase is not complete yet [Try again]
        bad This link is too old []
        warning This purchase has no customer []
        warning This purchase is meant for somebody else []
        bad There is no such purchase []
        bad This address is not complete []
        warning We could not check your purchase [Try again]
        good Your role is there []
        good Your roles are there []
        neutral Your role is on its way [Look again]
        warning Your role is delayed [Look again]
        neutral We are checking your purchase [Look again]
        warning Accept the server's rules [Look again]
        warning Join the server [Look again]
        warning Your bank has not paid yet [Look again]
        warning Somebody paid by your link [Look again]
        warning Your purchase is linked to you [Look again]
        neutral Nothing is linked to you here [Look again]
        ");
        assert!(
            [Claimed::Claimed, Claimed::AlreadyTheirs].iter().all(|it| refused(
                *it,
                "ana",
                "/",
                None,
                &others()
            )
            .is_none())
        );
        // Where a code can be sent, that is the next step of whom it helps.
        let by_email = Some("/claim/7/email");
        let pages = [NotProven::TooOld, NotProven::ForSomebodyElse].map(Claimed::NotProven);
        let pages =
            pages.into_iter().filter_map(|claimed| refused(claimed, "ana", "/again", by_email, &others()));
        let arrivals = [Arrival::Nothing, Arrival::Unconfirmed];
        let pages = pages.chain(arrivals.map(|how| arrival(how, "ana", "/again", by_email)));
        let pages = pages.chain([not_told(NotTold::Unknown, "/again", by_email)]);
        insta::assert_snapshot!(titles(pages).join("\n"), @r"
        warning This link is too old [Claim by e-mail]
        warning This purchase is meant for somebody else [Claim by e-mail]
        neutral Nothing is linked to you here [Claim by e-mail]
        warning Somebody paid by your link [Claim by e-mail]
        bad There is no such purchase [Claim by e-mail]
        ");
    }
}
