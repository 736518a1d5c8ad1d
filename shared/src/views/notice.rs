//! A message to a member about a payment that failed. In: what is told, and what server and roles are called. Out: a document without
//! amounts, and without ids: the conversation is in no server, so that a role's id says nothing there.

use std::collections::BTreeMap;

use super::document::{Document, Line, Message, Section, Tone, Value, message};
use crate::{
    actions::notices::Switched,
    domain::{
        billing::page::PayPage,
        notices::{NoticeKind, Pages, Told},
    },
    ids::RoleId,
};

pub fn document(told: &Told, server: &str, names: &BTreeMap<RoleId, String>) -> Document {
    let (title, text, tone) = match told.kind {
        NoticeKind::Began => (message("notice-began-title"), message("notice-began"), Tone::Warning),
        NoticeKind::Halfway => (message("notice-halfway-title"), message("notice-halfway"), Tone::Warning),
        NoticeKind::LastDay => (message("notice-last-day-title"), message("notice-last-day"), Tone::Bad),
        NoticeKind::Ended => (message("notice-ended-title"), message("notice-ended"), Tone::Bad),
        NoticeKind::Restored => (message("notice-restored-title"), message("notice-restored"), Tone::Good),
    };
    let about = |text: Message| text.with("count", told.roles.len());
    let text = about(text)
        .with("what", about(message("notice-roles")).with("roles", roles(told, names)))
        .with("server", Value::Code(server.to_owned()))
        .with("end", Value::Deadline(told.ends_at));
    let Pages { pay, manage } = &told.pages;
    let manage = manage.as_ref().map(|page| message("notice-manage").with("page", page));
    let said =
        [text].into_iter().chain(what_to_do(told.kind, pay.as_ref()).into_iter().map(about)).chain(manage);
    let from = Section::untitled(vec![message("notice-from").into()]);
    Document {
        title: Some(title),
        tone,
        sections: vec![Section::untitled(said.map(Line::from).collect()), from],
    }
}

/// Whether members are told, after that was changed.
pub fn switched(on: bool, outcome: Switched) -> Document {
    let said = match (on, outcome) {
        (true, Switched::Switched) => message("notices-on"),
        (false, Switched::Switched) => message("notices-off"),
        (true, Switched::AlreadySo) => message("notices-already-on"),
        (false, Switched::AlreadySo) => message("notices-already-off"),
    };
    Document::of_lines(vec![said.into()])
}

/// Their names, a few of them: a line that does not fit is left out as a whole.
fn roles(told: &Told, names: &BTreeMap<RoleId, String>) -> Value {
    const MOST: usize = 5;
    // A role that is not known by a name is still one.
    let name = |role: &RoleId| Value::Code(names.get(role).cloned().unwrap_or_else(|| role.to_string()));
    let mut shown: Vec<Value> = told.roles.iter().take(MOST).map(name).collect();
    let more = told.roles.len() - shown.len();
    if more > 0 {
        shown.push(message("notice-more-roles").with("more", more).into());
    }
    Value::List(shown)
}

/// On the page of the invoice, if that is known to work. An address stands at the end of its line.
fn what_to_do(kind: NoticeKind, pay: Option<&PayPage>) -> Vec<Message> {
    let mut said = match (kind, pay) {
        (NoticeKind::Restored, _) => return Vec::new(),
        (NoticeKind::Ended, Some(PayPage::Works(page))) => {
            vec![message("notice-pay-again-here").with("page", page)]
        }
        (_, Some(PayPage::Works(page))) => {
            vec![message("notice-pay-here").with("page", page), message("notice-nothing-else")]
        }
        (NoticeKind::Ended, _) => vec![message("notice-pay-again")],
        _ => vec![message("notice-pay")],
    };
    if pay == Some(&PayPage::TooOld) {
        said.push(message("notice-pay-old"));
    }
    said
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{domain::billing::page::PageUrl, views::discord};

    const INVOICE: &str = "https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap";
    const PORTAL: &str = "https://billing.stripe.com/p/login/test_aFa5kD";

    fn page(url: &str) -> PageUrl {
        PageUrl::parse(url).unwrap()
    }

    fn said(kind: NoticeKind, names: &[&str], server: &str) -> String {
        said_with(kind, names, server, Pages::default())
    }

    fn said_with(kind: NoticeKind, names: &[&str], server: &str, pages: Pages) -> String {
        let names =
            (7..).map(|id| RoleId::from_u64(id).unwrap()).zip(names.iter().map(|&name| name.to_owned()));
        let names: BTreeMap<_, _> = names.collect();
        let roles = names.keys().copied().collect();
        let told = Told { kind, ends_at: datetime!(2026-12-12 12:00 UTC), roles, pages };
        let embed = discord::render(&document(&told, server, &names));
        format!("{}\n{}", embed.title.unwrap(), embed.description)
    }

    #[test]
    fn each_notice_says_what_happened_until_when_and_what_to_do() {
        let all = [
            NoticeKind::Began,
            NoticeKind::Halfway,
            NoticeKind::LastDay,
            NoticeKind::Ended,
            NoticeKind::Restored,
        ];
        let said: Vec<_> = all.into_iter().map(|kind| said(kind, &["VIP"], "Ana's studio")).collect();
        insta::assert_snapshot!(said.join("\n\n"), @r"
        A payment of yours failed
        A payment for the role `VIP` in the server `Ana's studio` did not go through. You keep the role until <t:1797076800:F> (<t:1797076800:R>).
        Please update your card, or pay, with the seller. Nothing else is needed: the role stays by itself once the payment is there.
        This is an automatic message; nobody reads answers to it.

        A payment of yours is still due
        The payment for the role `VIP` in the server `Ana's studio` is still due. You keep the role until <t:1797076800:F> (<t:1797076800:R>).
        Please update your card, or pay, with the seller. Nothing else is needed: the role stays by itself once the payment is there.
        This is an automatic message; nobody reads answers to it.

        The last day for a payment of yours
        The payment for the role `VIP` in the server `Ana's studio` is still due. Without it you lose the role at <t:1797076800:F> (<t:1797076800:R>).
        Please update your card, or pay, with the seller. Nothing else is needed: the role stays by itself once the payment is there.
        This is an automatic message; nobody reads answers to it.

        A role of yours has ended
        The payment for the role `VIP` in the server `Ana's studio` did not come, so you do not have it any more.
        If you pay with the seller after all, or buy it again, the role comes back by itself.
        This is an automatic message; nobody reads answers to it.

        Your payment has arrived
        The payment for the role `VIP` in the server `Ana's studio` has arrived: the role is yours. Thank you!
        This is an automatic message; nobody reads answers to it.
        ");
    }

    #[test]
    fn who_has_to_pay_is_sent_to_the_page_of_the_invoice_if_it_works_and_everybody_to_the_portal() {
        let works = || Some(PayPage::Works(page(INVOICE)));
        let all = |pay: Option<PayPage>| {
            let pages = Pages { pay, manage: Some(page(PORTAL)) };
            let kinds = [NoticeKind::Began, NoticeKind::Ended, NoticeKind::Restored];
            let said: Vec<_> =
                kinds.map(|kind| said_with(kind, &["VIP"], "Ana's studio", pages.clone())).into();
            said.join("\n\n")
        };
        insta::assert_snapshot!(all(works()), @r"
        A payment of yours failed
        A payment for the role `VIP` in the server `Ana's studio` did not go through. You keep the role until <t:1797076800:F> (<t:1797076800:R>).
        Please pay on this page of Stripe's: https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap
        Nothing else is needed: the role stays by itself once the payment is there.
        To manage or cancel what you pay for: https://billing.stripe.com/p/login/test_aFa5kD
        This is an automatic message; nobody reads answers to it.

        A role of yours has ended
        The payment for the role `VIP` in the server `Ana's studio` did not come, so you do not have it any more.
        If you pay after all, or buy it again, the role comes back by itself. Stripe's page for the payment: https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap
        To manage or cancel what you pay for: https://billing.stripe.com/p/login/test_aFa5kD
        This is an automatic message; nobody reads answers to it.

        Your payment has arrived
        The payment for the role `VIP` in the server `Ana's studio` has arrived: the role is yours. Thank you!
        To manage or cancel what you pay for: https://billing.stripe.com/p/login/test_aFa5kD
        This is an automatic message; nobody reads answers to it.
        ");
        insta::assert_snapshot!(all(Some(PayPage::TooOld)), @r"
        A payment of yours failed
        A payment for the role `VIP` in the server `Ana's studio` did not go through. You keep the role until <t:1797076800:F> (<t:1797076800:R>).
        Please update your card, or pay, with the seller. Nothing else is needed: the role stays by itself once the payment is there.
        The address of the invoice's page that is known here may not work any more: take the one in the seller's e-mail about the invoice, or ask them for another.
        To manage or cancel what you pay for: https://billing.stripe.com/p/login/test_aFa5kD
        This is an automatic message; nobody reads answers to it.

        A role of yours has ended
        The payment for the role `VIP` in the server `Ana's studio` did not come, so you do not have it any more.
        If you pay with the seller after all, or buy it again, the role comes back by itself.
        The address of the invoice's page that is known here may not work any more: take the one in the seller's e-mail about the invoice, or ask them for another.
        To manage or cancel what you pay for: https://billing.stripe.com/p/login/test_aFa5kD
        This is an automatic message; nobody reads answers to it.

        Your payment has arrived
        The payment for the role `VIP` in the server `Ana's studio` has arrived: the role is yours. Thank you!
        To manage or cancel what you pay for: https://billing.stripe.com/p/login/test_aFa5kD
        This is an automatic message; nobody reads answers to it.
        ");
    }

    #[test]
    fn several_roles_are_named_and_names_are_shown_not_obeyed() {
        let said = said(NoticeKind::LastDay, &["VIP", "`@everyone`"], "<@1> [x](https://evil.example)");
        insta::assert_snapshot!(said, @r"
        The last day for a payment of yours
        The payment for the roles `VIP`, `'@everyone'` in the server `<@1> [x](https://evil.example)` is still due. Without it you lose the roles at <t:1797076800:F> (<t:1797076800:R>).
        Please update your card, or pay, with the seller. Nothing else is needed: the roles stay by themselves once the payment is there.
        This is an automatic message; nobody reads answers to it.
        ");
    }

    #[test]
    fn the_longest_names_fit_an_embed() {
        let long = "n".repeat(100);
        let names = vec![long.as_str(); 250];
        let longest = |host: &str| page(&format!("https://{host}/{}", "x".repeat(1000 - 9 - host.len())));
        let (invoice, portal) = (longest("invoice.stripe.com"), longest("billing.stripe.com"));
        let pages = Pages { pay: Some(PayPage::Works(invoice.clone())), manage: Some(portal.clone()) };
        let said = said_with(NoticeKind::Began, &names, &long, pages);
        assert!(said.contains(invoice.as_str()) && said.contains(portal.as_str()), "{said}");
        assert!(said.chars().count() <= 256 + 4096, "{}", said.chars().count());
        assert!(said.contains("and 245 more") && said.contains("until <t:"), "{said}");
    }
}
