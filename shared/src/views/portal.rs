//! What came of pasting the login page of a customer portal. In: an action's outcome. Out: what is said; as an error, why nothing was done.

use super::{
    connections::mode,
    document::{Document, Message, Value, message},
};
use crate::{
    actions::portal::Pasted,
    domain::billing::{page::Unfit, portal::NotALogin},
    ids::GuildId,
};

/// `endpoint`: as it was asked for.
pub fn pasted(guild: GuildId, endpoint: &str, outcome: &Pasted) -> Result<Document, Message> {
    let said = match outcome {
        Pasted::Unknown => {
            let unknown = message("disconnect-unknown");
            return Err(unknown.with("guild", guild).with("endpoint", Value::code(endpoint)));
        }
        Pasted::Refused { livemode, why } => {
            let prefix = if *livemode { "" } else { "test_" };
            let fix = message("portal-fix").with("why", refused(*why, *livemode));
            return Err(fix.with("mode", mode(*livemode)).with("prefix", prefix));
        }
        Pasted::AlreadySo => message("portal-already"),
        Pasted::Kept(page) => message("portal-kept").with("page", page),
        Pasted::Removed => message("portal-removed"),
    };
    Ok(Document::of_lines(vec![said.into()]))
}

fn refused(why: NotALogin, livemode: bool) -> Message {
    match why {
        NotALogin::Unfit(Unfit::NotHttps) => message("portal-unfit-https"),
        NotALogin::Unfit(Unfit::Credentials) => message("portal-unfit-credentials"),
        NotALogin::Unfit(Unfit::Host) => message("portal-unfit-host"),
        NotALogin::Unfit(Unfit::Character) => message("portal-unfit-character"),
        NotALogin::Unfit(Unfit::TooLong) => message("portal-unfit-long"),
        NotALogin::OneCustomers => message("portal-one-customers"),
        NotALogin::AnotherPage => message("portal-another-page"),
        NotALogin::OtherMode { is_test } => {
            message("portal-other-mode").with("of", mode(!is_test)).with("mode", mode(livemode))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::billing::{page::PageUrl, portal},
        views::terminal,
    };

    fn said(outcome: &Pasted) -> String {
        match pasted(GuildId::from_u64(1).unwrap(), "e1", outcome) {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        }
    }

    fn refusal(link: &str, livemode: bool) -> String {
        said(&Pasted::Refused { livemode, why: portal::pasted(link, livemode).unwrap_err() })
    }

    #[test]
    fn what_is_kept_or_gone_is_said_with_what_members_see_then() {
        let page = PageUrl::parse("https://billing.stripe.com/p/login/aFa").unwrap();
        insta::assert_snapshot!(said(&Pasted::Kept(page)), @"Members are sent to https://billing.stripe.com/p/login/aFa to manage or cancel what they pay for, whatever Stripe says of another page.");
        insta::assert_snapshot!(said(&Pasted::Removed), @"What was pasted is forgotten: members are sent to the login page that Stripe says, if it is activated and the key may read Customer portal. `nexrole connections` shows it.");
        insta::assert_snapshot!(said(&Pasted::AlreadySo), @"It was so already.");
        insta::assert_snapshot!(said(&Pasted::Unknown), @"error: server 1 has no connection e1; `nexrole connections` shows all of them");
    }

    #[test]
    fn a_wrong_link_is_refused_with_where_the_right_one_is() {
        insta::assert_snapshot!(refusal("https://billing.stripe.com/p/login/test_aFa", true), @"error: that page is of test mode, and the connection is live. Paste the login link of the customer portal: Stripe (live mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/…, or the same on your own domain");
        insta::assert_snapshot!(refusal("https://billing.stripe.com/p/login/aFa", false), @"error: that page is of live mode, and the connection is test. Paste the login link of the customer portal: Stripe (test mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/test_…, or the same on your own domain");
        insta::assert_snapshot!(refusal("https://billing.stripe.com/p/session/live_YWN", true), @"error: that page is for one customer, and works for minutes; the login page is for all of them. Paste the login link of the customer portal: Stripe (live mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/…, or the same on your own domain");
        insta::assert_snapshot!(refusal("https://dashboard.stripe.com/settings/billing/portal", true), @"error: that is another page of Stripe's. Paste the login link of the customer portal: Stripe (live mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/…, or the same on your own domain");
        insta::assert_snapshot!(refusal("billing.stripe.com/p/login/aFa", true), @"error: that is no address that begins with https://. Paste the login link of the customer portal: Stripe (live mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/…, or the same on your own domain");
        insta::assert_snapshot!(refusal("https://billing.stripe.com/p/login/a b", true), @"error: there is something in that address that does not belong there: a space, a bracket, or a letter that only looks like one. Paste the login link of the customer portal: Stripe (live mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/…, or the same on your own domain");
    }
}
