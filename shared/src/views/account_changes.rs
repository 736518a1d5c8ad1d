//! What came of connecting or disconnecting a Stripe account. In: an action's outcome. Out: what is said; as an error, why nothing
//! was done.

use super::{
    connections::mode,
    document::{Document, Line, Message, Value, message},
};
use crate::{
    actions::{
        connect::{Account, Connected, Webhook},
        disconnect::Disconnected,
    },
    ids::GuildId,
};

pub fn connected(guild: GuildId, account: &Account<'_>, outcome: &Connected) -> Result<Document, Message> {
    let (endpoint, webhook) = match outcome {
        Connected::Connected { endpoint_id, webhook } => (endpoint_id, webhook),
        Connected::ReservedLabel => {
            return Err(message("connect-reserved").with("label", Value::code(account.label)));
        }
    };
    let webhook = match webhook {
        Webhook::Given => None,
        Webhook::Kept => Some(message("connected-secret-kept")),
        Webhook::None => Some(message("connected-no-secret")),
    };
    let mut lines: Vec<Line> = vec![
        message("connected").with("guild", guild).with("mode", mode(account.livemode)).into(),
        message("connected-endpoint").with("endpoint", &**endpoint).into(),
    ];
    lines.extend(webhook.map(Line::from));
    lines.push(message("connected-portal").with("guild", guild).with("endpoint", &**endpoint).into());
    Ok(Document::of_lines(lines))
}

/// `endpoint`: as it was asked for.
pub fn disconnected(guild: GuildId, endpoint: &str, outcome: &Disconnected) -> Result<Document, Message> {
    let lines = match outcome {
        Disconnected::Unknown => {
            let unknown = message("disconnect-unknown");
            return Err(unknown.with("guild", guild).with("endpoint", Value::code(endpoint)));
        }
        Disconnected::AlreadySo => vec![message("disconnected-already")],
        Disconnected::Disconnected { label, livemode, is_described, frozen } => {
            let said = message("disconnected").with("label", Value::code(label));
            let mut lines = vec![said.with("mode", mode(*livemode)).with("guild", guild)];
            if *frozen > 0 {
                lines.push(message("disconnected-frozen").with("frozen", *frozen));
            }
            if *is_described {
                lines.push(message("disconnected-described"));
            }
            lines
        }
    };
    Ok(Document::of_lines(lines.into_iter().map(Line::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal;

    fn said(outcome: Result<Document, Message>) -> String {
        match outcome {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        }
    }

    fn guild() -> GuildId {
        GuildId::from_u64(1).unwrap()
    }

    #[test]
    fn a_connected_account_is_named_with_the_address_for_stripe_and_never_with_a_key() {
        let connected = |livemode, outcome| {
            let api_key = "rk_hunter2".to_owned().into();
            let account = Account {
                label: "main",
                livemode,
                api_key: &api_key,
                webhook_secrets: None,
                metadata_links: None,
            };
            said(connected(guild(), &account, &outcome))
        };
        let with = |webhook| Connected::Connected { endpoint_id: "e1".to_owned(), webhook };
        insta::assert_snapshot!(connected(true, with(Webhook::Given)), @r"
        Connected server 1 (live).
        Stripe, Workbench, Webhooks: an endpoint at https://YOUR.HOST/webhooks/stripe/e1
        Optional: with Read on Customer portal, members are shown where they manage or cancel what they pay for; or paste its link: `nexrole portal --guild 1 e1 https://billing.stripe.com/p/login/…`
        ");
        insta::assert_snapshot!(connected(false, with(Webhook::Kept)), @r"
        Connected server 1 (test).
        Stripe, Workbench, Webhooks: an endpoint at https://YOUR.HOST/webhooks/stripe/e1
        Its webhook secret stays as it was.
        Optional: with Read on Customer portal, members are shown where they manage or cancel what they pay for; or paste its link: `nexrole portal --guild 1 e1 https://billing.stripe.com/p/login/…`
        ");
        insta::assert_snapshot!(connected(false, with(Webhook::None)), @r"
        Connected server 1 (test).
        Stripe, Workbench, Webhooks: an endpoint at https://YOUR.HOST/webhooks/stripe/e1
        Then connect again with --webhook-secret-file; until then events are polled.
        Optional: with Read on Customer portal, members are shown where they manage or cancel what they pay for; or paste its link: `nexrole portal --guild 1 e1 https://billing.stripe.com/p/login/…`
        ");
        insta::assert_snapshot!(connected(true, Connected::ReservedLabel), @"error: the label 'main' is taken by what variables describe");
    }

    #[test]
    fn a_disconnected_account_says_what_stays_and_what_is_left_to_do() {
        let disconnected = |outcome| said(disconnected(guild(), "e1", &outcome));
        let with = |livemode, is_described, frozen| Disconnected::Disconnected {
            label: "main".to_owned(),
            livemode,
            is_described,
            frozen,
        };
        insta::assert_snapshot!(disconnected(with(true, false, 0)), @"Disconnected 'main' (live) of server 1: it is not read any more, events for it are refused within a minute, and the secrets that were sealed for it are gone. Delete the webhook endpoint and the key at Stripe.");
        insta::assert_snapshot!(disconnected(with(false, true, 3)), @r"
        Disconnected 'main' (test) of server 1: it is not read any more, events for it are refused within a minute, and the secrets that were sealed for it are gone. Delete the webhook endpoint and the key at Stripe.
        3 reason(s) for a role stay as they are: nothing says that what was paid for has ended. `nexrole link remove` ends them, customer by customer.
        Variables of the gateway describe it: remove GUILD_ID, STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET there and restart it. Until then it accepts events, and connects this again when it starts.
        ");
        insta::assert_snapshot!(disconnected(Disconnected::AlreadySo), @"It was disconnected already.");
        insta::assert_snapshot!(disconnected(Disconnected::Unknown), @"error: server 1 has no connection e1; `nexrole connections` shows all of them");
    }
}
