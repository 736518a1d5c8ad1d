//! Reading from Stripe: the one leaf that calls it. In: a restricted key and an id. Out: facts, or why not.
//!
//! Requests are made by async-stripe's builders; they travel over our own transport, which sends nothing but GET, has
//! time limits, and hears `Retry-After`. Answers are decoded by our lenient types: one strict field that an account's
//! data does not satisfy must not hide a payment.

use std::time::Duration;

use axum::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{StatusCode, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::domain::billing::{
    amount::Discount,
    catalogue::Catalogue,
    purchase::SoldBeside,
    subscription::{Afterwards, CustomerFact, SubscriptionFact},
};
use shared::domain::email::EmailAddress;
use shared::ids::CustomerId;
use stripe_billing::{
    subscription::{ListSubscription, ListSubscriptionStatus, RetrieveSubscription},
    subscription_item::ListSubscriptionItem,
};
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};
use stripe_core::customer::RetrieveCustomer;

use super::{
    budget::{ApiKey, NotNow},
    event::WireObject,
    read::{
        catalogue::{WireOffer, WirePage, WirePaymentLink},
        customer::WireCustomer,
        items::WireItem,
        lists::WireList,
        subscription::WireSubscription,
    },
    remembered::Remembered,
};

mod coupons;
mod customers;
mod events;
mod portal;
pub mod probe;
mod purchases;
mod subscriptions;
mod trial_offers;

pub use events::EventPage;
pub use purchases::{Checkout, Session};
pub use subscriptions::{Listed, SubscriptionPage};

/// Why Stripe says 429 (<https://docs.stripe.com/rate-limits>).
const LIMITED: &str = "stripe-rate-limited-reason";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);
/// What to wait when Stripe says 429 without saying for how long.
const DEFAULT_BUSY: Duration = Duration::from_secs(2);
/// What Stripe asks for is believed up to here.
const MAX_BUSY: Duration = Duration::from_secs(3600);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// 404: this account has no such object.
    #[error("Stripe has no such object in this account")]
    Missing,
    /// 401 or 403: the key was revoked, or lacks a read permission.
    #[error(
        "Stripe refused the key with status {0}: it was revoked, or lacks Read on Customers, Subscriptions or Events, or, for one-time purchases, refunds, disputes and thin events, on Checkout Sessions, Invoices, PaymentIntents, Charges and Refunds, or Disputes"
    )]
    Refused(u16),
    /// 429.
    #[error("Stripe asks to wait {} s", .0.as_secs_f64())]
    Busy(Duration),
    /// Not asked: nobody waits for it, and the reads of the month are spent. To be tried again after that time, when the month may be over,
    /// or payments have brought more.
    #[error(
        "the reads of this month that Stripe grants are spent: who pays is read on, and everything else later"
    )]
    Spent(Duration),
    /// No answer, or 5xx.
    #[error("Stripe did not answer: {0}")]
    Unavailable(String),
    /// An answer that we cannot use.
    #[error("Stripe's answer cannot be used: {0}")]
    Unreadable(String),
}

impl ReadError {
    /// One word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Refused(_) => "refused",
            Self::Busy(_) => "busy",
            Self::Spent(_) => "spent",
            Self::Unavailable(_) => "unavailable",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

#[derive(Debug)]
pub struct ReadSubscription {
    pub fact: SubscriptionFact,
    /// All of the customer's subscriptions that had not ended then, with their statuses; `None`: Stripe did not show all of them.
    pub customers_running: Option<Vec<(String, String)>>,
    /// What was sold once in the checkout session that began it, as far as its own read shows that.
    pub sold_beside: SoldBeside,
}

pub const PAGE: i64 = 100;
/// Pages of prices, or payment links, that are read: 2,000 of each fit a lease.
const MAX_PAGES: usize = 20;

/// What subscriptions are listed with,
const EXPANDED: [&str; 2] = ["customer", "latest_invoice"];
/// what one is read with: the customer's other subscriptions cost no read of their own then. Stripe advises against it where nobody needs
/// them (<https://docs.stripe.com/changelog/2020-08-27/deprecates-auto-expansion-customer-subscriptions>), as on a page of a hundred;
const EXPANDED_ALONE: [&str; 2] = ["customer.subscriptions", "latest_invoice"];
/// and what nothing about access depends on.
const EXPANDED_FOR_REPORTS: [&str; 2] = [DISCOUNTS, "items.data.discounts"];
const DISCOUNTS: &str = "discounts";

/// async-stripe has builders for these two in crates of their own, which would cost more build time than they save.
#[derive(Serialize)]
struct ListQuery<'a> {
    active: bool,
    limit: i64,
    expand: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<String>,
}

/// A client without any method that writes.
#[derive(Debug, Clone)]
pub struct ReadClient {
    http: reqwest::Client,
    base: String,
    offers: Remembered<Afterwards>,
    /// The keys that may not read them.
    without_offers: Remembered<()>,
    coupons: Remembered<Discount>,
    /// The keys that may not read discounts.
    without_discounts: Remembered<()>,
}

impl ReadClient {
    /// `api_url`: `https://api.stripe.com`, or a sandbox.
    pub fn new(api_url: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Nexrole/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            base: format!("{api_url}/v1"),
            offers: Remembered::default(),
            without_offers: Remembered::default(),
            coupons: Remembered::default(),
            without_discounts: Remembered::default(),
        })
    }

    /// A subscription with its customer and its latest invoice, in one read; one more for each trial offer, and each coupon, that was not
    /// read before, and once a day where the key may not read discounts.
    pub async fn subscription(&self, key: &ApiKey, id: &str) -> Result<ReadSubscription, ReadError> {
        let mut wire = self.subscription_itself(key, id).await?;
        is_about(wire.id(), id)?;
        if wire.has_more_items() {
            wire.set_items(self.items(key, id).await?);
        }
        self.follow_trial_offers(key, &mut wire).await?;
        self.follow_coupons(key, &mut wire).await;
        let fact = wire.fact().map_err(|error| ReadError::Unreadable(error.to_string()))?;
        let (customers_running, sold_beside) = (wire.customers_running(), wire.sold_beside());
        Ok(ReadSubscription { fact, customers_running, sold_beside })
    }

    async fn subscription_itself(&self, key: &ApiKey, id: &str) -> Result<WireSubscription, ReadError> {
        let id = segment(id)?;
        self.with_discounts(key, EXPANDED_ALONE, |expand| {
            RetrieveSubscription::new(id.clone()).expand(expand).build()
        })
        .await
    }

    /// What `request` reads, with discounts if the key may read them; it is given `expanded` and those. No page of Stripe's says which
    /// permission discounts need, and what is only for reports must not cost a role, nor every read another one.
    async fn with_discounts<T: DeserializeOwned>(
        &self,
        key: &ApiKey,
        expanded: [&str; 2],
        request: impl Fn(Vec<String>) -> RequestBuilder,
    ) -> Result<T, ReadError> {
        let expanding = |paths: &[&str]| request(paths.iter().map(|&path| path.to_owned()).collect());
        let without = expanding(&expanded);
        if self.without_discounts.get(key, DISCOUNTS).await.is_some() {
            return self.get(key, &without).await;
        }
        match self.get(key, &expanding(&[&expanded[..], &EXPANDED_FOR_REPORTS].concat())).await {
            Err(ReadError::Refused(403)) => {
                let read = self.get(key, &without).await?;
                self.without_discounts.insert(key, DISCOUNTS, ()).await;
                Ok(read)
            }
            read => read,
        }
    }

    /// All items of a subscription that has more than Stripe embeds.
    async fn items(&self, key: &ApiKey, subscription: &str) -> Result<Vec<WireItem>, ReadError> {
        let mut items: Vec<WireItem> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut list = ListSubscriptionItem::new(subscription).limit(PAGE);
            if let Some(after) = &after {
                list = list.starting_after(after.clone());
            }
            let page: WirePage<WireItem> = self.get(key, &list.build()).await?;
            after = goes_on(page.has_more, page.data.last().and_then(WireItem::id), after.as_deref())?;
            items.extend(page.data);
            if after.is_none() {
                return Ok(items);
            }
        }
    }

    pub async fn customer(&self, key: &ApiKey, id: &str) -> Result<CustomerFact, ReadError> {
        let wire: WireCustomer = self.get(key, &RetrieveCustomer::new(segment(id)?).build()).await?;
        wire.fact().map_err(|error| ReadError::Unreadable(error.to_string()))
    }

    /// Where mail to a customer goes; `None`: Stripe has no address of them, or they are deleted.
    pub async fn address_of(&self, key: &ApiKey, id: &CustomerId) -> Result<Option<EmailAddress>, ReadError> {
        let wire: WireCustomer = self.get(key, &RetrieveCustomer::new(segment(id.as_str())?).build()).await?;
        let fact = wire.fact().map_err(|error| ReadError::Unreadable(error.to_string()))?;
        is_about(fact.id.as_str(), id.as_str())?;
        Ok(wire.address().filter(|_| !fact.deleted))
    }

    /// The subscription that an invoice bills; `None`: it bills none.
    pub async fn subscription_of(&self, key: &ApiKey, invoice: &str) -> Result<Option<String>, ReadError> {
        let request = RequestBuilder::new(StripeMethod::Get, format!("/invoices/{}", segment(invoice)?));
        let wire: WireObject = self.get(key, &request).await?;
        Ok(wire.subscription_id().map(ToOwned::to_owned))
    }

    /// The ids of all of a customer's subscriptions, ended ones too.
    pub async fn subscriptions_of(&self, key: &ApiKey, customer: &str) -> Result<Vec<String>, ReadError> {
        let list = ListSubscription::new().customer(customer).status(ListSubscriptionStatus::All);
        Ok(self.all_subscriptions(key, list).await?.into_iter().map(|(id, _)| id).collect())
    }

    /// A customer's subscriptions that have not ended, with their statuses.
    pub async fn running_subscriptions_of(
        &self,
        key: &ApiKey,
        customer: &CustomerId,
    ) -> Result<Vec<(String, String)>, ReadError> {
        self.all_subscriptions(key, ListSubscription::new().customer(customer.as_str())).await
    }

    async fn all_subscriptions(
        &self,
        key: &ApiKey,
        list: ListSubscription,
    ) -> Result<Vec<(String, String)>, ReadError> {
        let list = list.limit(PAGE);
        let mut listed = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = match &after {
                Some(after) => list.clone().starting_after(after.clone()),
                None => list.clone(),
            };
            let page: WireList = self.get(key, &page.build()).await?;
            let last = page.data.last().map(|subscription| subscription.id.as_str());
            after = goes_on(page.has_more, last, after.as_deref())?;
            listed.extend(page.statuses());
            if after.is_none() {
                return Ok(listed);
            }
        }
    }

    /// Everything active that the account sells. A page that is not the last of very many is the last we read.
    pub async fn catalogue(&self, key: &ApiKey) -> Result<Catalogue, ReadError> {
        let prices = self.list_all(key, "/prices", "data.product", |wire: &WireOffer| &wire.id).await?;
        let links = self
            .list_all(key, "/payment_links", "data.line_items", |wire: &WirePaymentLink| &wire.id)
            .await?;
        Ok(Catalogue {
            prices: prices.into_iter().filter_map(WireOffer::price).collect(),
            payment_links: links.into_iter().filter_map(WirePaymentLink::payment_link).collect(),
        })
    }

    async fn list_all<T: DeserializeOwned>(
        &self,
        key: &ApiKey,
        path: &str,
        expand: &str,
        id: impl Fn(&T) -> &String,
    ) -> Result<Vec<T>, ReadError> {
        let mut listed: Vec<T> = Vec::new();
        for _ in 0..MAX_PAGES {
            let query = ListQuery {
                active: true,
                limit: PAGE,
                expand: [expand],
                starting_after: listed.last().map(&id).cloned(),
            };
            let request = RequestBuilder::new(StripeMethod::Get, path).query(&query);
            let page: WirePage<T> = self.get(key, &request).await?;
            let more = page.has_more && !page.data.is_empty();
            listed.extend(page.data);
            if !more {
                return Ok(listed);
            }
        }
        tracing::warn!(
            path,
            read = listed.len(),
            "Stripe lists more than we show; the rest can be mapped by id"
        );
        Ok(listed)
    }

    async fn get<T: DeserializeOwned>(&self, key: &ApiKey, request: &RequestBuilder) -> Result<T, ReadError> {
        if !matches!(request.method, StripeMethod::Get) {
            return Err(ReadError::Unreadable("refusing to send anything but GET".to_owned()));
        }
        key.admit().await.map_err(|not_now| match not_now {
            NotNow::Later(wait) => ReadError::Busy(wait),
            NotNow::Spent(wait) => ReadError::Spent(wait),
        })?;
        let body = self.send(key, request).await;
        match &body {
            Ok(_) | Err(ReadError::Missing | ReadError::Unreadable(_)) => key.answered(),
            Err(
                ReadError::Refused(_) | ReadError::Busy(_) | ReadError::Spent(_) | ReadError::Unavailable(_),
            ) => key.unanswered(),
        }
        serde_json::from_slice(&body?).map_err(|error| {
            ReadError::Unreadable(format!(
                "{:?} at line {} column {}",
                error.classify(),
                error.line(),
                error.column()
            ))
        })
    }

    /// The body of a good answer.
    async fn send(&self, key: &ApiKey, request: &RequestBuilder) -> Result<Bytes, ReadError> {
        let query = request.query.as_deref().filter(|query| !query.is_empty());
        let url = format!(
            "{}{}{}{}",
            self.base,
            request.path,
            query.map_or("", |_| "?"),
            query.unwrap_or_default()
        );
        let unavailable = |error: reqwest::Error| ReadError::Unavailable(error.without_url().to_string());
        let response = self
            .http
            .get(url)
            .bearer_auth(key.secret())
            // The version whose shapes the builders were generated for.
            .header("Stripe-Version", stripe_shared::version::VERSION.as_str())
            .send()
            .await
            .map_err(unavailable)?;
        let status = response.status();
        let said = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = said(header::RETRY_AFTER.as_str()).and_then(|value| value.parse().ok());
        let is_about_one_object = said(LIMITED).is_some_and(|reason| reason == "resource-specific");
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(ReadError::Missing),
            // What a parameter names is missing: of an object in the query, Stripe says so with 400.
            StatusCode::BAD_REQUEST if says_missing(&response.bytes().await.map_err(unavailable)?) => {
                return Err(ReadError::Missing);
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(ReadError::Refused(status.as_u16()));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = busy(retry_after);
                if !is_about_one_object {
                    key.close(wait);
                }
                return Err(ReadError::Busy(wait));
            }
            other => return Err(ReadError::Unavailable(format!("status {}", other.as_u16()))),
        }
        response.bytes().await.map_err(unavailable)
    }
}

/// What RFC 3986 leaves as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An id as one segment of a path: the builders put it there as it is. Two texts are no segment however they are written, and
/// nobody can ask Stripe for them.
fn segment(id: &str) -> Result<String, ReadError> {
    match id {
        "." | ".." => Err(ReadError::Missing),
        id => Ok(utf8_percent_encode(id, SEGMENT).to_string()),
    }
}

/// What is said of another object is no evidence about the one that was asked for, and the other has a reader of its own.
fn is_about(answered: &str, asked: &str) -> Result<(), ReadError> {
    if answered == asked {
        Ok(())
    } else {
        Err(ReadError::Unreadable("it is about another object".to_owned()))
    }
}

/// After what the next page of a list begins; `None`: this was the last. A list that says that it goes on, and does not, was cut off,
/// and what was read of it is not all.
fn goes_on(has_more: bool, last: Option<&str>, after: Option<&str>) -> Result<Option<String>, ReadError> {
    match last {
        _ if !has_more => Ok(None),
        Some(last) if after != Some(last) => Ok(Some(last.to_owned())),
        _ => Err(ReadError::Unreadable("a list breaks off".to_owned())),
    }
}

/// Whether an error's body has the code of a missing object (<https://docs.stripe.com/error-codes#resource-missing>).
fn says_missing(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Wire {
        error: WireError,
    }
    #[derive(Deserialize)]
    struct WireError {
        code: String,
    }
    serde_json::from_slice::<Wire>(body).is_ok_and(|wire| wire.error.code == "resource_missing")
}

/// Hostile or odd values are clamped: a `Duration` made from them must neither panic nor stop us for a year.
fn busy(seconds: Option<f64>) -> Duration {
    match seconds {
        Some(seconds) if seconds.is_finite() && seconds > 0.0 => {
            Duration::from_secs_f64(seconds.min(MAX_BUSY.as_secs_f64()))
        }
        _ => DEFAULT_BUSY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_segment() {
        for (id, expected) in [
            ("cus_1Abc-9", "cus_1Abc-9"),
            ("vip/monthly", "vip%2Fmonthly"),
            ("../customers", "..%2Fcustomers"),
            ("5 $+?#%2f", "5%20%24%2B%3F%23%252f"),
            ("ü", "%C3%BC"),
        ] {
            assert_eq!(segment(id).as_deref(), Ok(expected));
        }
        assert_eq!((segment("."), segment("..")), (Err(ReadError::Missing), Err(ReadError::Missing)));
    }

    #[test]
    fn odd_retry_after_values_are_clamped() {
        for (given, expected) in [
            (None, DEFAULT_BUSY),
            (Some(-1.0), DEFAULT_BUSY),
            (Some(f64::NAN), DEFAULT_BUSY),
            (Some(f64::INFINITY), DEFAULT_BUSY),
            (Some(0.5), Duration::from_millis(500)),
            (Some(1e30), MAX_BUSY),
        ] {
            assert_eq!(busy(given), expected, "{given:?}");
        }
    }
}
