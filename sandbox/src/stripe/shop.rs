//! A shop, as Payment Links open it in a browser. In: a visitor's click. Out: a completed checkout session, and where its link leads.
//!
//! `/shop` lists what is for sale; `/shop/{id}` sells one payment link, or one price that no link sells. Like a link of Stripe's it
//! takes `prefilled_email` and `client_reference_id` in its query. The card always pays.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;
use serde_json::Value;

use super::kinds::Kind;
use super::state::Stripe;
use super::world::World;
use super::world::checkout::{NewSession, Purchase};
use crate::page::{escaped, page};
use crate::refusal::Refusal;

/// Who types no other address.
const EMAIL: &str = "buyer@example.test";
const NOTE: &str = "<p>This is a sandbox of Stripe: no card is asked for, and no money moves.</p>";
/// Currencies whose smallest unit is the whole one (<https://docs.stripe.com/currencies#zero-decimal>).
const WHOLE: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
    "xpf",
];

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    Router::new().route("/shop", get(list)).route("/shop/{id}", get(offer).post(pay))
}

/// What one page sells.
struct Offer {
    id: String,
    /// `VIP`, or several names.
    name: String,
    /// `9.00 USD a month`.
    terms: String,
}

/// What a link's address says of the buyer.
#[derive(Deserialize)]
struct Buyer {
    prefilled_email: Option<String>,
    client_reference_id: Option<String>,
}

#[derive(Deserialize)]
struct Typed {
    email: String,
}

async fn list(State(stripe): State<Arc<Stripe>>) -> Html<String> {
    let offers = stripe.with(|world| offers(world));
    let none = if offers.is_empty() { "<p>Nothing is for sale yet.</p>" } else { "" };
    let items: String = offers
        .iter()
        .map(|Offer { id, name, terms }| {
            let (id, name, terms) = (escaped(id), escaped(name), escaped(terms));
            format!("<li><a href=\"/shop/{id}\">{name}: {terms}</a></li>\n")
        })
        .collect();
    let items = if items.is_empty() { items } else { format!("<ul>\n{items}</ul>") };
    page("Sandbox shop", &format!("<h1>Sandbox shop</h1>\n{NOTE}\n{none}{items}"))
}

async fn offer(
    State(stripe): State<Arc<Stripe>>,
    Path(id): Path<String>,
    Query(buyer): Query<Buyer>,
) -> Response {
    let Some(Offer { name, terms, .. }) = stripe.with(|world| one(world, &id)) else {
        return refused(Refusal::missing("offer"));
    };
    let email = buyer.prefilled_email.as_deref().unwrap_or(EMAIL);
    let title = format!("{name} – Sandbox shop");
    let (name, terms, email) = (escaped(&name), escaped(&terms), escaped(email));
    // The form posts to its own address, query and all.
    let body = format!(
        "<h1>{name}</h1>\n<p>{terms}</p>\n<form method=\"post\">\n\
         <p><label>Your e-mail address <input type=\"email\" name=\"email\" value=\"{email}\" \
         autocomplete=\"email\" required></label></p>\n<p><button>Pay</button></p>\n</form>\n{NOTE}"
    );
    page(&title, &body).into_response()
}

async fn pay(
    State(stripe): State<Arc<Stripe>>,
    Path(id): Path<String>,
    Query(buyer): Query<Buyer>,
    Form(Typed { email }): Form<Typed>,
) -> Response {
    let purchase = Purchase { email: Some(email), ..Purchase::default() };
    let bought = stripe.with(|world| {
        one(world, &id).ok_or_else(|| Refusal::missing("offer"))?;
        let link = world.collection(Kind::PaymentLink).get(&id).is_some();
        let session = world.open_session(&NewSession {
            payment_link: link.then(|| id.clone()),
            prices: if link { Vec::new() } else { vec![id.clone()] },
            client_reference_id: buyer.client_reference_id,
            ..NewSession::default()
        })?;
        world.complete_session(&session, &purchase)
    });
    match bought {
        Ok(bought) => match bought["redirect"].as_str() {
            Some(address) => Redirect::to(address).into_response(),
            None => page("Paid", "<h1>Thank you</h1>\n<p>It is paid.</p>").into_response(),
        },
        Err(why) => refused(why),
    }
}

fn refused(why: Refusal) -> Response {
    let (status, why): (StatusCode, String) = why.into_parts();
    let body = format!(
        "<h1>This cannot be bought</h1>\n<p>{}</p>\n<p><a href=\"/shop\">To the shop</a></p>",
        escaped(&why)
    );
    (status, page("Sandbox shop", &body)).into_response()
}

/// Active links, and active prices that none of them sells.
fn offers(world: &World) -> Vec<Offer> {
    let active = |kind| world.collection(kind).oldest_first().filter(|object| object["active"] == true);
    let links: Vec<&str> = active(Kind::PaymentLink).filter_map(|link| link["id"].as_str()).collect();
    let sold = |price: &&Value| {
        links
            .iter()
            .filter_map(|id| world.lines.get(*id))
            .flatten()
            .any(|line| line["price"]["id"] == price["id"])
    };
    let prices = active(Kind::Price).filter(|price| !sold(price)).filter_map(|price| price["id"].as_str());
    links.iter().copied().chain(prices).filter_map(|id| one(world, id)).collect()
}

/// What is sold under this id now.
fn one(world: &World, id: &str) -> Option<Offer> {
    let link = world.collection(Kind::PaymentLink).get(id);
    let object = link.or_else(|| world.collection(Kind::Price).get(id))?;
    if object["active"] != true {
        return None;
    }
    let lines = match link {
        Some(_) => world.lines.get(id)?.clone(),
        None => world.lines_for(std::slice::from_ref(object)),
    };
    let joined = |words: Vec<String>| words.join(" and ");
    let names = lines.iter().map(|line| line["description"].as_str().unwrap_or("Something").to_owned());
    let trial = object["subscription_data"]["trial_period_days"].as_i64();
    let trial = trial.map(|days| format!("free for {days} days, then ")).unwrap_or_default();
    let terms = trial + &joined(lines.iter().map(|line| cost(&line["price"])).collect());
    Some(Offer { id: id.to_owned(), name: joined(names.collect()), terms })
}

/// `9.00 USD a month`, `50.00 USD once`.
fn cost(price: &Value) -> String {
    let currency = price["currency"].as_str().unwrap_or_default();
    let amount = price["unit_amount"].as_i64().unwrap_or_default();
    let amount = if WHOLE.contains(&currency) {
        amount.to_string()
    } else {
        format!("{}.{:02}", amount / 100, amount % 100)
    };
    let every = match (price["recurring"]["interval"].as_str(), price["recurring"]["interval_count"].as_i64())
    {
        (None, _) => "once".to_owned(),
        (Some(interval), None | Some(1)) => format!("a {interval}"),
        (Some(interval), Some(count)) => format!("every {count} {interval}s"),
    };
    format!("{amount} {} {every}", currency.to_uppercase())
}
