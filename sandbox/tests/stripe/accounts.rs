//! Customers that are Accounts of the second API. In: a purchase of one. Out: its account beside the customer or instead of it.

use sandbox::stripe::Mode;
use serde_json::{Value, json};

use crate::scene::{ids, scene};

#[tokio::test]
async fn an_account_stands_beside_its_customer_or_instead_of_it() {
    let mut s = scene().await;
    let (plain, _) = s.quiet_subscription().await;
    s.control.delivery(Mode::Drop).await.unwrap();
    let product = s.control.create_product("VIP").await.unwrap();
    let price = s.control.create_price(&product, 500).await.unwrap();
    let customer = json!({ "email": "ana@example.com", "customer_account": "acct_ana" });
    let customer = s.control.create_customer_with(customer).await.unwrap();
    let subscription = s.control.subscribe(&customer, &price).await.unwrap();
    s.control.delivery(Mode::Live).await.unwrap();
    for (alone, shown) in [(false, json!(customer)), (true, Value::Null)] {
        s.control.set_settings(json!({ "customers_by_account": alone })).await.unwrap();
        for path in ["subscriptions", "invoices", "payment_intents", "payment_methods"] {
            let found = s.get(&format!("/{path}?customer_account=acct_ana")).await.1;
            assert_eq!(ids(&found).len(), 1, "{path}");
            let object = &found["data"][0];
            assert_eq!(
                (&object["customer_account"], &object["customer"]),
                (&json!("acct_ana"), &shown),
                "{path}"
            );
            // Those of others have none, and keep their customer.
            let other = s.get(&format!("/{path}?customer={plain}")).await.1;
            let other = &other["data"][0];
            assert_eq!(
                (&other["customer_account"], &other["customer"]),
                (&Value::Null, &json!(plain)),
                "{path}"
            );
        }
        s.control.set_subscription(&subscription, json!({ "metadata": { "n": alone } })).await.unwrap();
        let told = s.received().await.json();
        let object = &told["data"]["object"];
        assert_eq!((&object["customer_account"], &object["customer"]), (&json!("acct_ana"), &shown));
    }
    let found = s.get(&format!("/customers/{customer}")).await.1;
    assert_eq!((&found["id"], &found["customer_account"]), (&json!(customer), &json!("acct_ana")));
}
