//! `/.well-known/security.txt` (RFC 9116). In: the operator's contact and our address. Out: the file, never expired.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::error::NOT_FOUND;

/// RFC 9116 wants less than a year; researchers should read it again sooner.
const VALID_FOR: Duration = Duration::days(180);

/// What the file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityTxt {
    /// `mailto:…`, `https://…` or `tel:…`.
    contact: String,
    public_url: Option<String>,
}

impl SecurityTxt {
    /// `contact`: an address that [`contact`] made.
    pub fn new(contact: String, public_url: Option<String>) -> Self {
        Self { contact, public_url }
    }

    fn text(&self, now: OffsetDateTime) -> String {
        let expires = (now + VALID_FOR).replace_nanosecond(0).unwrap_or(now);
        // Years of four digits always fit the format.
        let expires = expires.format(&Rfc3339).unwrap_or_default();
        let mut text = format!("Contact: {}\nExpires: {expires}\nPreferred-Languages: en\n", self.contact);
        if let Some(origin) = &self.public_url {
            text.push_str(&format!("Canonical: {origin}/.well-known/security.txt\n"));
        }
        text
    }
}

/// A contact as RFC 9116 writes it; a bare e-mail address becomes `mailto:`. `None` if it is none.
pub fn contact(given: &str) -> Option<String> {
    let plain = given.bytes().all(|byte| byte.is_ascii_graphic());
    let rest = ["mailto:", "https://", "tel:"].iter().find_map(|scheme| given.strip_prefix(scheme));
    match rest {
        Some(rest) => (plain && !rest.is_empty()).then(|| given.to_owned()),
        None => {
            let (name, host) = given.split_once('@')?;
            let good = plain && !name.is_empty() && host.contains('.') && !host.contains(['@', '/', ':']);
            good.then(|| format!("mailto:{given}"))
        }
    }
}

/// The answer; 404 when nobody is named.
pub fn answer(file: Option<&SecurityTxt>) -> Response {
    let Some(file) = file else { return NOT_FOUND.into_response() };
    let text = file.text(shared::clock::now());
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_file_is_as_rfc_9116_wants_it() {
        let file = SecurityTxt::new(
            contact("security@example.com").unwrap(),
            Some("https://roles.example.com".to_owned()),
        );
        assert_eq!(
            file.text(datetime!(2026-11-22 08:00:00.5 UTC)),
            "Contact: mailto:security@example.com\nExpires: 2027-05-21T08:00:00Z\nPreferred-Languages: en\n\
             Canonical: https://roles.example.com/.well-known/security.txt\n"
        );
        let without = SecurityTxt::new("tel:+1".to_owned(), None);
        assert!(!without.text(datetime!(2026-11-22 08:00 UTC)).contains("Canonical"));
    }

    #[test]
    fn a_contact_is_an_address_on_one_line() {
        for (given, expected) in [
            ("security@example.com", Some("mailto:security@example.com")),
            ("mailto:a@b.example", Some("mailto:a@b.example")),
            ("https://example.com/report", Some("https://example.com/report")),
            ("tel:+49-30-1", Some("tel:+49-30-1")),
            ("http://example.com", None),
            ("https://", None),
            ("nobody", None),
            ("a@b", None),
            ("a@b.example\nContact: mailto:evil@example.com", None),
            ("https://example.com/a b", None),
        ] {
            assert_eq!(contact(given).as_deref(), expected, "{given:?}");
        }
    }
}
