//! Mail over SMTP. In: a server, and mails that wait in the database, or one mail's words. Out: what the server said to it.

mod failure;
pub mod queue;
mod server;
mod session;

pub use failure::{Failure, Step, Verdict};
use lettre::Address;
pub use server::{MailConfig, MailServer, Security, read};
pub use session::{LONGEST, Mailer, Session};
use shared::domain::email::EmailAddress;

/// An address as every mail server takes it; `None`: it is none. Its domain is in ASCII: lettre sends it as it was typed, and asks the server
/// for SMTPUTF8.
pub fn address(text: &str) -> Option<Address> {
    EmailAddress::parse(text)?.spelled().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_in_letters_of_its_own_is_written_in_ascii() {
        let written = |text: &str| address(text).map(|address| address.to_string());
        assert_eq!(written("ana@münchen.example").unwrap(), "ana@xn--mnchen-3ya.example");
        assert_eq!(written(" Ana@Example.com").unwrap(), "Ana@example.com");
        assert_eq!(written("ana"), None);
    }
}
