//! `GET /v1/checkout/sessions/{id}`: a subscription's, or a one-time purchase with what was bought in it, or both.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::{
    clock::Timestamp,
    domain::{
        billing::{
            amount::{Amount, Currency},
            purchase::{PurchaseFact, PurchaseStatus},
            reversal::Reversal,
            subscription::{CustomerFact, Items},
        },
        reference::{Carried, ClientReference},
    },
};

use super::{
    Unusable,
    cost::Coupons,
    customer::{CustomerOrId, WireMetadata},
    items::{WireItem, WireItems},
    timestamp,
};
use crate::stripe::event::{Reference, lenient};

/// `GET /v1/checkout/sessions/{id}?expand[]=line_items&expand[]=customer&expand[]=subscription`, or one of a list with its lines.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireCheckout {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    mode: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    payment_status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    amount_total: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    customer: Option<CustomerOrId>,
    /// The customer as an Account (`acct_…`), where Stripe has no Customer for it.
    #[serde(default, deserialize_with = "lenient")]
    customer_account: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    subscription: Option<WireBeside>,
    #[serde(default, deserialize_with = "lenient")]
    payment_intent: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    invoice: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    line_items: Option<WireItems>,
    #[serde(default, deserialize_with = "lenient")]
    client_reference_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
}

/// The subscription that a session began: its id, or expanded.
struct WireBeside {
    id: String,
    metadata: Option<WireMetadata>,
}

impl<'de> Deserialize<'de> for WireBeside {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct WithMetadata {
            #[serde(default, deserialize_with = "lenient")]
            metadata: Option<WireMetadata>,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let id = serde_json::from_str::<Reference>(raw.get()).map_err(serde::de::Error::custom)?;
        let expanded: Option<WithMetadata> = serde_json::from_str(raw.get()).ok();
        Ok(Self { id: id.id().to_owned(), metadata: expanded.and_then(|it| it.metadata) })
    }
}

/// What a session is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stripe) enum About<'a> {
    /// A subscription, and perhaps what was sold once beside it.
    Subscription(&'a str),
    Purchase,
    /// A card that was kept for later, or a mode that this release does not know.
    Nothing,
}

impl WireCheckout {
    pub(in crate::stripe) fn about(&self) -> About<'_> {
        match (&self.subscription, self.mode.as_deref()) {
            (Some(subscription), _) => About::Subscription(&subscription.id),
            (None, Some("payment")) => About::Purchase,
            (None, _) => About::Nothing,
        }
    }

    /// A card was kept for later, or a subscription was to begin and did not.
    pub(in crate::stripe) fn is_no_purchase(&self) -> bool {
        matches!(self.mode.as_deref(), Some("subscription" | "setup"))
    }

    pub(in crate::stripe) fn id(&self) -> &str {
        &self.id
    }

    /// Whether Stripe embedded only the first of its lines.
    pub(in crate::stripe) fn has_more_lines(&self) -> bool {
        self.line_items.as_ref().is_some_and(WireItems::has_more)
    }

    /// Whether something in it is sold once.
    pub(in crate::stripe) fn sells_once(&self) -> bool {
        self.lines().iter().any(WireItem::is_sold_once)
    }

    fn lines(&self) -> &[WireItem] {
        self.line_items.as_ref().map(WireItems::as_slice).unwrap_or_default()
    }

    /// Puts the whole list in the place of what was embedded.
    pub(in crate::stripe) fn set_lines(&mut self, lines: Vec<WireItem>) {
        self.line_items = Some(WireItems::whole(lines));
    }

    /// The payment, if there was one.
    pub(in crate::stripe) fn payment_intent(&self) -> Option<&str> {
        self.payment_intent.as_ref().map(Reference::id)
    }

    pub(in crate::stripe) fn status(&self) -> PurchaseStatus {
        PurchaseStatus::parse(
            self.status.as_deref().unwrap_or_default(),
            self.payment_status.as_deref().unwrap_or_default(),
        )
    }

    /// The reference, if it looks like ours and the purchase is complete. Of a guest nobody can be linked.
    pub(in crate::stripe) fn carried(&self) -> Option<Carried> {
        let reference = ClientReference::new(self.client_reference_id.clone()?);
        if !reference.is_ours() || self.status.as_deref() != Some("complete") {
            return None;
        }
        Some(Carried { session: self.id.parse().ok()?, customer: self.customer().ok()??.id, reference })
    }

    fn customer(&self) -> Result<Option<CustomerFact>, Unusable> {
        match (&self.customer, &self.customer_account) {
            (Some(customer), _) => customer.fact().map(Some),
            (None, Some(account)) => CustomerOrId::Id(account.id().to_owned()).fact().map(Some),
            (None, None) => Ok(None),
        }
    }

    /// `paid_at`: when the money came; of what cost nothing, the session's own time counts. `reversal`: what went back of it.
    pub(in crate::stripe) fn purchase(
        &self,
        paid_at: Option<Timestamp>,
        reversal: Reversal,
    ) -> Result<PurchaseFact, Unusable> {
        let customer = self.customer()?;
        let status = self.status();
        let created = self.created.and_then(timestamp);
        let beside = self.subscription.as_ref();
        let lines = self.line_items.as_ref();
        let (items, total) = match beside {
            None => (lines.map(|lines| lines.items(&Coupons::new())), self.amount_total),
            // What the subscription costs is in the session's total, too.
            Some(_) => {
                let once = self.lines().iter().filter(|line| line.is_sold_once());
                (lines.map(WireItems::sold_once), once.map(WireItem::amount_total).sum())
            }
        };
        let named = |metadata: Option<&WireMetadata>| WireMetadata::user(metadata);
        Ok(PurchaseFact {
            id: self.id.parse().map_err(|_| Unusable("checkout session id"))?,
            customer,
            paid_at: paid_at.or(created).filter(|_| status == PurchaseStatus::Paid),
            status,
            items: items.unwrap_or(Items::Some(Vec::new())),
            invoice: beside.and(self.invoice.as_ref()).and_then(|invoice| invoice.id().parse().ok()),
            total: total.and_then(Amount::new),
            currency: self.currency.as_deref().and_then(Currency::parse),
            reversal,
            // Who sells by Checkout says on the subscription whom it is for.
            discord_user: named(self.metadata.as_ref()).or_else(|| named(beside?.metadata.as_ref())),
            id_keys: WireMetadata::id_keys(self.metadata.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::billing::subscription::Item;

    use super::*;

    fn read(fields: &str) -> WireCheckout {
        serde_json::from_str(&format!(
            r#"{{"id":"cs_1","object":"checkout.session","created":100,{fields}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_purchase_of_today() {
        let wire = read(
            r#""mode":"payment","status":"complete","payment_status":"paid","subscription":null,"payment_intent":"pi_1",
               "customer":{"id":"cus_1","metadata":{"discord_user_id":"81384788765712384"}},"metadata":{"discord_user_id":"7"},
               "line_items":{"has_more":false,"data":[{"id":"li_1","quantity":2,"price":{"id":"price_1","product":"prod_1"}}]}"#,
        );
        assert_eq!((wire.about(), wire.payment_intent()), (About::Purchase, Some("pi_1")));
        let paid_at = timestamp(300);
        let fact = wire.purchase(paid_at, Reversal::NONE).unwrap();
        assert_eq!((fact.status, fact.paid_at), (PurchaseStatus::Paid, paid_at));
        assert_eq!(fact.customer.unwrap().discord_user, "81384788765712384".parse().ok());
        assert_eq!(fact.discord_user, "7".parse().ok());
        let item = Item::new("price_1".parse().unwrap(), "prod_1".parse().ok(), Some(2));
        assert_eq!(fact.items, Items::All(vec![item]));
    }

    #[test]
    fn what_cost_nothing_was_paid_when_it_was_bought_and_what_is_not_paid_was_not() {
        let paid_at = |status: &str, payment: &str| {
            let wire = read(&format!(r#""mode":"payment","status":"{status}","payment_status":"{payment}""#));
            wire.purchase(None, Reversal::NONE).unwrap().paid_at
        };
        assert_eq!(paid_at("complete", "no_payment_required"), timestamp(100));
        assert_eq!(paid_at("complete", "unpaid"), None);
        assert_eq!(paid_at("open", "unpaid"), None);
    }

    #[test]
    fn what_it_comes_to_is_known_or_not_and_never_0_by_mistake() {
        let total = |fields: &str| {
            let fact = read(fields).purchase(None, Reversal::NONE).unwrap();
            (fact.total.map(Amount::to_i64), fact.currency.map(|currency| currency.to_string()))
        };
        assert_eq!(total(r#""amount_total":9900,"currency":"usd""#), (Some(9900), Some("usd".to_owned())));
        assert_eq!(total(r#""amount_total":0,"currency":"usd""#).0, Some(0), "nothing was to be paid");
        for absurd in ["null", "-1", "1e308", r#""9900""#, "[]", "{}"] {
            let fields = format!(r#""amount_total":{absurd},"currency":{absurd}"#);
            assert_eq!(total(&fields), (None, None), "{absurd}");
        }
    }

    #[test]
    fn a_session_may_be_a_subscriptions_or_about_nothing() {
        assert_eq!(
            read(r#""mode":"subscription","subscription":"sub_1""#).about(),
            About::Subscription("sub_1")
        );
        assert_eq!(read(r#""subscription":{"id":"sub_1"}"#).about(), About::Subscription("sub_1"));
        for nothing in [
            r#""mode":"setup""#,
            r#""mode":"subscription","subscription":null"#,
            r#""mode":"new""#,
            r#""mode":7"#,
        ] {
            assert_eq!(read(nothing).about(), About::Nothing, "{nothing}");
        }
    }

    #[test]
    fn a_complete_purchase_carries_a_reference_of_ours_and_no_other() {
        let carried = |fields: &str| read(fields).carried();
        let ours = r#""mode":"subscription","subscription":"sub_1","client_reference_id":"nx_ref_a""#;
        let complete = carried(&format!(r#"{ours},"status":"complete","customer":"cus_1""#)).unwrap();
        assert_eq!((complete.customer.as_str(), complete.reference.expose()), ("cus_1", "nx_ref_a"));
        assert_eq!(carried(&format!(r#"{ours},"status":"open","customer":"cus_1""#)), None);
        assert_eq!(carried(&format!(r#"{ours},"status":"complete","customer":null"#)), None, "a guest");
        for other in [r#""order-17""#, "null", "7", r#"["nx_ref_a"]"#] {
            let fields = format!(r#""client_reference_id":{other},"status":"complete","customer":"cus_1""#);
            assert_eq!(carried(&fields), None, "{other}");
        }
    }

    #[test]
    fn a_guest_has_no_customer_and_missing_lines_are_no_evidence() {
        let fact = |fields: &str| read(fields).purchase(None, Reversal::NONE).unwrap();
        let guest = fact(r#""mode":"payment","status":"complete","payment_status":"paid","customer":null"#);
        assert_eq!((guest.customer, guest.items), (None, Items::Some(Vec::new())));
        assert_eq!(fact(r#""customer_account":"acct_1""#).customer.unwrap().id.as_str(), "acct_1");
        assert_eq!(fact(r#""status":null"#).status, PurchaseStatus::Unknown(String::new()));
    }
}
