//! Control of what is for sale, as Rust methods. In: parameters. Out: ids.

use reqwest::Method;
use serde_json::{Value, json};

use super::Control;

impl Control {
    /// A product; causes `product.created`.
    pub async fn create_product(&self, name: &str) -> anyhow::Result<String> {
        self.create("/products", &json!({ "name": name })).await
    }

    /// A product from `{id?, name, metadata?, livemode?}`.
    pub async fn create_product_with(&self, params: Value) -> anyhow::Result<String> {
        self.create("/products", &params).await
    }

    /// Overwrites top-level fields, `active: false` to archive; causes `product.updated`.
    pub async fn update_product(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/products/{id}"), &change).await
    }

    /// Hangs a feature on a product, from `{lookup_key, name?}`.
    pub async fn add_feature(&self, product: &str, feature: Value) -> anyhow::Result<String> {
        self.create(&format!("/products/{product}/features"), &feature).await
    }

    /// Causes `product.deleted`.
    pub async fn delete_product(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/products/{id}"), &Value::Null).await
    }

    /// A monthly price in US cents; causes `price.created`.
    pub async fn create_price(&self, product: &str, unit_amount: i64) -> anyhow::Result<String> {
        self.create_price_with(json!({ "product": product, "unit_amount": unit_amount })).await
    }

    /// A price from `{id?, product, unit_amount, currency?, type?, interval?, interval_count?}`.
    pub async fn create_price_with(&self, params: Value) -> anyhow::Result<String> {
        self.create("/prices", &params).await
    }

    /// Overwrites top-level fields, also inside subscriptions; causes `price.updated`.
    pub async fn update_price(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/prices/{id}"), &change).await
    }

    /// Causes `price.deleted`.
    pub async fn delete_price(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/prices/{id}"), &Value::Null).await
    }

    /// A trial offer from `{price, transition_price, iterations?}`, for `trial_offers` of a new subscription.
    pub async fn create_trial_offer(&self, offer: Value) -> anyhow::Result<String> {
        self.create("/trial_offers", &offer).await
    }

    /// A payment link from `{price or prices, redirect_url?, metadata?, active?}`; causes `payment_link.created`.
    pub async fn create_payment_link(&self, params: Value) -> anyhow::Result<String> {
        self.create("/payment_links", &params).await
    }

    /// Overwrites top-level fields, or `redirect_url`; causes `payment_link.updated`.
    pub async fn update_payment_link(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/payment_links/{id}"), &change).await
    }
}
