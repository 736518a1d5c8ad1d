//! Logging in and out. In: who it is, or what went wrong. Out: a page with its next step.

use std::time::Duration;

use super::{
    document::{Message, Tone, Value, message},
    page::Page,
};

/// Why nobody is logged in. What only the operator can mend is in the log, in other words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFailure {
    /// They said no at Discord.
    Denied,
    /// The way back was not the one that began here: another browser, a second use, or too late.
    NotBegunHere,
    /// Discord has too much to do, or does not answer.
    Busy(Option<Duration>),
    /// Nobody can log in before the operator has mended something.
    NotSetUp,
}

/// Why there is nobody, where somebody is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedOut {
    /// There is no session, or it is over.
    Nobody,
    /// The cookie was copied, and its session has ended.
    Copied,
}

/// Somebody is to log in first. `login`: the page that leads to Discord, and back here.
pub fn needed(why: LoggedOut, login: &str) -> Page {
    let (title, tone, lines) = match why {
        LoggedOut::Nobody => (message("page-log-in-first"), Tone::Question, vec![message("page-log-in-why")]),
        LoggedOut::Copied => {
            (message("page-session-copied"), Tone::Warning, vec![message("page-session-copied-why")])
        }
    };
    Page::new(title, tone, lines).link(message("page-log-in"), login)
}

/// The browser goes on by itself, or by a click.
pub fn going_on(path: &str) -> Page {
    Page::new(message("page-going-on"), Tone::Neutral, vec![]).link(message("page-go-on"), path)
}

pub fn failed(failure: LoginFailure, login: &str) -> Page {
    let page = |title, tone, line| Page::new(title, tone, vec![line]);
    let page = match failure {
        LoginFailure::Denied => page(message("page-denied"), Tone::Neutral, message("page-denied-why")),
        LoginFailure::NotBegunHere => {
            page(message("page-login-stale"), Tone::Warning, message("page-login-stale-why"))
        }
        LoginFailure::Busy(None) => {
            page(message("page-discord-silent"), Tone::Warning, message("page-discord-silent-why"))
        }
        LoginFailure::Busy(Some(wait)) => {
            let seconds = i64::try_from(wait.as_secs().max(1)).unwrap_or(i64::MAX);
            let why = message("page-discord-busy-why").with("seconds", seconds);
            page(message("page-discord-silent"), Tone::Warning, why)
        }
        LoginFailure::NotSetUp => {
            return page(message("page-no-login"), Tone::Bad, message("page-no-login-why"));
        }
    };
    page.link(message("page-try-again"), login)
}

pub fn account(username: &str, form_token: &str) -> Page {
    let form = |page: Page, label, action: &str| page.form(label, action, form_token.to_owned(), Vec::new());
    let page = Page::new(logged_in_as(username), Tone::Good, vec![message("page-account-why")]);
    let page = form(page, message("page-log-out"), "/logout");
    form(page, message("page-log-out-everywhere"), "/logout/everywhere")
}

pub fn logged_out(login: &str) -> Page {
    let page = Page::new(message("page-logged-out"), Tone::Good, vec![message("page-logged-out-why")]);
    page.link(message("page-log-in-again"), login)
}

pub(super) fn logged_in_as(username: &str) -> Message {
    message("page-account").with("name", Value::code(username))
}
