//! Whose a purchase is, where that is odd. In: rows. Out: messages, for a report, a finding and a status alike.

use super::document::{Message, Value, message};
use crate::{
    ids::{GuildId, UserId},
    store::access_sources::Unbacked,
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
