//! Words and lines that several commands say.

use shared::{
    domain::delivery::refusal::Closed,
    ids::{GuildId, UserId},
};
use time::{OffsetDateTime, macros::format_description};

/// What became of a role, and what to do about it.
pub(super) const DELETED: &str = "was deleted in Discord: nobody can be given it. Map another role to what it was sold by (`nexrole map add`)";

/// Why nothing is changed in the whole server, and for how long.
pub(super) fn held_up(closed: Closed) -> String {
    let until = when(closed.until());
    match closed {
        Closed::Refused(_) => format!("{closed}: tried again {until}, or when the bot is invited"),
        Closed::ToldToWait(_) => format!("{closed}: the next one {until}"),
    }
}

/// A customer is linked to one member, and its metadata names another: what helps.
pub(crate) fn dispute(guild: GuildId, customer: &str, holder: UserId, named: UserId) -> String {
    format!(
        "is linked to {holder}, but its metadata at Stripe names {named}. If the metadata is right: `nexrole link remove --guild \
         {guild} {}`; otherwise correct it at Stripe",
        customer_option(customer)
    )
}

/// A customer's id on a command line, as a shell and our parser read it back: an id may look like an option.
pub(super) fn customer_option(id: &str) -> String {
    let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./@".contains(&b));
    let word = if is_plain { id.to_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) };
    let sign = if id.starts_with('-') { '=' } else { ' ' };
    format!("--customer{sign}{word}")
}

pub(super) fn lines<T>(items: &[T], none: &str, line: impl Fn(&T) -> String) {
    if items.is_empty() {
        println!("  {none}");
    }
    for item in items {
        println!("  {}", line(item));
    }
}

pub(super) fn when(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.format(format).unwrap_or_else(|_| at.to_string())
}
