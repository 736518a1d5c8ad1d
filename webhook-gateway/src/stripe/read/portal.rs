//! `GET /v1/billing_portal/configurations?is_default=true`.

use serde::Deserialize;
use shared::domain::billing::{page::PageUrl, portal::PortalRead};

use super::Unusable;
use crate::stripe::event::lenient;

/// <https://docs.stripe.com/api/customer_portal/configurations/object>
#[derive(Deserialize)]
pub(in crate::stripe) struct WirePortal {
    #[serde(default, deserialize_with = "lenient")]
    is_default: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    login_page: Option<WireLoginPage>,
}

#[derive(Deserialize)]
struct WireLoginPage {
    #[serde(default, deserialize_with = "lenient")]
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
}

/// What the configurations say, of which one at most is the default.
pub(in crate::stripe) fn portal(configurations: &[WirePortal]) -> Result<PortalRead, Unusable> {
    let default = configurations.iter().find(|configuration| configuration.is_default != Some(false));
    let Some(default) = default else { return Ok(PortalRead::Missing) };
    let page = default.login_page.as_ref().filter(|page| page.enabled == Some(true));
    match page.and_then(|page| page.url.as_deref()) {
        Some(url) => PageUrl::parse(url).map(PortalRead::Page).map_err(|_| Unusable("login page")),
        None => Ok(PortalRead::Disabled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(configurations: &str) -> Result<PortalRead, Unusable> {
        portal(&serde_json::from_str::<Vec<WirePortal>>(configurations).unwrap())
    }

    #[test]
    fn the_default_configurations_login_page_is_one_if_it_is_enabled() {
        const URL: &str = "https://billing.stripe.com/p/login/test_aFa5kD";
        let page = |page: &str| read(&format!(r#"[{{"id":"bpc_1","is_default":true,"login_page":{page}}}]"#));
        let shown = PortalRead::Page(PageUrl::parse(URL).unwrap());
        assert_eq!(page(&format!(r#"{{"enabled":true,"url":"{URL}"}}"#)), Ok(shown.clone()));
        for none in [
            &format!(r#"{{"enabled":false,"url":"{URL}"}}"#),
            &format!(r#"{{"url":"{URL}"}}"#),
            r#"{"enabled":false,"url":null}"#,
            r#"{"enabled":true,"url":null}"#,
            r#"{"enabled":true,"url":7}"#,
            r#""yes""#,
            "null",
        ] {
            assert_eq!(page(none), Ok(PortalRead::Disabled), "{none}");
        }
        for odd in ["http://billing.stripe.com/p/login/x", "javascript:alert(1)", ""] {
            assert!(page(&format!(r#"{{"enabled":true,"url":"{odd}"}}"#)).is_err(), "{odd}");
        }
        assert_eq!(read("[]"), Ok(PortalRead::Missing));
        let other = format!(r#"[{{"is_default":false,"login_page":{{"enabled":true,"url":"{URL}"}}}}]"#);
        assert_eq!(read(&other), Ok(PortalRead::Missing));
        let unsaid = format!(r#"[{{"login_page":{{"enabled":true,"url":"{URL}"}}}}]"#);
        assert_eq!(read(&unsaid), Ok(shown), "only the default was asked for");
    }
}
