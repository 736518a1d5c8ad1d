//! `GET /v1/subscriptions/{id}`, with what is bought in it.

use std::{collections::BTreeSet, iter};

use serde::Deserialize;
use shared::domain::billing::{
    amount::Percent,
    page::{LatestInvoice, PageUrl},
    purchase::SoldBeside,
    subscription::{CollectionPause, Items, PauseCause, SubscriptionFact, SubscriptionStatus, Trial},
};

use super::{
    Unusable,
    cost::{Coupons, WireDiscounts},
    customer::{CustomerOrId, WireMetadata},
    invoice_lines::WireInvoiceLines,
    items::{WireItem, WireItems},
    payment::WireManaged,
    timestamp,
};
use crate::stripe::event::{Reference, lenient};

/// `GET /v1/subscriptions/{id}?expand[]=customer&expand[]=latest_invoice`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireSubscription {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status_details: Option<WireStatusDetails>,
    #[serde(default, deserialize_with = "lenient")]
    pause_collection: Option<WirePauseCollection>,
    #[serde(default, deserialize_with = "lenient")]
    customer: Option<CustomerOrId>,
    /// The customer as an Account (`acct_…`), where Stripe has no Customer for it.
    #[serde(default, deserialize_with = "lenient")]
    customer_account: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    latest_invoice: Option<WireInvoice>,
    #[serde(default, deserialize_with = "lenient")]
    items: Option<WireItems>,
    #[serde(default, deserialize_with = "lenient")]
    current_period_end: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    current_period_start: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    cancel_at_period_end: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    cancel_at: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    trial_end: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    trial_start: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    start_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
    #[serde(default, deserialize_with = "lenient")]
    application_fee_percent: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    managed_payments: Option<WireManaged>,
    #[serde(default, deserialize_with = "lenient")]
    discounts: Option<WireDiscounts>,
    /// Not Stripe's: what the coupons of discounts take off, which their own objects tell.
    #[serde(skip)]
    coupons: Coupons,
}

/// Since 2026-09-30: `{"paused": {"subscription": {"type": "pause_requested"}}}`.
#[derive(Deserialize)]
struct WireStatusDetails {
    #[serde(default, deserialize_with = "lenient")]
    paused: Option<WirePaused>,
}

#[derive(Deserialize)]
struct WirePaused {
    #[serde(default, deserialize_with = "lenient")]
    subscription: Option<WireCause>,
}

#[derive(Deserialize)]
struct WireCause {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    cause: Option<String>,
}

#[derive(Deserialize)]
struct WirePauseCollection {
    #[serde(default, deserialize_with = "lenient")]
    behavior: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    resumes_at: Option<i64>,
}

/// The latest invoice, expanded; of an id nothing is known.
#[derive(Deserialize)]
struct WireInvoice {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    /// Where it is paid, and seen by whoever has the address.
    #[serde(default, deserialize_with = "lenient")]
    hosted_invoice_url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    billing_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    lines: Option<WireInvoiceLines>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<i64>,
    /// Of an invoice that is sent to be paid by then.
    #[serde(default, deserialize_with = "lenient")]
    due_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    status_transitions: Option<WireTransitions>,
    #[serde(default, deserialize_with = "lenient")]
    amount_paid: Option<i64>,
}

#[derive(Deserialize)]
struct WireTransitions {
    #[serde(default, deserialize_with = "lenient")]
    finalized_at: Option<i64>,
}

impl WireInvoice {
    /// When it was first to be paid: retries do not move it. Stripe tries a card as soon as the invoice is final.
    fn unpaid_since(&self) -> Option<i64> {
        if !matches!(self.status.as_deref(), Some("open" | "uncollectible")) {
            return None;
        }
        let finalized = self.status_transitions.as_ref().and_then(|transitions| transitions.finalized_at);
        self.due_date.or(finalized).or(self.created)
    }

    /// What was sold once beside the subscription, if it is the first.
    fn beside(&self) -> Option<SoldBeside> {
        let is_first = self.billing_reason.as_deref() == Some("subscription_create");
        let lines = self.lines.as_ref().filter(|_| is_first)?;
        Some(lines.beside(self.id.as_ref()?.parse().ok()?))
    }

    /// When it was made, if money came for it: a change of plan may make an invoice of nothing, which is paid at once.
    fn paid_at(&self) -> Option<i64> {
        let is_paid = self.status.as_deref() == Some("paid") && self.amount_paid != Some(0);
        self.created.filter(|_| is_paid)
    }

    /// Where it is paid, while it is open: that is when its page takes a payment
    /// (<https://docs.stripe.com/invoicing/overview#invoice-statuses>).
    fn latest(&self) -> LatestInvoice {
        let page = self.hosted_invoice_url.as_deref().and_then(|url| PageUrl::parse(url).ok());
        let id = self.id.as_ref().and_then(|id| id.parse().ok());
        match (self.status.as_deref(), id, page) {
            (None, ..) => LatestInvoice::NotShown,
            (Some("open"), Some(id), Some(page)) => LatestInvoice::Open { id, page },
            (Some(_), ..) => LatestInvoice::NotPayable,
        }
    }
}

impl WireSubscription {
    pub(in crate::stripe) fn id(&self) -> &str {
        &self.id
    }

    /// Whether Stripe embedded only the first of its items.
    pub(in crate::stripe) fn has_more_items(&self) -> bool {
        self.items.as_ref().is_some_and(WireItems::has_more)
    }

    /// Whether its customer came with it: of a mere id it is not known whom it is for.
    pub(in crate::stripe) fn has_customer(&self) -> bool {
        match &self.customer {
            Some(CustomerOrId::Customer(_)) => true,
            Some(CustomerOrId::Id(_)) => false,
            None => self.customer_account.is_some(),
        }
    }

    /// All of its customer's subscriptions that have not ended, with their statuses; `None`: it did not come with all of them.
    pub(in crate::stripe) fn customers_running(&self) -> Option<Vec<(String, String)>> {
        self.customer.as_ref()?.running()
    }

    /// What was sold once beside it.
    pub(in crate::stripe) fn sold_beside(&self) -> SoldBeside {
        self.latest_invoice.as_ref().and_then(WireInvoice::beside).unwrap_or(SoldBeside::NotShown)
    }

    /// Puts the whole list in the place of what was embedded.
    pub(in crate::stripe) fn set_items(&mut self, items: Vec<WireItem>) {
        self.items = Some(WireItems::whole(items));
    }

    /// The coupons that its discounts, and those of its items, come from.
    pub(in crate::stripe) fn coupons(&self) -> BTreeSet<String> {
        let own = self.discounts.as_ref().map(WireDiscounts::coupons).unwrap_or_default();
        let items = self.items.as_ref().map(WireItems::as_slice).unwrap_or_default();
        own.into_iter().chain(items.iter().flat_map(WireItem::coupons)).collect()
    }

    /// What they take off.
    pub(in crate::stripe) fn set_coupons(&mut self, coupons: Coupons) {
        self.coupons = coupons;
    }

    /// Its items, to say of those on a trial offer where that leads.
    pub(in crate::stripe) fn items_mut(&mut self) -> &mut [WireItem] {
        self.items.as_mut().map(WireItems::as_mut_slice).unwrap_or_default()
    }

    /// Its own trial, which stays when it is over, and those of its items by trial offers, which do not.
    fn trial(&self) -> Option<Trial> {
        let own = (self.trial_start.and_then(timestamp), self.trial_end.and_then(timestamp));
        let items = self.items.as_ref().map(WireItems::as_slice).unwrap_or_default();
        let spans: Vec<_> = iter::once(own).chain(items.iter().filter_map(WireItem::trial)).collect();
        let began = spans.iter().filter_map(|(began, _)| *began).min()?;
        Some(Trial { began, ends: spans.iter().filter_map(|(_, ends)| *ends).max() })
    }

    pub(in crate::stripe) fn fact(&self) -> Result<SubscriptionFact, Unusable> {
        let customer = match (&self.customer, &self.customer_account) {
            (Some(customer), _) => customer.fact()?,
            (None, Some(account)) => CustomerOrId::Id(account.id().to_owned()).fact()?,
            (None, None) => return Err(Unusable("customer")),
        };
        let wire_items = self.items.as_ref().map(WireItems::as_slice).unwrap_or_default();
        let ends = || wire_items.iter().filter_map(WireItem::current_period_end);
        let status = SubscriptionStatus::parse(self.status.as_deref().unwrap_or_default());
        // Of mixed intervals the first to end ends it all.
        let ends_at = match (self.cancel_at, self.cancel_at_period_end) {
            (Some(at), _) => Some(at),
            (None, Some(true)) => ends().min().or(self.current_period_end),
            (None, _) => None,
        };
        let cause = self.status_details.as_ref().and_then(|details| details.paused.as_ref());
        let cause = cause.and_then(|paused| paused.subscription.as_ref()?.cause.as_deref());
        let began = || wire_items.iter().filter_map(WireItem::current_period_start).min();
        let latest_invoice = match &self.latest_invoice {
            // Who pays it now gets nothing for it.
            _ if SubscriptionStatus::ENDED.contains(&status) => LatestInvoice::NotPayable,
            Some(invoice) => invoice.latest(),
            None => LatestInvoice::NotShown,
        };
        Ok(SubscriptionFact {
            id: self.id.parse().map_err(|_| Unusable("subscription id"))?,
            customer,
            // A missing status becomes an unknown one, which changes nothing.
            pause: cause.filter(|_| status == SubscriptionStatus::Paused).map(PauseCause::parse),
            status,
            collection: self
                .pause_collection
                .as_ref()
                .map(|pause| CollectionPause::parse(pause.behavior.as_deref().unwrap_or_default())),
            collection_resumes_at: self
                .pause_collection
                .as_ref()
                .and_then(|pause| pause.resumes_at)
                .and_then(timestamp),
            unpaid_since: self
                .latest_invoice
                .as_ref()
                .and_then(WireInvoice::unpaid_since)
                .and_then(timestamp),
            paid_since: self
                .start_date
                .map(|start| self.trial_end.unwrap_or(start).max(start))
                .and_then(timestamp),
            trial: self.trial(),
            never_paid: self.trial_end.is_some() && began().or(self.current_period_start) == self.trial_end,
            items: self.items.as_ref().map_or(Items::Some(Vec::new()), |items| items.items(&self.coupons)),
            discounts: self.discounts.as_ref().map(|discounts| discounts.discounts(&self.coupons)),
            paid_invoice_at: self.latest_invoice.as_ref().and_then(WireInvoice::paid_at).and_then(timestamp),
            latest_invoice,
            is_managed: WireManaged::is_enabled(self.managed_payments.as_ref()),
            current_period_end: ends().max().or(self.current_period_end).and_then(timestamp),
            ends_at: ends_at.and_then(timestamp),
            discord_user: WireMetadata::user(self.metadata.as_ref()),
            id_keys: WireMetadata::id_keys(self.metadata.as_ref()),
            application_fee: self.application_fee_percent.and_then(Percent::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::billing::{
        amount::Discount,
        subscription::{Afterwards, Item},
    };

    use super::*;

    fn read(body: &str) -> SubscriptionFact {
        serde_json::from_str::<WireSubscription>(body).unwrap().fact().unwrap()
    }

    #[test]
    fn a_subscription_of_today() {
        let fact = read(
            r#"{"id":"sub_1","object":"subscription","status":"active","cancel_at_period_end":true,
                "customer":{"id":"cus_1","object":"customer","name":"a\u0000\ud800","metadata":{"discord_user_id":" 81384788765712384 ","x":"\ud800\u0000"}},
                "items":{"object":"list","has_more":false,"data":[
                  {"id":"si_1","current_period_end":1790848800,"price":{"id":"price_1","product":"prod_1"}},
                  {"id":"si_2","current_period_end":1790848900,"price":{"id":"price_2","product":{"id":"prod_2"}}}]}}"#,
        );
        assert_eq!(fact.status, SubscriptionStatus::Active);
        assert_eq!(fact.customer.discord_user, "81384788765712384".parse().ok());
        assert_eq!(fact.current_period_end.unwrap().unix_timestamp(), 1_790_848_900);
        assert_eq!(
            fact.ends_at.unwrap().unix_timestamp(),
            1_790_848_800,
            "the first item to end ends it all"
        );
        let Items::All(items) = fact.items else { panic!("all items were there") };
        assert_eq!(items[1].product.as_ref().unwrap().as_str(), "prod_2");
    }

    #[test]
    fn a_subscription_of_2015() {
        let fact = read(
            r#"{"id":"sub_1","status":"past_due","customer":"cus_1","current_period_end":1790848800,
                "items":{"data":[{"id":"si_1","plan":{"id":"gold","product":"prod_1"}}]}}"#,
        );
        assert_eq!(
            fact.items,
            Items::All(vec![Item::new("gold".parse().unwrap(), "prod_1".parse().ok(), None)])
        );
        assert_eq!(fact.current_period_end.unwrap().unix_timestamp(), 1_790_848_800);
    }

    /// Since when it is unpaid, and whether nothing was ever paid.
    fn behind(fields: &str) -> (Option<i64>, bool) {
        let body = format!(r#"{{"id":"sub_1","customer":"cus_1","status":"past_due",{fields}}}"#);
        let fact = read(&body);
        (fact.unpaid_since.map(|at| at.unix_timestamp()), fact.never_paid)
    }

    #[test]
    fn a_payment_is_due_since_its_invoice_was_final_however_often_it_is_tried() {
        let invoice = |fields: &str| behind(&format!(r#""latest_invoice":{{"id":"in_1",{fields}}}"#)).0;
        let open = |more: &str| invoice(&format!(r#""status":"open","created":100{more}"#));
        assert_eq!(open(""), Some(100));
        assert_eq!(open(r#","status_transitions":{"finalized_at":200},"attempt_count":4"#), Some(200));
        assert_eq!(
            open(r#","status_transitions":{"finalized_at":200},"due_date":900"#),
            Some(900),
            "it was sent"
        );
        assert_eq!(open(r#","status_transitions":{"finalized_at":9e40}"#), Some(100), "absurd");
        assert_eq!(invoice(r#""status":"paid","created":100"#), None);
        assert_eq!(invoice(r#""status":"draft","created":100"#), None);
        assert_eq!(behind(r#""latest_invoice":"in_1""#).0, None, "not expanded");
    }

    #[test]
    fn an_invoice_that_money_came_for_was_paid() {
        let paid = |invoice: &str| {
            let body = format!(
                r#"{{"id":"sub_1","customer":"cus_1","status":"active","latest_invoice":{invoice}}}"#
            );
            read(&body).paid_invoice_at.map(|at| at.unix_timestamp())
        };
        assert_eq!(paid(r#"{"status":"paid","created":100,"amount_paid":500}"#), Some(100));
        assert_eq!(paid(r#"{"status":"paid","created":100}"#), Some(100), "it is not said how much");
        for none in [
            r#"{"status":"paid","created":100,"amount_paid":0}"#,
            r#"{"status":"open","created":100,"amount_paid":500}"#,
            r#"{"status":"paid"}"#,
            r#""in_1""#,
            "null",
        ] {
            assert_eq!(paid(none), None, "{none}");
        }
    }

    #[test]
    fn an_open_invoice_has_a_page_unless_its_payment_would_bring_nothing_back() {
        const PAGE: &str = "https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap";
        let latest = |status: &str, invoice: &str| {
            let fields = format!(r#""customer":"cus_1","status":"{status}","latest_invoice":{invoice}"#);
            read(&format!(r#"{{"id":"sub_1",{fields}}}"#)).latest_invoice
        };
        let invoice = |status: &str, url: &str| {
            format!(r#"{{"id":"in_1","status":{status},"hosted_invoice_url":{url}}}"#)
        };
        let page = format!("{PAGE:?}");
        let open = invoice(r#""open""#, &page);
        let expected =
            LatestInvoice::Open { id: "in_1".parse().unwrap(), page: PageUrl::parse(PAGE).unwrap() };
        for status in ["past_due", "unpaid", "incomplete", "paused", "active", "invented_tomorrow"] {
            assert_eq!(latest(status, &open), expected, "{status}");
        }
        for status in ["canceled", "incomplete_expired"] {
            assert_eq!(latest(status, &open), LatestInvoice::NotPayable, "{status}");
            assert_eq!(latest(status, r#""in_1""#), LatestInvoice::NotPayable, "{status}");
        }
        for word in ["paid", "void", "uncollectible", "draft", "invented_tomorrow"] {
            let invoice = invoice(&format!("{word:?}"), &page);
            assert_eq!(latest("past_due", &invoice), LatestInvoice::NotPayable, "{word}");
        }
        for odd in [
            "null",
            "7",
            r#""""#,
            r#""http://invoice.stripe.com/i/1""#,
            r#""javascript:alert(1)""#,
            r#""https://invoice.stripe.com/i/1) [x](https://evil.example""#,
            r#""https://invoice.stripe.com@evil.example/i/1""#,
        ] {
            assert_eq!(latest("past_due", &invoice(r#""open""#, odd)), LatestInvoice::NotPayable, "{odd}");
        }
        for not_shown in [r#""in_1""#, "null", "{}", &invoice("null", &page)] {
            assert_eq!(latest("past_due", not_shown), LatestInvoice::NotShown, "{not_shown}");
        }
    }

    #[test]
    fn a_platforms_fee_is_a_part_of_what_is_paid() {
        let fee = |percent: &str| {
            let fields = format!(r#""status":"active","application_fee_percent":{percent}"#);
            read(&format!(r#"{{"id":"sub_1","customer":"cus_1",{fields}}}"#)).application_fee
        };
        for (percent, expected) in [("5", 5.0), ("2.75", 2.75), ("0.01", 0.01), ("100", 100.0)] {
            assert_eq!(fee(percent).map(Percent::to_f64), Some(expected));
        }
        for none in ["0", "null", "1e9", "-1", r#""5""#, "{}"] {
            assert_eq!(fee(none), None, "{none}");
        }
    }

    #[test]
    fn stripe_sells_in_its_own_name_where_it_says_so() {
        let managed = |value: &str| {
            let body = format!(
                r#"{{"id":"sub_1","customer":"cus_1","status":"active","managed_payments":{value}}}"#
            );
            read(&body).is_managed
        };
        assert!(managed(r#"{"enabled":true}"#));
        for not in [r#"{"enabled":false}"#, "{}", "null", "7"] {
            assert!(!managed(not), "{not}");
        }
    }

    #[test]
    fn what_is_paid_is_so_since_it_began_or_its_trial_ended() {
        let since = |fields: &str| {
            let fact = read(&format!(r#"{{"id":"sub_1","customer":"cus_1","status":"active",{fields}}}"#));
            fact.paid_since.map(|at| at.unix_timestamp())
        };
        assert_eq!(since(r#""start_date":500"#), Some(500));
        assert_eq!(since(r#""start_date":500,"trial_end":900"#), Some(900));
        assert_eq!(
            since(r#""start_date":500,"trial_end":400"#),
            Some(500),
            "a trial of an earlier subscription"
        );
        assert_eq!(since(r#""trial_end":900"#), None, "Stripe did not say when it began");
    }

    #[test]
    fn nothing_was_paid_if_the_trial_ended_where_the_period_began() {
        let item = |start: i64| format!(r#""items":{{"data":[{{"current_period_start":{start}}}]}}"#);
        assert!(behind(&format!(r#""trial_end":500,{}"#, item(500))).1);
        assert!(behind(r#""trial_end":500,"current_period_start":500"#).1, "as it was before 2025-03-31");
        assert!(!behind(&format!(r#""trial_end":500,{}"#, item(900))).1);
        assert!(!behind(&item(500)).1, "there was no trial");
        assert!(!behind(r#""trial_end":null"#).1);
    }

    #[test]
    fn a_pause_has_a_cause_and_paused_collection_is_none() {
        let paused = |details: &str| {
            let body = format!(
                r#"{{"id":"sub_1","customer":"cus_1","status":"paused","status_details":{details},
                     "pause_collection":{{"behavior":"void","resumes_at":null}}}}"#
            );
            read(&body)
        };
        let fact = paused(r#"{"paused":{"subscription":{"type":"first_payment_failure"}}}"#);
        assert_eq!(fact.pause, Some(PauseCause::FirstPaymentFailure));
        assert_eq!(fact.collection, Some(CollectionPause::Void));
        assert_eq!(fact.in_words(), "sub_1 is paused (first_payment_failure)");
        for nothing in
            ["null", "{}", r#"{"paused":null}"#, r#"{"paused":{"subscription":{"type":7}}}"#, "[]", "7"]
        {
            assert_eq!(paused(nothing).pause, None, "{nothing}");
        }
    }

    #[test]
    fn a_scheduled_end_is_either_of_two_fields() {
        let ends = |fields: &str| {
            let fact = read(&format!(
                r#"{{"id":"sub_1","customer":"cus_1","status":"active","current_period_end":900,{fields}}}"#
            ));
            fact.ends_at.map(|at| at.unix_timestamp())
        };
        assert_eq!(
            ends(r#""cancel_at":500,"cancel_at_period_end":false"#),
            Some(500),
            "by the customer portal"
        );
        assert_eq!(ends(r#""cancel_at":null,"cancel_at_period_end":true"#), Some(900));
        assert_eq!(ends(r#""cancel_at":null,"cancel_at_period_end":false"#), None);
        assert_eq!(ends(r#""cancel_at":"soon""#), None);
    }

    #[test]
    fn a_customer_may_be_an_account() {
        let fact = read(r#"{"id":"sub_1","customer":null,"customer_account":"acct_1","status":"active"}"#);
        assert_eq!(fact.customer.id.as_str(), "acct_1");
    }

    #[test]
    fn no_items_a_cut_off_list_and_an_item_without_price_are_no_evidence() {
        for items in [
            r#"null"#,
            r#"{"data":[]}"#,
            r#"{"data":null}"#,
            r#"{"data":[{"price":{"id":"price_1","product":"prod_1"}}],"has_more":true}"#,
            r#"{"data":[{"price":{"id":"price_1","product":"prod_1"}},{"price":null}]}"#,
            r#"{"data":[{"price":{"id":"price_1","product":null}}]}"#,
        ] {
            let fact =
                read(&format!(r#"{{"id":"sub_1","customer":"cus_1","status":"active","items":{items}}}"#));
            assert!(matches!(fact.items, Items::Some(_)), "{items}");
        }
    }

    #[test]
    fn a_trial_is_the_subscriptions_own_or_an_items_by_an_offer() {
        let trial = |fields: &str| {
            let fact = read(&format!(r#"{{"id":"sub_1","customer":"cus_1","status":"active",{fields}}}"#));
            fact.trial.map(|trial| (trial.began.unix_timestamp(), trial.ends.map(|at| at.unix_timestamp())))
        };
        let item =
            |trial: &str| format!(r#""items":{{"data":[{{"price":{{"id":"p"}},"current_trial":{trial}}}]}}"#);
        assert_eq!(trial(r#""trial_start":100,"trial_end":200"#), Some((100, Some(200))));
        assert_eq!(trial(r#""trial_start":100"#), Some((100, None)));
        let by_offer = item(r#"{"trial_offer":"to_1","start_date":300,"end_date":400}"#);
        assert_eq!(trial(&by_offer), Some((300, Some(400))));
        let both = format!(r#""trial_start":100,"trial_end":200,{by_offer}"#);
        assert_eq!(trial(&both), Some((100, Some(400))));
        for none in
            [r#""trial_start":null"#, r#""trial_start":1e300,"trial_end":200"#, &item("null"), &item("{}")]
        {
            assert_eq!(trial(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_subscribed_to_is_known_by_its_prices_quantities_and_discounts() {
        let body = r#"{"id":"sub_1","customer":"cus_1","status":"active",
            "discounts":[{"id":"di_1","object":"discount","end":null,"source":{"coupon":"TENTH","type":"coupon"}}],
            "items":{"has_more":false,"data":[
              {"id":"si_1","quantity":3,"discounts":["di_2"],"price":{"id":"price_1","object":"price","product":"prod_1","currency":"eur",
               "billing_scheme":"per_unit","unit_amount":700,"recurring":{"interval":"year","interval_count":1,"usage_type":"licensed"}}},
              {"id":"si_2","discounts":[],"price":{"id":"price_2","product":"prod_1","currency":"eur","billing_scheme":"tiered",
               "tiers_mode":"graduated","unit_amount":null,"recurring":{"interval":"month","interval_count":1}}}]}}"#;
        let mut wire: WireSubscription = serde_json::from_str(body).unwrap();
        assert_eq!(wire.coupons(), BTreeSet::from(["TENTH".to_owned()]));
        let tenth = Discount { percent_off: Percent::new(10.0), ..Discount::default() };
        wire.set_coupons(Coupons::from([("TENTH".to_owned(), tenth)]));
        let fact = wire.fact().unwrap();
        let Items::All(items) = &fact.items else { panic!("all items were there") };
        assert_eq!(
            serde_json::json!([items, fact.discounts]),
            serde_json::json!([
                [
                    { "price": "price_1", "product": "prod_1", "quantity": 3, "unit_amount": 700, "currency": "eur",
                      "interval": "year", "interval_count": 1, "discounts": [{}] },
                    { "price": "price_2", "product": "prod_1", "currency": "eur", "interval": "month",
                      "interval_count": 1, "discounts": [] },
                ],
                [{ "percent_off": 10.0 }],
            ])
        );
    }

    #[test]
    fn absurd_amounts_change_nothing_but_themselves() {
        for (amount, discounts) in
            [("1e308", "7"), ("-1", "null"), ("\"900\"", "{}"), ("null", "\"di_1\""), ("[]", "1e308")]
        {
            let fact = read(&format!(
                r#"{{"id":"sub_1","customer":"cus_1","status":"active","discounts":{discounts},"items":{{"data":[
                     {{"discounts":{discounts},"quantity":{amount},"price":{{"id":"price_1","product":"prod_1","currency":{amount},
                      "unit_amount":{amount},"recurring":{{"interval":{amount},"interval_count":{amount}}}}}}}]}}}}"#
            ));
            let item = Item::new("price_1".parse().unwrap(), "prod_1".parse().ok(), None);
            assert_eq!(fact.items, Items::All(vec![item]), "{amount}");
            assert_eq!(fact.discounts, None, "{discounts}");
        }
    }

    /// An item on a trial offer, with what the offer was found to lead to.
    #[test]
    fn an_item_on_a_trial_offer_is_whole_once_it_is_known_where_that_leads() {
        let body = |trial: &str| {
            format!(
                r#"{{"id":"sub_1","customer":"cus_1","status":"active","items":{{"data":[{{"id":"si_1","object":"subscription_item",
                     "current_trial":{trial},"price":{{"id":"price_offer","product":"prod_1"}},"quantity":1}}]}}}}"#
            )
        };
        let on_trial = body(r#"{"trial_offer":"to_1","start_date":100,"end_date":200}"#);
        let mut wire: WireSubscription = serde_json::from_str(&on_trial).unwrap();
        assert_eq!(wire.items_mut()[0].trial_offer(), Some("to_1"));
        let unresolved = wire.fact().unwrap().items;
        assert!(matches!(&unresolved, Items::Some(items) if items.len() == 1), "{unresolved:?}");
        let afterwards = Afterwards { price: "price_full".parse().unwrap(), product: "prod_2".parse().ok() };
        wire.items_mut()[0].set_afterwards(afterwards.clone());
        let resolved = wire.fact().unwrap().items;
        assert!(
            matches!(&resolved, Items::All(items) if items[0].afterwards == Some(afterwards)),
            "{resolved:?}"
        );
        assert_eq!(resolved.price_ids(), ["price_offer", "price_full"]);
        assert_eq!(resolved.product_ids(), ["prod_1", "prod_2"]);
        for none in [r#"{"trial_offer":null}"#, "{}", r#"{"trial_offer":7,"end_date":1e300}"#] {
            let items = read(&body(none)).items;
            assert!(matches!(items, Items::Some(_)), "{none}: it is on trial, and nobody knows on which");
        }
        assert!(matches!(read(&body("null")).items, Items::All(_)), "it is on none");
    }

    #[test]
    fn old_ids_are_read_whole() {
        let fact = read(
            r#"{"id":"sub_1","customer":"lena/1 +","status":"active",
                "items":{"data":[{"price":{"id":"vip/monthly","product":"prod a$"}},{"plan":{"id":"a+b c","product":"p"}}]}}"#,
        );
        let item = |price: &str, product: &str| Item::new(price.parse().unwrap(), product.parse().ok(), None);
        assert_eq!(fact.items, Items::All(vec![item("vip/monthly", "prod a$"), item("a+b c", "p")]));
        assert_eq!(fact.customer.id.as_str(), "lena/1 +");
    }

    #[test]
    fn an_unknown_or_missing_status_is_unknown() {
        for (status, expected) in [(r#""frozen""#, "frozen"), ("null", ""), ("7", "")] {
            let fact = read(&format!(r#"{{"id":"sub_1","customer":"cus_1","status":{status}}}"#));
            assert_eq!(fact.status, SubscriptionStatus::Unknown(expected.into()));
        }
    }

    #[test]
    fn metadata_that_is_no_snowflake_links_nobody() {
        for value in [r#""@ana""#, r#""0""#, r#""-5""#, "12345", "null", r#""1234567890123456789012""#] {
            let fact = read(&format!(
                r#"{{"id":"sub_1","customer":"cus_1","metadata":{{"discord_user_id":{value}}}}}"#
            ));
            assert_eq!(fact.discord_user, None, "{value}");
        }
    }
}
