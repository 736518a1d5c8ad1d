//! Stripe's own pages, which members are sent to. In: an address, as Stripe or an owner says it. Out: one that is fit to be shown.

use std::{fmt, time::Duration};

use crate::{clock::Timestamp, ids::InvoiceId};

/// In bytes. Stripe's have about 250, and a message to a member has room for two of these beside its words.
const LONGEST: usize = 1000;
/// What an address may have beside letters and digits: nothing that Markdown, a terminal or a sentence takes for its own.
const MARKS: &[u8] = b"-._~/?#&=+%,:;@!$";

/// What Stripe promises of an address that the API answered, even of an invoice that is long due
/// (<https://docs.stripe.com/invoicing/hosted-invoice-page>).
const WORKS_FOR: time::Duration = time::Duration::days(10);
/// A list of subscriptions, which is read daily, replaces an address that is older: long before it may have stopped to work, and
/// seldom, though Stripe answers another one each time.
pub const RENEWED_AFTER: Duration = Duration::from_secs(5 * 24 * 3600);

/// The address of a page: https, a host by its name, and nothing else that a browser would act on. Whoever has an invoice's may see and
/// pay it, so that it is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageUrl(String);

/// Why an address is not shown to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It does not begin with `https://`.
    NotHttps,
    /// A user name, a password or a port before the first `/`.
    Credentials,
    /// No host by its name: none, or a number.
    Host,
    /// Whitespace, a control character, or one that does not belong into an address.
    Character,
    TooLong,
}

impl PageUrl {
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let rest = text.strip_prefix("https://").ok_or(Unfit::NotHttps)?;
        if text.len() > LONGEST {
            return Err(Unfit::TooLong);
        }
        if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || MARKS.contains(&b)) {
            return Err(Unfit::Character);
        }
        let (host, _) = split(rest);
        if host.contains(['@', ':']) {
            return Err(Unfit::Credentials);
        }
        if !is_name(host) {
            return Err(Unfit::Host);
        }
        Ok(Self(text.to_owned()))
    }

    /// To be shown or kept, and never logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In small letters.
    pub fn host(&self) -> String {
        split(&self.0["https://".len()..]).0.to_ascii_lowercase()
    }

    /// From the first `/` to the query.
    pub fn path(&self) -> &str {
        let rest = split(&self.0["https://".len()..]).1;
        rest.find(['?', '#']).map_or(rest, |end| &rest[..end])
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}/…", self.host())
    }
}

/// Host and the rest, where a browser sees its end.
fn split(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// `invoice.stripe.com`: names with a dot, of which the last is no number.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_inside = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_top = |label: &str| label.len() > 1 && label.starts_with(|c: char| c.is_ascii_alphabetic());
    host.len() <= 253
        && host.split('.').all(is_label)
        && host.rsplit_once('.').is_some_and(|(_, top)| is_top(top))
}

/// What was shown of the invoice that a subscription had last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LatestInvoice {
    /// It was not shown: what is known of it stays.
    NotShown,
    /// It cannot be paid on a page: it is paid, void, given up or not final, or its payment would not bring the subscription back.
    NotPayable,
    /// It is open, and this is where it is paid.
    Open { id: InvoiceId, page: PageUrl },
}

impl LatestInvoice {
    pub fn id(&self) -> Option<&InvoiceId> {
        match self {
            Self::Open { id, .. } => Some(id),
            Self::NotShown | Self::NotPayable => None,
        }
    }

    pub fn page(&self) -> Option<&PageUrl> {
        match self {
            Self::Open { page, .. } => Some(page),
            Self::NotShown | Self::NotPayable => None,
        }
    }
}

/// The page of an open invoice, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptPage(Option<(PageUrl, Timestamp)>);

impl KeptPage {
    /// `read_at`: when Stripe answered it. What is not fit to be shown is not kept.
    pub fn new(url: Option<&str>, read_at: Option<Timestamp>) -> Self {
        Self(url.and_then(|url| PageUrl::parse(url).ok()).zip(read_at))
    }

    pub fn at(&self, now: Timestamp) -> Option<PayPage> {
        let (page, read_at) = self.0.as_ref()?;
        Some(if now < *read_at + WORKS_FOR { PayPage::Works(page.clone()) } else { PayPage::TooOld })
    }
}

/// Where an open invoice is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayPage {
    Works(PageUrl),
    /// There is one; the address that is known may not work any more.
    TooOld,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INVOICE: &str = "https://invoice.stripe.com/i/acct_1/test_YWNjdF8x,LDM0Mjk3NjEz0200wpYOWgBE?s=em";

    #[test]
    fn an_address_that_is_shown_is_https_of_a_host_by_its_name() {
        for fit in [
            INVOICE,
            "https://pay.example.com/i/1",
            "https://billing.stripe.com/p/login/test_aFa5kD?prefilled_email=a%40b.example",
            "https://pay.example.com",
            "https://a.example/x@y:z",
        ] {
            assert_eq!(PageUrl::parse(fit).map(|url| url.as_str().to_owned()), Ok(fit.to_owned()));
        }
        let long = format!("https://a.example/{}", "x".repeat(LONGEST));
        for (text, why) in [
            ("http://invoice.stripe.com/i/1", Unfit::NotHttps),
            ("HTTPS://invoice.stripe.com/i/1", Unfit::NotHttps),
            (" https://invoice.stripe.com/i/1", Unfit::NotHttps),
            ("javascript:alert(1)", Unfit::NotHttps),
            ("", Unfit::NotHttps),
            ("https://invoice.stripe.com@evil.example/i/1", Unfit::Credentials),
            ("https://ana:hunter2@invoice.stripe.com/", Unfit::Credentials),
            ("https://invoice.stripe.com:8443/i/1", Unfit::Credentials),
            ("https:///i/1", Unfit::Host),
            ("https://127.0.0.1/i/1", Unfit::Host),
            ("https://localhost/i/1", Unfit::Host),
            ("https://-a.example/", Unfit::Host),
            ("https://a..example/", Unfit::Host),
            ("https://a.example./", Unfit::Host),
            ("https://[::1]/", Unfit::Character),
            ("https://a.example/ x", Unfit::Character),
            ("https://a.example/x\n", Unfit::Character),
            ("https://a.example/)[x](https://evil.example", Unfit::Character),
            ("https://a.example/<@1>", Unfit::Character),
            ("https://a.example/\u{202e}x", Unfit::Character),
            ("https://а.example/", Unfit::Character),
            ("https://a.example\\evil/", Unfit::Character),
            (&long, Unfit::TooLong),
        ] {
            assert_eq!(PageUrl::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn host_and_path_are_what_a_browser_takes_for_them() {
        let parts = |text: &str| {
            let url = PageUrl::parse(text).unwrap();
            (url.host(), url.path().to_owned())
        };
        assert_eq!(parts("https://A.Example/b/c?d/e#f"), ("a.example".into(), "/b/c".into()));
        assert_eq!(parts("https://a.example?x"), ("a.example".into(), String::new()));
        assert_eq!(parts("https://a.example#/x"), ("a.example".into(), String::new()));
    }

    #[test]
    fn what_opens_an_invoice_is_not_in_a_log() {
        let invoice =
            LatestInvoice::Open { id: "in_1".parse().unwrap(), page: PageUrl::parse(INVOICE).unwrap() };
        let said = format!("{invoice:?} {:?}", KeptPage::new(Some(INVOICE), Some(Timestamp::UNIX_EPOCH)));
        assert!(said.contains("https://invoice.stripe.com/…") && !said.contains("acct_1"), "{said}");
    }

    #[test]
    fn a_kept_address_works_for_as_long_as_stripe_promises() {
        let read_at = Timestamp::UNIX_EPOCH;
        let kept = KeptPage::new(Some(INVOICE), Some(read_at));
        let works = Some(PayPage::Works(PageUrl::parse(INVOICE).unwrap()));
        assert_eq!(kept.at(read_at), works);
        assert_eq!(kept.at(read_at + WORKS_FOR - time::Duration::SECOND), works);
        assert_eq!(kept.at(read_at + WORKS_FOR), Some(PayPage::TooOld));
        for none in [
            KeptPage::new(None, Some(read_at)),
            KeptPage::new(Some(INVOICE), None),
            KeptPage::new(Some("http://odd.example"), Some(read_at)),
        ] {
            assert_eq!(none.at(read_at), None);
        }
        assert!(WORKS_FOR >= RENEWED_AFTER * 2, "a list may be missed, and another");
    }

    proptest! {
        /// Whatever is made up, what is taken cannot end a link, begin another, or leave the line.
        #[test]
        fn what_is_taken_is_one_word(text in r"https://[a-z.@:\[\]()<>`*|\\ \n/é-]{0,40}") {
            if let Ok(url) = PageUrl::parse(&text) {
                prop_assert_eq!(url.as_str(), &text);
                prop_assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control() || "()<>[]`*|\\\"'".contains(c)));
                prop_assert!(!url.host().contains(['@', ':', '/']) && url.host().contains('.'));
            }
        }
    }
}
