//! What can be expanded. In: an object's type and one of its fields. Out: what stands behind the field.

use crate::stripe::kinds::Kind;

/// What stands behind a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// An id, which expanding replaces by the object.
    Id(Kind),
    /// An object that is always there; its type.
    Object(&'static str),
    /// A list that is always there; the type of what is on it.
    List(&'static str),
    /// A list that is there only when expanded; the type of what is on it.
    Extra(&'static str),
    /// What is there only when expanded, with nothing to expand in it.
    Part,
    /// An id of something the sandbox never has, so that the field is always null.
    Nothing,
}

/// What stands behind `field` of an object of type `object`; none if it cannot be expanded.
pub(super) fn behind(object: &str, field: &str) -> Option<Edge> {
    use Edge::{Extra, Id, List, Nothing, Object, Part};
    let edge = match (object, field) {
        // Ids of the same name mean the same everywhere.
        (_, "customer") if object != "customer" => Id(Kind::Customer),
        ("checkout.session" | "line_item" | "subscription_details", "subscription") => Id(Kind::Subscription),
        ("checkout.session" | "invoice_payment", "invoice") => Id(Kind::Invoice),
        ("subscription", "latest_invoice") => Id(Kind::Invoice),
        ("checkout.session" | "charge" | "refund" | "dispute" | "associated_payment", "payment_intent") => {
            Id(Kind::PaymentIntent)
        }
        ("refund" | "dispute" | "associated_payment", "charge") => Id(Kind::Charge),
        ("payment_intent", "latest_charge") => Id(Kind::Charge),
        ("checkout.session", "payment_link") => Id(Kind::PaymentLink),
        ("checkout.session", "setup_intent") | ("subscription", "pending_setup_intent") => {
            Id(Kind::SetupIntent)
        }
        ("payment_intent" | "setup_intent" | "refund", "payment_method") => Id(Kind::PaymentMethod),
        ("subscription" | "invoice" | "customer_settings", "default_payment_method") => {
            Id(Kind::PaymentMethod)
        }
        ("price" | "plan", "product") => Id(Kind::Product),
        ("product_catalog.trial_offer" | "trial_offer_transition", "price") => Id(Kind::Price),
        ("product_catalog.trial_offer", "end_behavior") => Object("trial_offer_end"),
        ("trial_offer_end", "transition") => Object("trial_offer_transition"),
        ("product", "default_price") | ("price_details", "price") => Id(Kind::Price),

        ("customer", "invoice_settings") => Object("customer_settings"),
        ("subscription_item" | "item", "price") => Object("price"),
        ("subscription_item", "plan") => Object("plan"),
        ("invoice", "parent") => Object("invoice_parent"),
        ("invoice_parent", "subscription_details") => Object("subscription_details"),
        ("line_item", "pricing") => Object("pricing"),
        ("pricing", "price_details") => Object("price_details"),
        ("invoice_payment", "payment") => Object("associated_payment"),

        ("subscription", "items") => List("subscription_item"),
        ("invoice", "lines") => List("line_item"),
        ("payment_link" | "checkout.session", "line_items") => Extra("item"),
        ("charge", "refunds") => Extra("refund"),
        ("customer", "subscriptions") => Extra("subscription"),
        ("invoice", "payments") => Extra("invoice_payment"),
        ("customer", "sources") => Extra("source"),

        ("checkout.session", "total_details") => Object("total_details"),
        ("total_details", "breakdown") | ("price", "currency_options") | ("item", "discounts" | "taxes") => {
            Part
        }

        ("customer" | "subscription" | "invoice", "default_source" | "test_clock" | "discounts") => Nothing,
        ("line_item" | "subscription_item", "discounts") | ("price", "tiers") => Nothing,
        (
            "subscription" | "payment_link" | "payment_intent" | "charge" | "invoice" | "setup_intent",
            "application" | "on_behalf_of" | "review" | "transfer_data" | "schedule" | "default_tax_rates",
        ) => Nothing,
        ("charge" | "refund", "balance_transaction" | "failure_balance_transaction") => Nothing,
        ("product", "tax_code") | ("invoice", "latest_revision") | ("setup_intent", "latest_attempt") => {
            Nothing
        }
        _ => return None,
    };
    Some(edge)
}
