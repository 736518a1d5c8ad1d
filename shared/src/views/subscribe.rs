//! Subscribing in a server. In: what is sold, or what came of choosing it. Out: a page.

use secrecy::ExposeSecret as _;

use super::{
    document::{Message, Tone, Value, message},
    login::logged_in_as,
    page::Page,
};
use crate::actions::subscribe::{Plan, Standing, Subscribing};

/// The field of a form that says which plan.
pub const PLAN: &str = "plan";

/// Its addresses.
#[derive(Debug, Clone)]
pub struct Paths {
    /// This page.
    pub subscribe: String,
    /// How far the roles are.
    pub roles: String,
}

fn named(text: Message, plan: &Plan) -> Message {
    let name = match plan.names.is_empty() {
        true => message("subscribe-no-name").into(),
        false => Value::List(plan.names.iter().map(|name| Value::Text(name.clone())).collect()),
    };
    let costs = plan.costs.iter().map(|cost| Value::Text(cost.clone())).collect();
    text.with("name", name).with("costs", Value::List(costs))
}

/// What is for sale, one step for each.
pub fn plans(plans: &[Plan], username: &str, form_token: &str, paths: &Paths) -> Page {
    if plans.is_empty() {
        let lines = vec![message("subscribe-none-why"), logged_in_as(username)];
        return Page::new(message("subscribe-none"), Tone::Neutral, lines);
    }
    let lines = vec![message("subscribe-why"), logged_in_as(username)];
    let page = Page::new(message("subscribe-title"), Tone::Question, lines);
    plans.iter().fold(page, |page, plan| match &plan.standing {
        Standing::Open => page.form(
            named(message("subscribe-to"), plan),
            paths.subscribe.as_str(),
            form_token.to_owned(),
            vec![(PLAN, plan.id.to_string())],
        ),
        Standing::Subscribed(Some(portal)) => {
            page.link(named(message("subscribe-manage"), plan), portal.as_str())
        }
        Standing::Subscribed(None) => page.link(named(message("subscribe-have"), plan), paths.roles.as_str()),
    })
}

/// What came of choosing one.
pub fn chosen(subscribing: &Subscribing, username: &str, paths: &Paths) -> Page {
    let page =
        |title: Message, tone, line: Message| Page::new(title, tone, vec![line, logged_in_as(username)]);
    match subscribing {
        Subscribing::Link(plan, link) => {
            let lines =
                vec![message("subscribe-link-why"), message("subscribe-link-own"), logged_in_as(username)];
            Page::new(named(message("subscribe-link"), plan), Tone::Good, lines)
                .link(message("subscribe-pay"), link.expose_secret())
        }
        Subscribing::Subscribed(plan) => {
            let page = page(
                named(message("subscribe-already"), plan),
                Tone::Neutral,
                message("subscribe-already-why"),
            );
            match &plan.standing {
                Standing::Subscribed(Some(portal)) => {
                    page.link(message("subscribe-manage-it"), portal.as_str())
                }
                _ => page.link(message("subscribe-roles"), paths.roles.as_str()),
            }
        }
        Subscribing::NotSold => page(message("subscribe-gone"), Tone::Warning, message("subscribe-gone-why"))
            .link(message("subscribe-back"), paths.subscribe.as_str()),
        Subscribing::TooMany => {
            page(message("subscribe-too-many"), Tone::Warning, message("subscribe-too-many-why"))
                .link(message("page-try-again"), paths.subscribe.as_str())
        }
        Subscribing::NotSetUp => {
            page(message("subscribe-not-set-up"), Tone::Bad, message("subscribe-not-set-up-why"))
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::{actions::subscribe::a_plan, domain::billing::page::PageUrl, views::page};

    fn shown(page: &Page) -> String {
        let texts = page::render(&page.document);
        let steps: Vec<_> = page.steps.iter().map(|step| page::text(&step.label)).collect();
        format!("{} {} [{}]", texts.tone, texts.title, steps.join("] ["))
    }

    fn paths() -> Paths {
        Paths { subscribe: "/subscribe/7".to_owned(), roles: "/roles/7".to_owned() }
    }

    #[test]
    fn who_has_something_is_led_to_where_it_is_managed_and_everything_else_is_for_sale() {
        let portal = PageUrl::parse("https://billing.stripe.com/p/login/a").unwrap();
        let offered = [
            a_plan(&["VIP"], Standing::Open),
            a_plan(&["VIP", "Set-up"], Standing::Subscribed(Some(portal))),
            a_plan(&[], Standing::Subscribed(None)),
        ];
        insta::assert_snapshot!(shown(&plans(&offered, "ana", "t", &paths())), @"question Subscribe [VIP: 9.00 USD every month] [Manage VIP, Set-up, which you have] [You have this]");
        insta::assert_snapshot!(shown(&plans(&[], "ana", "t", &paths())), @"neutral Nothing is for sale here []");
    }

    #[test]
    fn what_was_chosen_has_its_page_and_at_most_one_next_step() {
        let portal = PageUrl::parse("https://billing.stripe.com/p/login/a").unwrap();
        let link = SecretString::from("https://buy.stripe.com/x?client_reference_id=nx_ref_secret");
        let outcomes = [
            Subscribing::Link(a_plan(&["VIP"], Standing::Open), link),
            Subscribing::Subscribed(a_plan(&["VIP"], Standing::Subscribed(Some(portal)))),
            Subscribing::Subscribed(a_plan(&["VIP"], Standing::Subscribed(None))),
            Subscribing::NotSold,
            Subscribing::TooMany,
            Subscribing::NotSetUp,
        ];
        assert!(!format!("{outcomes:?}").contains("secret"));
        let pages = outcomes.each_ref().map(|it| chosen(it, "ana", &paths()));
        assert!(pages.iter().all(|page| page.steps.len() <= 1));
        insta::assert_snapshot!(pages.each_ref().map(shown).join("\n"), @r"
        good VIP: 9.00 USD every month [Pay at Stripe]
        neutral You have VIP already [Manage it]
        neutral You have VIP already [Look at your roles]
        warning This is not for sale any more [What is for sale]
        warning You asked for many links [Try again]
        bad This server cannot make links []
        ");
    }
}
