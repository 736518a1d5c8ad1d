//! Whose a purchase is, where that is odd. In: rows. Out: messages, for a report, a finding and a status alike.

use super::document::{Line, Message, Value, message};
use crate::{
    ids::{GuildId, UserId},
    store::{access_sources::Unbacked, member_links::Dispute},
};

/// A customer is linked to one member, and its metadata at Stripe names another: a sentence's part, after the customer.
pub fn dispute(holder: UserId, named: UserId) -> Message {
    message("dispute").with("holder", holder).with("named", named)
}

/// What an operator does about it.
pub fn dispute_fix(guild: GuildId, customer: &str) -> Message {
    message("dispute-fix").with("guild", guild.to_string()).with("customer", customer_option(customer))
}

/// Customers of accounts, or modes, that are not connected any more: the first `shown`, and how many more there are.
pub fn customers(unbacked: &[Unbacked], shown: usize) -> Message {
    let named = unbacked.iter().take(shown).map(|customer| Value::from(&customer.customer_id)).collect();
    message("customers").with("named", Value::List(named)).with("more", unbacked.len().saturating_sub(shown))
}

/// The same, of one server among several, with what helps.
pub fn dispute_in(guild: GuildId, dispute: &Dispute) -> Line {
    let Dispute { customer_id, holder, named } = dispute;
    let said = message("finding-dispute").with("guild", guild).with("customer", customer_id);
    Line::from(said.with("dispute", self::dispute(*holder, *named)))
        .fix(dispute_fix(guild, customer_id.as_str()))
}

/// Roles of one server that are given for purchases of customers whose account, or mode, is not connected any more.
pub fn unbacked_in(guild: GuildId, unbacked: &[Unbacked], shown: usize) -> Line {
    let said = message("finding-unbacked")
        .with("guild", guild)
        .with("roles", roles(unbacked))
        .with("customers", customers(unbacked, shown));
    Line::from(said).fix(message("finding-unbacked-fix").with("guild", guild.to_string()))
}

/// How many roles they are given.
pub fn roles(unbacked: &[Unbacked]) -> i64 {
    unbacked.iter().map(|customer| customer.sources).sum()
}

/// A customer's id on a command line, as a shell and our parser read it back: an id may look like an option.
pub fn customer_option(id: &str) -> String {
    let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./@".contains(&b));
    let word = if is_plain { id.to_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) };
    let sign = if id.starts_with('-') { '=' } else { ' ' };
    format!("--customer{sign}{word}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal::text;

    #[test]
    fn a_finding_of_a_server_names_the_customers_and_what_helps() {
        let guild = GuildId::from_u64(1).unwrap();
        let user = |id| UserId::from_u64(id).unwrap();
        let said = |line: &Line| format!("{}\n{}", text(&line.text), text(line.fix.as_ref().unwrap()));
        let dispute = Dispute { customer_id: "cus_1".parse().unwrap(), holder: user(7), named: user(8) };
        insta::assert_snapshot!(said(&dispute_in(guild, &dispute)), @r"
        server 1: cus_1 is linked to 7, but its metadata at Stripe names 8
        If the metadata is right: `nexrole link remove --guild 1 --customer cus_1`; otherwise correct it at Stripe
        ");
        let unbacked = |n| Unbacked { customer_id: format!("cus_{n}").parse().unwrap(), sources: n };
        let unbacked: Vec<_> = (1..=3).map(unbacked).collect();
        insta::assert_snapshot!(said(&unbacked_in(guild, &unbacked, 2)), @r"
        server 1: 6 role(s) given for purchases on a Stripe account, or in a mode, that is not connected any more: cus_1, cus_2 and 1 more. They do not count as paying, and nothing will show their end
        nexrole link remove --guild 1 --customer … ends what a customer gives; or connect the account again
        ");
    }

    #[test]
    fn a_customer_is_one_word_to_a_shell_and_no_option() {
        for (id, option) in [
            ("cus_1", "--customer cus_1"),
            ("lena@example.com", "--customer lena@example.com"),
            ("o'neill $HOME", r"--customer 'o'\''neill $HOME'"),
            ("--guild", "--customer=--guild"),
        ] {
            assert_eq!(customer_option(id), option);
        }
    }
}
