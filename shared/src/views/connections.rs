//! The Stripe connections of all servers. In: their rows, and how far each is read. Out: a list.

use super::document::{Document, Line, Message, Section, Value, message};
use crate::{
    domain::billing::READS_GRANTED,
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
            Some(progress) => line.note(reads(progress.reads)).note(list(progress)).note(
                progress.error.as_deref().map(|error| message("connection-list-error").with("error", error)),
            ),
            None => line,
        }
    };
    let lines = connections.iter().map(line).collect();
    Document {
        sections: vec![Section::untitled(lines).if_empty(message("connections-none"))],
        ..Document::default()
    }
}

fn reads(reads: i32) -> Message {
    let left = READS_GRANTED.saturating_sub(reads).max(0);
    message("connection-reads").with("reads", thousands(reads.into())).with("left", thousands(left.into()))
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
fn thousands(number: i64) -> String {
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
        };
        let said = |connections: &[Listed], progress: &Progress| {
            terminal::render(&document(connections, std::slice::from_ref(progress)))
        };
        let both = [listed(1, true, "active"), listed(2, false, "disconnected")];
        insta::assert_snapshot!(said(&both, &progress), @r"
        server 1  live  active  main  /webhooks/stripe/e1  (1,234 reads this month, 8,766 left of those that every account has)
        server 1  test  disconnected  main  /webhooks/stripe/e2
        ");
        let reading =
            Progress { seen: Some(4300), expected: Some(10_000), reads: 12_000, ..progress.clone() };
        insta::assert_snapshot!(said(&both[..1], &reading), @"server 1  live  active  main  /webhooks/stripe/e1  (12,000 reads this month, 0 left of those that every account has)  (subscriptions: 4,300 of 10,000 read so far)");
        let failing = Progress { seen: Some(100), error: Some("Stripe did not answer".into()), ..progress };
        insta::assert_snapshot!(said(&both[..1], &failing), @"server 1  live  active  main  /webhooks/stripe/e1  (1,234 reads this month, 8,766 left of those that every account has)  (subscriptions: 100 read so far)  (they cannot be read on: Stripe did not answer)");
        insta::assert_snapshot!(said(&[], &failing), @"No Stripe connection yet: start the gateway with GUILD_ID, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET.");
    }
}
