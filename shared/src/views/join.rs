//! The link to a server: logging in, coming in, and why that does not work. In: who opens it, what is theirs there, what came of it. Out: a
//! page, with one next step.

pub use super::login::LoggedOut;
use super::{
    claim,
    document::{Message, Tone, Value, message},
    login::logged_in_as,
    page::Page,
};
use crate::domain::{
    adding::Adding,
    claim::{Arrival, Progress},
};

/// Where its steps lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The link itself.
    pub join: String,
    /// How far their roles are.
    pub roles: String,
    /// To log in, and to allow it.
    pub login: String,
    /// The same for somebody who is logged in.
    pub allow: String,
}

/// No owner has set the server up.
pub fn unknown() -> Page {
    Page::new(message("join-unknown"), Tone::Bad, vec![message("join-unknown-why")])
}

pub fn log_in(why: LoggedOut, paths: &Paths) -> Page {
    match why {
        LoggedOut::Copied => super::login::needed(why, &paths.login),
        LoggedOut::Nobody => {
            let lines =
                vec![message("join-log-in-why"), message("join-allow-why"), message("join-otherwise")];
            Page::new(message("join-log-in"), Tone::Question, lines)
                .link(message("page-log-in"), paths.login.as_str())
        }
    }
}

/// They said no at Discord. `login`: to log in without it.
pub fn denied(login: &str) -> Page {
    Page::new(message("join-denied"), Tone::Neutral, vec![message("join-denied-why")])
        .link(message("join-log-in-only"), login)
}

/// What waits for them in the server.
fn theirs(progress: &Progress) -> Message {
    if progress.due > 0 {
        message("join-theirs").with("count", progress.due)
    } else if progress.is_reading {
        message("join-theirs-read")
    } else {
        message("join-theirs-none")
    }
}

/// They allowed it: are they to be added?
pub fn question(username: &str, progress: &Progress, form_token: &str, paths: &Paths) -> Page {
    let lines = vec![theirs(progress), message("join-question-why")];
    let name = || Value::code(username);
    Page::new(message("join-question").with("name", name()), Tone::Question, lines)
        .form(
            message("join-yes").with("name", name()),
            paths.join.as_str(),
            form_token.to_owned(),
            Vec::new(),
        )
        .link(message("claim-not-me"), paths.allow.as_str())
}

/// They are logged in, and did not allow it yet.
pub fn allow(username: &str, progress: &Progress, paths: &Paths) -> Page {
    let lines =
        vec![theirs(progress), message("join-allow-why"), message("join-otherwise"), logged_in_as(username)];
    Page::new(message("join-allow-title"), Tone::Question, lines)
        .link(message("join-allow"), paths.allow.as_str())
}

/// Somebody clicked a moment ago.
pub fn under_way(paths: &Paths) -> Page {
    Page::new(message("join-under-way"), Tone::Neutral, vec![message("join-under-way-why")])
        .link(message("arrival-look-again"), paths.join.as_str())
}

/// What came of it; `None`: they are there, and the page of their roles has the rest.
pub fn outcome(added: Adding, username: &str, paths: &Paths) -> Option<Page> {
    let page = |title, tone, line| Page::new(title, tone, vec![line, logged_in_as(username)]);
    let look_again = |page: Page| page.link(message("arrival-look-again"), paths.roles.as_str());
    Some(match added {
        Adding::Added { has_rules_to_accept: false } | Adding::AlreadyThere => return None,
        Adding::Added { has_rules_to_accept: true } => {
            claim::arrival(Arrival::Rules, username, &paths.roles, None)
        }
        Adding::NotPermitted => {
            look_again(page(message("join-not-permitted"), Tone::Warning, message("join-not-permitted-why")))
        }
        Adding::Banned => page(message("join-banned"), Tone::Bad, message("join-banned-why")),
        Adding::TooManyServers => page(message("join-too-many"), Tone::Warning, message("join-too-many-why"))
            .link(message("page-try-again"), paths.join.as_str()),
        Adding::TokenOver => page(message("join-token-over"), Tone::Warning, message("join-token-over-why"))
            .link(message("join-allow"), paths.allow.as_str()),
        Adding::BotAway => page(message("join-bot-away"), Tone::Bad, message("join-bot-away-why")),
        Adding::Refused => {
            look_again(page(message("join-refused"), Tone::Warning, message("join-refused-why")))
        }
        Adding::Later { seconds } => {
            let why = message("join-later-why").with("seconds", i64::try_from(seconds).unwrap_or(i64::MAX));
            page(message("join-later"), Tone::Warning, why)
                .link(message("page-try-again"), paths.join.as_str())
        }
        Adding::Unsure => page(message("join-unsure"), Tone::Neutral, message("join-unsure-why"))
            .link(message("arrival-look-again"), paths.join.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page;

    fn paths() -> Paths {
        let [join, roles, login, allow] = ["/join/7", "/roles/7", "/login", "/allow"].map(str::to_owned);
        Paths { join, roles, login, allow }
    }

    fn shown(page: &Page) -> String {
        let texts = page::render(&page.document);
        let steps: Vec<_> = page.steps.iter().map(|step| page::text(&step.label)).collect();
        format!("{} {} [{}]", texts.tone, texts.title, steps.join("] ["))
    }

    #[test]
    fn every_outcome_has_its_page_and_at_most_one_next_step() {
        let outcomes = [
            Adding::Added { has_rules_to_accept: true },
            Adding::NotPermitted,
            Adding::Banned,
            Adding::TooManyServers,
            Adding::TokenOver,
            Adding::BotAway,
            Adding::Refused,
            Adding::Later { seconds: 1 },
            Adding::Unsure,
        ];
        let pages = outcomes.map(|added| outcome(added, "ana", &paths()).unwrap());
        let others = [
            unknown(),
            log_in(LoggedOut::Nobody, &paths()),
            denied("/login"),
            allow("ana", &Progress::default(), &paths()),
            under_way(&paths()),
        ];
        assert!(pages.iter().chain(&others).all(|page| page.steps.len() <= 1));
        let lines: Vec<_> = pages.iter().chain(&others).map(shown).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        warning Accept the server's rules [Look again]
        warning We may not add you to this server [Look again]
        bad You cannot join this server []
        warning You are in too many servers [Try again]
        warning Discord wants you to confirm once more [Continue with Discord]
        bad The bot is not in this server []
        warning Discord did not let you in [Look again]
        warning You could not be added yet [Try again]
        neutral Discord has not answered yet [Look again]
        bad This link leads to no server []
        question Join the server [Log in with Discord]
        neutral You said no [Log in without it]
        question Join the server [Continue with Discord]
        neutral You are being added [Look again]
        ");
        for there in [Adding::Added { has_rules_to_accept: false }, Adding::AlreadyThere] {
            assert_eq!(outcome(there, "ana", &paths()), None);
        }
    }

    #[test]
    fn who_may_join_is_told_what_waits_there() {
        let told = |progress: Progress| {
            let page = question("ana", &progress, "t", &paths());
            page::render(&page.document).sections[0].lines[0].clone()
        };
        let none = Progress::default();
        let lines = [
            Progress { due: 1, ..none },
            Progress { due: 2, ..none },
            Progress { customers: 1, is_reading: true, ..none },
            none,
        ];
        insta::assert_snapshot!(lines.map(told).join("\n"), @r"
        A role is waiting for you there.
        2 roles are waiting for you there.
        We are still checking your purchase. Its role comes by itself.
        Nothing is linked to you there yet. If you have paid, open the page again that you saw after paying; you can join before.
        ");
        let asked = question("ana", &none, "t", &paths());
        insta::assert_snapshot!(shown(&asked), @"question Join the server as @ana? [Join as @ana] [Not you? Use another Discord account]");
    }
}
