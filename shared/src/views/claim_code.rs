//! Claiming by a code that is sent by e-mail. In: who asks, what they typed, what came of it. Out: a page, with one next step. No page says
//! whether an address is a customer's.

use super::{
    claim::{Others, rests, taken},
    document::{Message, Tone, Value, message},
    login::logged_in_as,
    page::{Input, InputKind, Page},
};
use crate::{
    actions::{
        redeem_claim_code::{Links, Redeemed},
        send_claim_code::Sent,
    },
    clock::Timestamp,
    domain::claim_code::LIVES,
};

/// The fields of the two forms.
pub const ADDRESS: &str = "email";
pub const CODE: &str = "code";

/// Which address was paid with? `typed`: what is none, and was sent.
pub fn ask_address(username: &str, here: &str, form_token: String, typed: Option<String>) -> Page {
    let wrong = typed.is_some().then(|| message("code-address-wrong"));
    let label = message("code-address-label");
    let value = typed.unwrap_or_default();
    let input = Input { name: ADDRESS, label, kind: InputKind::Email, value, wrong };
    let lines = vec![message("code-address-why"), logged_in_as(username)];
    Page::new(message("code-address"), Tone::Question, lines).ask(
        message("code-send"),
        here,
        form_token,
        input,
    )
}

/// What stands in the mail? `left`: tries, after a wrong one. `other`: where another is asked for.
pub fn ask_code(here: &str, form_token: String, left: Option<i32>, other: &str) -> Page {
    let wrong = left.map(|left| message("code-wrong").with("left", i64::from(left)));
    let label = message("code-label");
    let input = Input { name: CODE, label, kind: InputKind::Code, value: String::new(), wrong };
    let minutes = i64::try_from(LIVES.as_secs() / 60).unwrap_or(i64::MAX);
    let lines = vec![message("code-sent-why").with("minutes", minutes), message("code-sent-slow")];
    Page::new(message("code-sent"), Tone::Question, lines)
        .ask(message("code-use"), here, form_token, input)
        .link(message("code-other"), other)
}

/// Why none is sent; `None`: one is on its way, as far as anybody is told.
pub fn not_sent(sent: Sent) -> Option<Page> {
    match sent {
        Sent::OnItsWay(_) => None,
        Sent::TooMany => Some(Page::new(
            message("code-too-many"),
            Tone::Warning,
            vec![message("code-too-many-why"), message("code-write-to-owner")],
        )),
        Sent::Locked(until) => Some(locked(until)),
    }
}

/// What came of a code that linked nothing and cannot be typed once more; `None`: it linked, or [`ask_code`] asks again.
pub fn refused(redeemed: Redeemed, username: &str, other: &str, others: &Others) -> Option<Page> {
    match redeemed {
        Redeemed::Linked(Links { linked: 0, already: 0, taken: 1.., .. }) => Some(taken(username, others)),
        Redeemed::Linked(Links { linked: 0, already: 0, taken: 0, rests_until: Some(until) }) => {
            Some(rests(until, username, others))
        }
        Redeemed::Linked(_) | Redeemed::Wrong(_) => None,
        Redeemed::Locked(until) => Some(locked(until)),
        Redeemed::Gone => Some(
            Page::new(message("code-gone"), Tone::Warning, vec![message("code-gone-why")])
                .link(message("code-other"), other),
        ),
    }
}

fn locked(until: Timestamp) -> Page {
    let why = message("code-locked-why").with("until", Value::Time(until));
    Page::new(message("code-locked"), Tone::Bad, vec![why, message("code-write-to-owner")])
}

/// Why no code can be sent at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCodes {
    /// The operator has no mail server.
    NoMail,
    /// Nobody sells anything in this server, as far as is known.
    UnknownServer,
}

pub fn none(why: NoCodes) -> Page {
    let page = |title: Message, line| Page::new(title, Tone::Bad, vec![line]);
    match why {
        NoCodes::NoMail => page(message("code-none"), message("code-none-why")),
        NoCodes::UnknownServer => page(message("claim-no-server"), message("claim-no-server-why")),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::views::page;

    fn said(page: &Page) -> String {
        let texts = page::render(&page.document);
        let steps: Vec<_> = page.steps.iter().map(|step| page::text(&step.label)).collect();
        format!(
            "{} {}: {} [{}]",
            texts.tone,
            texts.title,
            texts.sections[0].lines.join(" "),
            steps.join("] [")
        )
    }

    #[test]
    fn every_answer_has_its_page() {
        let until = Timestamp::UNIX_EPOCH;
        let links = |linked, already, taken| Links { linked, already, taken, rests_until: None };
        let linked = |linked, already, taken| Redeemed::Linked(links(linked, already, taken));
        let rests = Redeemed::Linked(Links { rests_until: Some(until), ..links(0, 0, 0) });
        let others = Others { to_move: "/move".to_owned(), to_claim: "/email".to_owned() };
        let refused = |redeemed, other| refused(redeemed, "ana", other, &others);
        let pages = [
            Some(ask_address("ana", "/here", "t".to_owned(), None)),
            Some(ask_code("/here", "t".to_owned(), None, "/other")),
            not_sent(Sent::TooMany),
            not_sent(Sent::Locked(until)),
            refused(linked(0, 0, 2), "/other"),
            refused(rests, "/other"),
            refused(Redeemed::Locked(until), "/other"),
            refused(Redeemed::Gone, "/other"),
            Some(none(NoCodes::NoMail)),
            Some(none(NoCodes::UnknownServer)),
        ];
        let pages: Vec<_> = pages.iter().map(|page| said(page.as_ref().unwrap())).collect();
        insta::assert_snapshot!(pages.join("\n"), @r"
        question Claim by e-mail: Type the e-mail address that you paid with. If a purchase has it, a code is sent there. With the code, the purchase is yours. You are logged in as @ana [Send me a code]
        question Check your e-mail: If a purchase has this address, a code of eight digits is on its way. It counts once, for 10 minutes. Mail to a company can take some minutes, and some mail ends among what is unwanted. If nothing comes, you paid with another address. [Use this code] [Send another code]
        warning Too many codes were asked for: Nothing was sent this time. Try again in an hour. You can also write to the owner of the server: they see your payment, and can link it to you. []
        bad Too many wrong codes: Until 1 January 1970, 00:00 UTC, no code to this address counts for you. Nothing is lost: whoever paid keeps what they paid for. You can also write to the owner of the server: they see your payment, and can link it to you. []
        bad This purchase belongs to another account: Somebody has claimed it with another Discord account. If that account is yours, log in with it, and move the purchase to this one. If it is not, or it is gone, write to the owner of the server: they can move it. You are logged in as @ana. [It is mine: log in with that account]
        warning This purchase cannot be claimed yet: Another account unlinked it a short while ago. That account can claim it again now, and any account from 1 January 1970, 00:00 UTC on. The owner of the server can link it at any time. You are logged in as @ana. [Not you? Use another Discord account]
        bad Too many wrong codes: Until 1 January 1970, 00:00 UTC, no code to this address counts for you. Nothing is lost: whoever paid keeps what they paid for. You can also write to the owner of the server: they see your payment, and can link it to you. []
        warning This code does not count any more: It was used, is older than ten minutes, or a newer one was sent. [Send another code]
        bad No codes are sent here: Whoever runs this site has not set up mail. Write to the owner of the server: they see your payment, and can link it to you. []
        bad Nothing is sold here: The address of this page is not right, or the owner of the server has not connected Stripe yet. Please tell them. []
        ");
        for nothing in [
            not_sent(Sent::OnItsWay(Uuid::nil())),
            refused(linked(1, 0, 1), "/other"),
            refused(linked(0, 1, 1), "/other"),
            refused(Redeemed::Wrong(4), "/other"),
        ] {
            assert_eq!(nothing, None);
        }
    }

    #[test]
    fn what_was_typed_wrongly_is_said_where_it_is_typed() {
        let wrong = |page: &Page| {
            let page::To::Form { input: Some(input), .. } = &page.steps[0].to else {
                panic!("a line to type")
            };
            (input.value.clone(), input.wrong.as_ref().map(page::text).unwrap_or_default())
        };
        let address = ask_address("ana", "/here", "t".to_owned(), Some("ana@".to_owned()));
        assert_eq!(wrong(&address), ("ana@".to_owned(), "This is not an e-mail address.".to_owned()));
        let one_left = ask_code("/here", "t".to_owned(), Some(1), "/other");
        assert_eq!(wrong(&one_left), (String::new(), "That is not the code. One try is left.".to_owned()));
        let two_left = ask_code("/here", "t".to_owned(), Some(2), "/other");
        assert_eq!(wrong(&two_left).1, "That is not the code. 2 tries are left.");
    }
}
