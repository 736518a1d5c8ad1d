//! The Stripe connections of all servers. In: their rows, and how far each is read. Out: a list.

use super::document::{Document, Line, Message, Section, Value, message};
use crate::{
    domain::billing::{
        portal::{Portal, PortalRead},
        reads_left,
    },
    store::{stripe_connections::Listed, stripe_lists::Progress},
};

pub fn document(connections: &[Listed], progress: &[Progress]) -> Document {
    let line = |c: &Listed| -> Line {
        let line: Line = message("connection")
            .with("guild", c.guild_id)
            .with("mode", mode(c.livemode))
            .with("state", &*c.state)
            .with("label", Value::code(&c.label))
            .with("endpoint", &*c.endpoint_id)
            .into();
        let of_it =
            progress.iter().find(|p| (p.connection.guild, p.connection.id) == (c.guild_id, c.connection_id));
        match of_it.filter(|_| c.state == "active") {
            Some(progress) => line
                .note(reads(progress))
                .note(list(progress))
                .note(
                    progress
                        .error
                        .as_deref()
                        .map(|error| message("connection-list-error").with("error", error)),
                )
                .note(portal(&progress.portal)),
            None => line,
        }
    };
    let lines = connections.iter().map(line).collect();
    Document {
        sections: vec![Section::untitled(lines).if_empty(message("connections-none"))],
        ..Document::default()
    }
}

fn reads(progress: &Progress) -> Message {
    let left = reads_left(progress.granted, progress.reads);
    message("connection-reads")
        .with("reads", thousands(progress.reads.into()))
        .with("left", thousands(left.into()))
        .with("granted", thousands(progress.granted.into()))
}

/// Where members manage or cancel, or why there is no page for that; how to get one, `nexrole doctor` says.
fn portal(portal: &Portal) -> Option<Message> {
    match (&portal.pasted, portal.read.as_ref()) {
        (Some(page), _) => Some(message("connection-portal-pasted").with("page", page)),
        (None, Some(PortalRead::Page(page))) => Some(message("connection-portal").with("page", page)),
        (None, Some(PortalRead::Disabled | PortalRead::Missing)) => {
            Some(message("connection-portal-disabled"))
        }
        (None, Some(PortalRead::Refused)) => Some(message("connection-portal-refused")),
        (None, None) => None,
    }
}

fn list(progress: &Progress) -> Option<Message> {
    let seen = progress.seen?;
    Some(so_far(seen.into(), progress.expected.map(i64::from)))
}

/// How many subscriptions a list has shown so far, and of how many, where that is known.
pub(super) fn so_far(seen: i64, expected: Option<i64>) -> Message {
    // There may be more by now.
    match expected.filter(|expected| *expected >= seen) {
        Some(expected) => {
            message("list-so-far-of").with("seen", thousands(seen)).with("expected", thousands(expected))
        }
        None => message("list-so-far").with("seen", thousands(seen)),
    }
}

/// `4,300`.
pub(super) fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Stripe's word for whether money is real.
pub fn mode(livemode: bool) -> Message {
    if livemode { message("mode-live") } else { message("mode-test") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::billing::page::PageUrl,
        ids::{ConnectionId, GuildId},
        store::stripe_connections::Connection,
        views::terminal,
    };

    #[test]
    fn a_connection_is_a_line_with_its_webhooks_path() {
        let listed = |id, livemode, state: &str| Listed {
            guild_id: GuildId::from_u64(1).unwrap(),
            connection_id: ConnectionId::from_u64(id).unwrap(),
            label: "main".to_owned(),
            livemode,
            endpoint_id: format!("e{id}"),
            state: state.to_owned(),
        };
        let progress = Progress {
            connection: Connection {
                guild: GuildId::from_u64(1).unwrap(),
                id: ConnectionId::from_u64(1).unwrap(),
            },
            seen: None,
            expected: None,
            error: None,
            reads: 1234,
            portal: Portal::default(),
            granted: 10_000,
        };
        let said = |connections: &[Listed], progress: &Progress| {
            terminal::render(&document(connections, std::slice::from_ref(progress)))
        };
        let both = [listed(1, true, "active"), listed(2, false, "disconnected")];
        insta::assert_snapshot!(said(&both, &progress), @r"
        server 1  live  active  main  /webhooks/stripe/e1  (1,234 reads this month, 8,766 of 10,000 left)
        server 1  test  disconnected  main  /webhooks/stripe/e2
        ");
        let reading =
            Progress { seen: Some(4300), expected: Some(10_000), reads: 12_000, ..progress.clone() };
        insta::assert_snapshot!(said(&both[..1], &reading), @"server 1  live  active  main  /webhooks/stripe/e1  (12,000 reads this month, 0 of 10,000 left)  (subscriptions: 4,300 of 10,000 read so far)");
        let page = |url: &str| PageUrl::parse(url).unwrap();
        let portal = |pasted: Option<&str>, read: Option<PortalRead>| {
            let portal = Portal { pasted: pasted.map(page), read };
            let document = document(&both[..1], &[Progress { portal, ..progress.clone() }]);
            terminal::render(&document).rsplit_once("  (").unwrap().1.to_owned()
        };
        let read = PortalRead::Page(page("https://billing.stripe.com/p/login/aFa"));
        insta::assert_snapshot!(portal(None, Some(read.clone())), @"manage or cancel: https://billing.stripe.com/p/login/aFa)");
        insta::assert_snapshot!(portal(Some("https://example.com/account"), Some(read)), @"manage or cancel, as pasted: https://example.com/account)");
        insta::assert_snapshot!(portal(None, Some(PortalRead::Disabled)), @"no page to manage or cancel: the customer portal's login link is not activated)");
        insta::assert_snapshot!(portal(None, Some(PortalRead::Refused)), @"no page to manage or cancel: the key may not read Customer portal)");
        let failing = Progress { seen: Some(100), error: Some("Stripe did not answer".into()), ..progress };
        insta::assert_snapshot!(said(&both[..1], &failing), @"server 1  live  active  main  /webhooks/stripe/e1  (1,234 reads this month, 8,766 of 10,000 left)  (subscriptions: 100 read so far)  (they cannot be read on: Stripe did not answer)");
        insta::assert_snapshot!(said(&[], &failing), @"No Stripe connection yet: start the gateway with GUILD_ID, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET.");
    }
}
