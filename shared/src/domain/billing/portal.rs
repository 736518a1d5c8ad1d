//! The login page of Stripe's customer portal, on which members manage or cancel what they pay for. In: what an owner pasted, and what
//! the account's configuration says. Out: the page that is shown, or why there is none.

use super::page::{PageUrl, Unfit};

/// Where Stripe has it, unless the account has a domain of its own
/// (<https://docs.stripe.com/customer-management/activate-no-code-customer-portal>).
const HOST: &str = "billing.stripe.com";
const LOGIN: &str = "/p/login/";
/// A page for one customer, for minutes (<https://docs.stripe.com/api/customer_portal/sessions>).
const SESSION: &str = "/p/session/";
const TEST: &str = "test_";

/// What the account's default configuration of the portal said when it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortalRead {
    Page(PageUrl),
    /// Its login page is not activated.
    Disabled,
    /// There is no default configuration: nobody has saved one.
    Missing,
    /// The key may not read it.
    Refused,
}

impl PortalRead {
    /// The word in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Page(_) => "page",
            Self::Disabled => "disabled",
            Self::Missing => "missing",
            Self::Refused => "refused",
        }
    }

    /// `None`: nothing was read, or it is not fit to be shown.
    pub fn kept(word: Option<&str>, url: Option<&str>) -> Option<Self> {
        match word? {
            "page" => PageUrl::parse(url?).ok().map(Self::Page),
            "disabled" => Some(Self::Disabled),
            "missing" => Some(Self::Missing),
            "refused" => Some(Self::Refused),
            _ => None,
        }
    }
}

/// What is known of a connection's portal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Portal {
    /// By the owner; it counts before what was read.
    pub pasted: Option<PageUrl>,
    /// `None`: not yet.
    pub read: Option<PortalRead>,
}

impl Portal {
    /// Where members are sent to.
    pub fn page(&self) -> Option<&PageUrl> {
        match (&self.pasted, &self.read) {
            (Some(page), _) | (None, Some(PortalRead::Page(page))) => Some(page),
            (None, _) => None,
        }
    }
}

/// Why an address is not taken for the login page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotALogin {
    Unfit(Unfit),
    /// It opens the portal of one customer, and works for minutes.
    OneCustomers,
    /// It is another page of Stripe's.
    AnotherPage,
    /// It is of test mode, and the connection is live, or the reverse.
    OtherMode {
        is_test: bool,
    },
}

/// An address that an owner pasted. `livemode`: the connection's.
pub fn pasted(text: &str, livemode: bool) -> Result<PageUrl, NotALogin> {
    let url = PageUrl::parse(text.trim()).map_err(NotALogin::Unfit)?;
    let host = url.host();
    let token = url.path().strip_prefix(LOGIN).filter(|token| !token.is_empty());
    let is_stripes = host == "stripe.com" || host.ends_with(".stripe.com");
    if url.path().starts_with(SESSION) {
        return Err(NotALogin::OneCustomers);
    }
    if is_stripes && (host != HOST || token.is_none()) {
        return Err(NotALogin::AnotherPage);
    }
    let is_test = token.map(|token| token.starts_with(TEST));
    match is_test {
        Some(is_test) if is_test == livemode => Err(NotALogin::OtherMode { is_test }),
        // A page of the owner's own says nothing of a mode.
        _ => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "https://billing.stripe.com/p/login/aFa5kDbR1";
    const TEST_MODE: &str = "https://billing.stripe.com/p/login/test_aFa5kDbR1";

    fn page(text: &str) -> PageUrl {
        PageUrl::parse(text).unwrap()
    }

    #[test]
    fn a_login_page_is_stripes_of_the_connections_mode_or_the_owners_own() {
        let own = "https://billing.example.com/p/login/aFa5kDbR1";
        for (text, livemode) in [
            (LIVE, true),
            (TEST_MODE, false),
            (own, true),
            ("https://example.com/account", true),
            ("https://example.com/account", false),
        ] {
            assert_eq!(pasted(&format!(" {text}\n"), livemode), Ok(page(text)), "{text}");
        }
        let other = |is_test| NotALogin::OtherMode { is_test };
        for (text, livemode, why) in [
            (LIVE, false, other(false)),
            (TEST_MODE, true, other(true)),
            ("https://billing.example.com/p/login/test_aFa", true, other(true)),
            (own, false, other(false)),
            ("https://billing.stripe.com/p/session/live_YWN", true, NotALogin::OneCustomers),
            ("https://billing.example.com/p/session/live_YWN", true, NotALogin::OneCustomers),
            ("https://billing.stripe.com/p/login/", true, NotALogin::AnotherPage),
            ("https://billing.stripe.com/p/login?x", true, NotALogin::AnotherPage),
            ("https://billing.stripe.com/", true, NotALogin::AnotherPage),
            ("https://dashboard.stripe.com/settings/billing/portal", true, NotALogin::AnotherPage),
            ("https://buy.stripe.com/p/login/x", true, NotALogin::AnotherPage),
            ("https://stripe.com/p/login/x", true, NotALogin::AnotherPage),
            ("billing.stripe.com/p/login/x", true, NotALogin::Unfit(Unfit::NotHttps)),
            ("https://x@billing.stripe.com/p/login/x", true, NotALogin::Unfit(Unfit::Credentials)),
        ] {
            assert_eq!(pasted(text, livemode), Err(why), "{text}");
        }
        // It only looks like Stripe's.
        assert!(pasted("https://notstripe.com/p/login/x", true).is_ok());
    }

    #[test]
    fn what_the_owner_pasted_counts_before_what_was_read() {
        let read = Some(PortalRead::Page(page(LIVE)));
        let own = Some(page("https://example.com/account"));
        let shown = |pasted: &Option<PageUrl>, read: &Option<PortalRead>| {
            Portal { pasted: pasted.clone(), read: read.clone() }.page().cloned()
        };
        assert_eq!(shown(&own, &read), own);
        assert_eq!(shown(&own, &Some(PortalRead::Refused)), own);
        assert_eq!(shown(&None, &read), Some(page(LIVE)));
        for none in [None, Some(PortalRead::Disabled), Some(PortalRead::Missing), Some(PortalRead::Refused)] {
            assert_eq!(shown(&None, &none), None);
        }
    }

    #[test]
    fn what_was_read_is_kept_as_a_word_and_an_address() {
        for read in
            [PortalRead::Page(page(LIVE)), PortalRead::Disabled, PortalRead::Missing, PortalRead::Refused]
        {
            let url = match &read {
                PortalRead::Page(page) => Some(page.as_str()),
                _ => None,
            };
            assert_eq!(PortalRead::kept(Some(read.as_str()), url), Some(read.clone()));
        }
        for (word, url) in
            [(None, Some(LIVE)), (Some("page"), None), (Some("page"), Some("http://x")), (Some("?"), None)]
        {
            assert_eq!(PortalRead::kept(word, url), None);
        }
    }
}
