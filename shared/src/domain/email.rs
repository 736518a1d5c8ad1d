//! An e-mail address, as somebody typed it or Stripe holds it. In: text. Out: an [`EmailAddress`], which knows whether two are one mailbox.
//!
//! Two are the same if they differ in capitals alone, or in how an international domain is written (IDNA). Dots and what follows a plus
//! tell mailboxes apart at most providers: they are never left out, and no letter stands for one that looks like it.

use std::fmt;

/// RFC 5321, 4.5.3.1.
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// Shown by nothing: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress {
    typed: String,
    local: String,
    /// In ASCII, small letters.
    domain: String,
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

impl EmailAddress {
    /// `None`: it is no address, or one that mail servers without SMTPUTF8 do not take: what stands before the @ is ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.trim().rsplit_once('@')?;
        let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let is_local = (1..=LONGEST_LOCAL).contains(&local.len())
            && local.bytes().all(is_atom)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        let domain = idna::domain_to_ascii(domain).ok()?;
        let is_label = |label: &str| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_domain = domain.contains('.') && domain.split('.').all(is_label);
        let fits = is_local && is_domain && local.len() + 1 + domain.len() <= LONGEST;
        fits.then(|| Self { typed: text.trim().to_owned(), local: local.to_owned(), domain })
    }

    /// As it came.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// As it is written to: the domain in ASCII.
    pub fn spelled(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The same text for all spellings of one mailbox, and for no two mailboxes.
    pub fn normal(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }

    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        EmailAddress::parse(one).unwrap().is_same_mailbox(&EmailAddress::parse(other).unwrap())
    }

    #[test]
    fn capitals_and_ways_to_write_a_domain_are_the_same_mailbox() {
        for (one, other) in [
            ("ana@example.com", "Ana@Example.COM"),
            (" ana@example.com ", "ana@example.com"),
            ("ana@bücher.example", "ana@xn--bcher-kva.example"),
            ("ana@BÜCHER.example", "ana@bücher.example"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn dots_tags_and_letters_that_look_alike_are_other_mailboxes() {
        for (one, other) in [
            ("ana.meier@gmail.com", "anameier@gmail.com"),
            ("ana+shop@example.com", "ana@example.com"),
            ("ana@example.com", "ana@example.co"),
            ("ana@gmail.com", "ana@googlemail.com"),
            // A Cyrillic а in the domain.
            ("ana@paypal.com", "ana@pаypal.com"),
            ("ana@example.com", "ana@examp1e.com"),
            ("ana@i.example", "ana@ı.example"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in [
            "",
            "@",
            "ana",
            "ana@",
            "@example.com",
            "ana@example",
            "a na@example.com",
            "ana@exa mple.com",
            "ana@@example.com",
            "\"ana\"@example.com",
            ".ana@example.com",
            "ana..b@example.com",
            "ana@.com",
            "ana@-a.com",
            "ana@[127.0.0.1]",
            "ana@example.com\r\nBcc: b@example.com",
            "<ana@example.com>",
            "аna@example.com",
            "ana@example.com,b@example.com",
            "ana@example..com",
            "ana@example.com.",
        ] {
            assert_eq!(EmailAddress::parse(text), None, "{text:?}");
        }
        assert_eq!(EmailAddress::parse(&format!("{}@example.com", "a".repeat(65))), None);
        assert_eq!(EmailAddress::parse(&format!("a@{}.com", "a.".repeat(130))), None);
    }

    #[test]
    fn debug_shows_none_of_it() {
        assert_eq!(format!("{:?}", EmailAddress::parse("ana@example.com").unwrap()), "EmailAddress(…)");
    }
}
