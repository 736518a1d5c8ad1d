//! The Stripe connections of all servers. In: their rows. Out: a list.

use super::document::{Document, Line, Message, Section, Value, message};
use crate::store::stripe_connections::Listed;

pub fn document(connections: &[Listed]) -> Document {
    let line = |c: &Listed| -> Line {
        message("connection")
            .with("guild", c.guild_id)
            .with("mode", mode(c.livemode))
            .with("state", &*c.state)
            .with("label", Value::code(&c.label))
            .with("endpoint", &*c.endpoint_id)
            .into()
    };
    let lines = connections.iter().map(line).collect();
    Document {
        sections: vec![Section::untitled(lines).if_empty(message("connections-none"))],
        ..Document::default()
    }
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
        let said = |connections: &[Listed]| terminal::render(&document(connections));
        insta::assert_snapshot!(said(&[listed(1, true, "active"), listed(2, false, "disconnected")]), @r"
        server 1  live  active  main  /webhooks/stripe/e1
        server 1  test  disconnected  main  /webhooks/stripe/e2
        ");
        insta::assert_snapshot!(said(&[]), @"No Stripe connection yet: start the gateway with GUILD_ID, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET.");
    }
}
