//! Subscribing by a personal link. In: a [`Claimant`], and one of the plans. Out: the owner's Payment Link with a token of theirs, by which the
//! purchase is known for theirs; or where they manage what they have, since a Payment Link would sell it a second time.
//!
//! Nothing is read from Stripe: what is sold is in the mirror.

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    ActionError,
    reference::{self, Made},
};
use crate::{
    crypto::token::Pepper,
    db::{pool::Pool, tenant},
    domain::billing::{
        catalogue::in_words,
        page::PageUrl,
        portal::{Portal, PortalRead},
    },
    ids::{ConnectionId, PaymentLinkId},
    sessions::Claimant,
    store::{
        plans::{self, Sold},
        stripe_connections,
    },
};

/// Where whoever buys is known by: Stripe keeps it in the session, if it is letters, digits, `-` and `_`, 200 at most.
const REFERENCE: &str = "client_reference_id";

/// One Payment Link, as one member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub connection: ConnectionId,
    pub id: PaymentLinkId,
    /// Of what is sold, as the owner named it.
    pub names: Vec<String>,
    /// `9.00 USD every month`, of each price.
    pub costs: Vec<String>,
    pub standing: Standing,
    link: PageUrl,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They can buy it.
    Open,
    /// They have it. `None`: the owner says nowhere where it is managed.
    Subscribed(Option<PageUrl>),
}

/// What came of the wish to subscribe.
#[derive(Debug)]
pub enum Subscribing {
    /// Their own link: for ten minutes, and one purchase.
    Link(Plan, SecretString),
    /// They have it already.
    Subscribed(Plan),
    /// It is not sold, or not any more.
    NotSold,
    /// They had too many links made within the hour.
    TooMany,
    /// `ENCRYPTION_KEYS` is not set.
    NotSetUp,
}

/// What a server sells that gives a role; by product, as the owner named it. `pool`: the gateway's.
pub async fn plans(pool: &Pool, by: &Claimant) -> Result<Vec<Plan>, ActionError> {
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        return Err(ActionError::UnknownGuild);
    }
    Ok(in_plans(&plans::of_member(&mut tenant, by.user()).await?))
}

/// Makes a personal link for a plan. `peppers`: of [`reference::peppers`].
pub async fn subscribe(
    pool: &Pool,
    peppers: &[Pepper],
    by: &Claimant,
    plan: &PaymentLinkId,
) -> Result<Subscribing, ActionError> {
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    let plans = in_plans(&plans::of_member(&mut tenant, by.user()).await?);
    let Some(plan) = plans.into_iter().find(|known| known.id == *plan) else {
        return Ok(Subscribing::NotSold);
    };
    if plan.standing != Standing::Open {
        return Ok(Subscribing::Subscribed(plan));
    }
    let token = match reference::make(&mut tenant, peppers, by.user()).await? {
        Made::Token(token) => token,
        Made::TooMany => return Ok(Subscribing::TooMany),
        Made::NoKey => return Ok(Subscribing::NotSetUp),
    };
    tenant.commit().await?;
    let link = personal(&plan.link, token.expose_secret());
    Ok(Subscribing::Link(plan, SecretString::from(link)))
}

/// A Payment Link's address with a token.
fn personal(link: &PageUrl, token: &str) -> String {
    let (address, fragment) = link.as_str().split_once('#').unwrap_or((link.as_str(), ""));
    let (before, mark) =
        (if address.contains('?') { '&' } else { '?' }, if fragment.is_empty() { "" } else { "#" });
    format!("{address}{before}{REFERENCE}={token}{mark}{fragment}")
}

/// The rows of a link follow each other. One of which nothing gives a role, or whose address is not fit to be shown, is none.
fn in_plans(sold: &[Sold]) -> Vec<Plan> {
    let links = sold.chunk_by(|one, next| {
        (one.connection_id, &one.payment_link_id) == (next.connection_id, &next.payment_link_id)
    });
    let mut plans: Vec<Plan> = links.filter_map(plan).collect();
    plans.sort_by(|one, next| {
        (&one.names, &one.costs, one.id.as_str()).cmp(&(&next.names, &next.costs, next.id.as_str()))
    });
    plans
}

fn plan(rows: &[Sold]) -> Option<Plan> {
    let first = rows.first().filter(|_| rows.iter().any(|row| row.gives_role))?;
    let parsed = |url: &Option<String>| url.as_deref().and_then(|url| PageUrl::parse(url).ok());
    let read = PortalRead::kept(first.portal_read.as_deref(), first.portal_login_url.as_deref());
    let portal = Portal { pasted: parsed(&first.portal_url), read };
    let standing = match rows.iter().any(|row| row.is_subscribed) {
        true => Standing::Subscribed(portal.page().cloned()),
        false => Standing::Open,
    };
    let mut names: Vec<String> = rows.iter().filter_map(|row| row.product_name.clone()).collect();
    names.dedup();
    let priced = rows.iter().filter(|row| row.currency.is_some());
    let costs = priced.map(|row| {
        in_words(row.currency.as_deref(), row.unit_amount, row.interval.as_deref(), row.interval_count)
    });
    Some(Plan {
        connection: first.connection_id,
        id: first.payment_link_id.clone(),
        names,
        costs: costs.collect(),
        standing,
        link: PageUrl::parse(&first.url).ok()?,
    })
}

/// For tests of what is said.
#[cfg(test)]
pub(crate) fn a_plan(names: &[&str], standing: Standing) -> Plan {
    let id: PaymentLinkId = "plink_1".parse().expect("an id");
    let link = PageUrl::parse("https://buy.stripe.com/x").expect("an address");
    let connection = ConnectionId::from_u64(1).expect("an id");
    let (names, costs) =
        (names.iter().map(|&name| name.to_owned()).collect(), vec!["9.00 USD every month".to_owned()]);
    Plan { connection, id, names, costs, standing, link }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold(link: &str, price: i64) -> Sold {
        Sold {
            connection_id: ConnectionId::from_u64(1).unwrap(),
            payment_link_id: link.parse().unwrap(),
            url: format!("https://buy.stripe.com/{link}"),
            product_name: Some("VIP".to_owned()),
            currency: Some("usd".to_owned()),
            unit_amount: Some(price),
            interval: Some("month".to_owned()),
            interval_count: Some(1),
            gives_role: true,
            is_subscribed: false,
            portal_url: None,
            portal_read: Some("page".to_owned()),
            portal_login_url: Some("https://billing.stripe.com/p/login/a".to_owned()),
        }
    }

    #[test]
    fn a_link_is_a_plan_if_something_in_it_gives_a_role_and_its_address_can_be_shown() {
        let none = Sold { gives_role: false, ..sold("plink_2", 500) };
        let odd = Sold { url: "javascript:alert(1)".to_owned(), ..sold("plink_3", 500) };
        let once = Sold {
            interval: None,
            product_name: Some("Set-up".to_owned()),
            gives_role: false,
            ..sold("plink_1", 500)
        };
        let had = Sold { is_subscribed: true, ..sold("plink_4", 100) };
        let plans = in_plans(&[sold("plink_1", 900), once, none, odd, had]);
        let shown: Vec<_> =
            plans.iter().map(|plan| (plan.id.as_str(), plan.names.join("+"), plan.costs.join("+"))).collect();
        assert_eq!(
            shown,
            [
                ("plink_4", "VIP".to_owned(), "1.00 USD every month".to_owned()),
                ("plink_1", "VIP+Set-up".to_owned(), "9.00 USD every month+5.00 USD once".to_owned()),
            ]
        );
        let manage = PageUrl::parse("https://billing.stripe.com/p/login/a").unwrap();
        assert_eq!(plans[0].standing, Standing::Subscribed(Some(manage)));
        assert_eq!(plans[1].standing, Standing::Open);
    }

    #[test]
    fn a_token_goes_into_the_query_whatever_the_owners_address_has_in_it() {
        for (url, expected) in [
            ("https://a.example/x", "https://a.example/x?client_reference_id=t"),
            ("https://a.example/x?locale=de", "https://a.example/x?locale=de&client_reference_id=t"),
            ("https://a.example/x#y", "https://a.example/x?client_reference_id=t#y"),
        ] {
            assert_eq!(personal(&PageUrl::parse(url).unwrap(), "t"), expected);
        }
    }
}
