//! Pages of Stripe's list of running subscriptions. In: a key, and where to go on. Out: facts as of single reads, or why not.

use shared::domain::billing::subscription::SubscriptionFact;
use stripe_billing::subscription::ListSubscription;
use stripe_client_core::StripeRequest;

use super::{EXPANDED, PAGE, ReadClient, ReadError, goes_on};
use crate::stripe::{
    budget::ApiKey,
    read::{
        lists::{WireInList, WireSubscriptions},
        subscription::WireSubscription,
    },
};

/// A page, newest subscription first.
#[derive(Debug)]
pub struct SubscriptionPage {
    pub listed: Vec<Listed>,
    pub is_last: bool,
}

/// One subscription of a page.
#[derive(Debug)]
pub struct Listed {
    pub id: String,
    /// `None`: the page does not show all of it, and it is to be read by itself.
    pub fact: Option<SubscriptionFact>,
}

impl ReadClient {
    /// The page after that subscription, or the first, of all that have not ended: what Stripe lists when no status is asked for.
    pub async fn running_subscriptions(
        &self,
        key: &ApiKey,
        after: Option<&str>,
    ) -> Result<SubscriptionPage, ReadError> {
        let request = |expand: Vec<String>| {
            let expand: Vec<String> = expand.iter().map(|path| format!("data.{path}")).collect();
            let list = ListSubscription::new().limit(PAGE).expand(expand);
            match after {
                Some(after) => list.starting_after(after).build(),
                None => list.build(),
            }
        };
        let page: WireSubscriptions = self.with_discounts(key, EXPANDED, request).await?;
        let mut listed: Vec<Listed> = Vec::with_capacity(page.data.len());
        for raw in &page.data {
            let InList { id, shown } = read(raw.get())?;
            let fact = match shown {
                Some(mut wire) => {
                    self.follow_trial_offers(key, &mut wire).await?;
                    self.follow_coupons(key, &mut wire).await;
                    wire.fact().ok()
                }
                None => None,
            };
            match listed.iter_mut().find(|known| known.id == id) {
                // Two answers about one subscription are none.
                Some(known) => known.fact = None,
                None => listed.push(Listed { id, fact }),
            }
        }
        let last = listed.last().map(|subscription| subscription.id.as_str());
        let is_last = goes_on(page.has_more, last, after)?.is_none();
        Ok(SubscriptionPage { listed, is_last })
    }
}

/// One of a page as it came.
struct InList {
    id: String,
    /// `None`: the page does not show all of it.
    shown: Option<WireSubscription>,
}

/// What has no id cannot be passed by: the page is no list of subscriptions.
fn read(json: &str) -> Result<InList, ReadError> {
    let known: WireInList = serde_json::from_str(json)
        .map_err(|_| ReadError::Unreadable("something in the list has no id".to_owned()))?;
    if known.object.is_some_and(|object| object != "subscription") {
        return Err(ReadError::Unreadable("the list is not of subscriptions".to_owned()));
    }
    let wire: Option<WireSubscription> = serde_json::from_str(json).ok();
    let shown = wire.filter(|wire| wire.has_customer() && !wire.has_more_items() && wire.fact().is_ok());
    Ok(InList { id: known.id, shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the page shows it, or why the page is no good.
    fn shown(json: &str) -> Result<bool, ReadError> {
        read(json).map(|listed| listed.shown.is_some())
    }

    #[test]
    fn what_a_page_shows_in_part_is_read_by_itself() {
        for (json, expected) in [
            (r#"{"id":"sub_1","status":"active","customer":{"id":"cus_1"}}"#, true),
            (r#"{"id":"sub_1","status":"invented","customer":{"id":"cus_1"},"object":"subscription"}"#, true),
            (r#"{"id":"sub_1","status":"active","customer_account":"acct_1","customer":null}"#, true),
            (r#"{"id":"sub_1","status":"active","customer":"cus_1"}"#, false),
            (r#"{"id":"sub_1","status":"active","customer":null}"#, false),
            (r#"{"id":"sub_1","customer":{"id":"cus_1"},"items":{"data":[],"has_more":true}}"#, false),
            (r#"{"id":"sub_1"}"#, false),
        ] {
            assert_eq!(shown(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn a_page_of_something_else_is_no_page() {
        for json in ["{}", "[]", "7", r#"{"id":null}"#, r#"{"id":"cus_1","object":"customer"}"#] {
            assert!(matches!(shown(json), Err(ReadError::Unreadable(_))), "{json}");
        }
    }
}
