//! Disputes. In: charges that cardholders complain about, again and again. Out: where each dispute stands, and what is told.

use serde_json::{Value, json};

use crate::scene::{Scene, ids, scene};

impl Scene {
    /// A purchase: its intent and its charge.
    async fn purchase(&self) -> (String, String) {
        let product = self.control.create_product("VIP").await.unwrap();
        let once = json!({ "product": product, "unit_amount": 9900, "type": "one_time" });
        let once = self.control.create_price_with(once).await.unwrap();
        let session = self.control.open_session(json!({ "prices": [once] })).await.unwrap();
        let bought = self.control.complete_session(&session, json!({})).await.unwrap();
        let intent = bought["payment_intent"].as_str().unwrap().to_owned();
        let found = self.get(&format!("/payment_intents/{intent}")).await.1;
        (intent, found["latest_charge"].as_str().unwrap().to_owned())
    }

    /// What was told since `seen` events, of disputes.
    async fn told_of_disputes(&self, seen: usize) -> Vec<String> {
        let events = self.control.events().await.unwrap();
        let kinds = events[seen..].iter().map(|event| event["type"].as_str().unwrap());
        kinds.filter_map(|kind| kind.strip_prefix("charge.dispute.")).map(ToOwned::to_owned).collect()
    }
}

#[tokio::test]
async fn what_is_lost_can_be_appealed_and_is_open_again() {
    for (verdict, closes) in
        [("won", &["updated", "closed", "funds_reinstated"][..]), ("lost", &["updated", "closed"])]
    {
        let s = scene().await;
        let (intent, _) = s.purchase().await;
        let dispute = s.control.dispute(json!({ "payment_intent": intent })).await.unwrap();
        s.control.advance_dispute(&dispute, "under_review").await.unwrap();
        s.control.close_dispute(&dispute, "lost").await.unwrap();
        let seen = s.control.events().await.unwrap().len();
        for stage in ["appeal_needs_response", "appeal_under_review"] {
            s.control.advance_dispute(&dispute, stage).await.unwrap();
            assert_eq!(s.get(&format!("/disputes/{dispute}")).await.1["status"], stage);
        }
        assert_eq!(s.told_of_disputes(seen).await, ["updated", "updated"]);
        let last = s.control.events().await.unwrap().pop().unwrap();
        assert_eq!(last["data"]["previous_attributes"], json!({ "status": "appeal_needs_response" }));
        let seen = s.control.events().await.unwrap().len();
        s.control.close_dispute(&dispute, verdict).await.unwrap();
        assert_eq!(s.told_of_disputes(seen).await, closes);
        let found = s.get(&format!("/disputes/{dispute}")).await.1;
        assert_eq!(found["status"], verdict);
        assert_eq!(found["evidence_details"]["submission_count"], 2);
    }
}

#[tokio::test]
async fn an_inquiry_may_become_a_dispute_and_only_what_follows_is_allowed() {
    let s = scene().await;
    let (intent, charge) = s.purchase().await;
    let inquiry = json!({ "charge": charge, "inquiry": true });
    let inquiry = s.control.dispute(inquiry).await.unwrap();
    let seen = s.control.events().await.unwrap().len();
    s.control.advance_dispute(&inquiry, "warning_under_review").await.unwrap();
    s.control.advance_dispute(&inquiry, "needs_response").await.unwrap();
    assert_eq!(s.told_of_disputes(seen).await, ["updated", "updated", "funds_withdrawn"]);
    for early in ["appeal_needs_response", "appeal_under_review", "warning_under_review", "lost"] {
        assert!(s.control.advance_dispute(&inquiry, early).await.is_err(), "{early}");
    }
    s.control.close_dispute(&inquiry, "won").await.unwrap();
    assert!(s.control.close_dispute(&inquiry, "lost").await.is_err());
    assert!(s.control.advance_dispute(&inquiry, "appeal_needs_response").await.is_err());
    // From what is paid to its disputes.
    let (other, _) = s.purchase().await;
    for query in [format!("charge={charge}"), format!("payment_intent={intent}")] {
        assert_eq!(ids(&s.get(&format!("/disputes?{query}")).await.1), [inquiry.as_str()], "{query}");
    }
    assert_eq!(ids(&s.get(&format!("/disputes?payment_intent={other}")).await.1), [""; 0]);
}

#[tokio::test]
async fn a_payment_leads_back_to_what_was_sold_and_to_whom() {
    let s = scene().await;
    let (intent, charge) = s.purchase().await;
    let path = format!("/checkout/sessions?payment_intent={intent}&expand[]=data.line_items");
    let sessions = s.get(&path).await.1;
    assert_eq!(sessions["data"].as_array().unwrap().len(), 1);
    let lines = &sessions["data"][0]["line_items"]["data"];
    assert_eq!((&lines[0]["amount_total"], &lines[0]["object"]), (&json!(9900), &json!("item")));

    let (customer, subscription) = s.quiet_subscription().await;
    let latest = s.get(&format!("/subscriptions/{subscription}")).await.1["latest_invoice"].clone();
    let payments = s.get(&format!("/invoice_payments?invoice={}", latest.as_str().unwrap())).await.1;
    let paid = payments["data"][0]["payment"]["payment_intent"].as_str().unwrap();
    let back = format!("/invoice_payments?payment[type]=payment_intent&payment[payment_intent]={paid}");
    assert_eq!(s.get(&back).await.1["data"][0]["invoice"], latest);
    let elsewhere = back.replace(paid, &intent);
    assert_eq!(s.get(&elsewhere).await.1["data"], json!([]));

    let guest = s.control.refund(json!({ "charge": charge })).await.unwrap();
    let member = s.control.refund(json!({ "payment_intent": paid })).await.unwrap();
    for (refund, whose) in [(guest, Value::Null), (member, json!(customer))] {
        let found = s.get(&format!("/refunds/{refund}")).await.1;
        assert_eq!(found["customer"], whose);
        assert!(found["payment_method"].as_str().unwrap().starts_with("pm_"));
    }
}
