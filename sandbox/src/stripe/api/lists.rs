//! Lists and single objects. In: a kind, a query, who asks. Out: what that key may see of the world.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde_json::Value;

use super::asked::Asked;
use super::caller::Caller;
use super::failure::Failure;
use super::middleware::RequestId;
use super::{expand, filters};
use crate::stripe::collection::{Collection, Ties, UnknownCursor};
use crate::stripe::kinds::Kind;
use crate::stripe::objects;
use crate::stripe::state::Stripe;
use crate::stripe::world::key::ACCOUNT;
use crate::stripe::world::{World, accounts, is_recent, versions};

pub(super) type Answer = Result<Json<Value>, Failure>;

/// What every read starts from.
struct Read {
    stripe: Arc<Stripe>,
    caller: Caller,
    request: RequestId,
    query: Option<String>,
    headers: HeaderMap,
}

pub(super) type Parts = (State<Arc<Stripe>>, Extension<Caller>, Extension<RequestId>, RawQuery, HeaderMap);

impl Read {
    fn new((stripe, caller, request, query, headers): Parts) -> Self {
        Self { stripe: stripe.0, caller: caller.0, request: request.0, query: query.0, headers }
    }

    /// The version of the answer: what the call says, else the account's.
    fn version(&self, default: &str) -> Result<String, Failure> {
        let Some(said) = self.headers.get("stripe-version") else { return Ok(default.to_owned()) };
        let said = said.to_str().unwrap_or_default();
        let known = versions::known(said).map(ToOwned::to_owned);
        known.ok_or_else(|| {
            Failure::new(StatusCode::BAD_REQUEST, format!("Invalid Stripe API version: {said}"))
        })
    }

    /// Answers; an error says under which request it can be looked up.
    fn answer(self, act: impl FnOnce(&World, &Caller, &Asked) -> Result<Value, Failure>) -> Answer {
        let outcome = Asked::read(self.query.as_deref()).and_then(|asked| {
            self.stripe.with(|world| {
                let version = self.version(&world.settings.api_version)?;
                let mut answer = act(world, &self.caller, &asked)?;
                versions::render(world, &version, &mut answer);
                accounts::render(world, &mut answer);
                objects::billing::show_pages(&mut answer);
                Ok(answer)
            })
        });
        outcome.map(Json).map_err(|failure| failure.logged(&self.request.0, self.caller.live()))
    }
}

pub(super) async fn account(parts: Parts) -> Answer {
    Read::new(parts).answer(|_, caller, asked| {
        asked.only(&[])?;
        caller.may(ACCOUNT)?;
        Ok(objects::account())
    })
}

/// The account itself by its id, as libraries ask for it; it has no others.
pub(super) async fn account_by_id(Path(id): Path<String>, parts: Parts) -> Answer {
    Read::new(parts).answer(|_, caller, asked| {
        asked.only(&[])?;
        caller.may(ACCOUNT)?;
        if id == objects::ACCOUNT_ID { Ok(objects::account()) } else { Err(Failure::no_account(&id)) }
    })
}

/// Accounts that are connected to this one: none. Stripe does not list the own account among them.
pub(super) async fn connected_accounts(parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may(ACCOUNT)?;
        asked.only(&["created"])?;
        below(world, caller, asked, "account", "/v1/accounts", Vec::new())
    })
}

pub(super) async fn page(kind: Kind, parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(kind)?;
        asked.only(&filters::names(kind))?;
        filters::check(kind, asked)?;
        let cursor = asked.cursor()?;
        // Tried on nothing first, so that a malformed filter is told even when the list is empty.
        filters::pass(kind, asked, &Value::Null)?;
        let shown = |object: &Value| kind != Kind::Event || is_recent(object, world.now());
        let account = asked.one("customer_account");
        let theirs = |object: &Value| account.is_none_or(|account| accounts::is_of(world, object, account));
        let wanted = |object: &Value| {
            shown(object) && theirs(object) && filters::pass(kind, asked, object).unwrap_or(false)
        };
        let status = world.settings.lost_cursor_status;
        let lost = |cursor| Failure::lost_cursor(status, kind.object(), cursor);
        let collection = world.collection(kind);
        for (param, id) in
            [("starting_after", &cursor.starting_after), ("ending_before", &cursor.ending_before)]
        {
            if let Some(id) = id.clone().filter(|id| collection.get(id).is_some_and(|object| !shown(object)))
            {
                return Err(lost(UnknownCursor { param, id }));
            }
        }
        let ties = if world.settings.ties_by_id { Ties::ById } else { Ties::ByAge };
        let (data, has_more) = collection.page(&cursor, caller.live(), ties, wanted).map_err(lost)?;
        let mut page = objects::list(&format!("/v1{}", kind.path()), data, has_more);
        expand::page(world, caller, kind.object(), &mut page, &asked.all("expand"))?;
        Ok(page)
    })
}

pub(super) async fn single(kind: Kind, Path(id): Path<String>, parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(kind)?;
        asked.only(&[])?;
        let mut object = find(kind, world, caller, &id)?;
        expand::object(world, caller, kind, &mut object, &asked.all("expand"))?;
        Ok(object)
    })
}

pub(super) async fn line_items(kind: Kind, Path(id): Path<String>, parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(kind)?;
        asked.only(&[])?;
        find(kind, world, caller, &id)?;
        let lines = world.lines.get(&id).cloned().unwrap_or_default();
        let path = format!("/v1{}/{id}/line_items", kind.path());
        below(world, caller, asked, "item", &path, lines)
    })
}

pub(super) async fn features(Path(id): Path<String>, parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(Kind::Product)?;
        asked.only(&[])?;
        find(Kind::Product, world, caller, &id)?;
        let features = world.features.get(&id).cloned().unwrap_or_default();
        below(world, caller, asked, "product_feature", &format!("/v1/products/{id}/features"), features)
    })
}

pub(super) async fn feature(Path((product, id)): Path<(String, String)>, parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(Kind::Product)?;
        asked.only(&[])?;
        find(Kind::Product, world, caller, &product)?;
        let mut features = world.features.get(&product).into_iter().flatten();
        let feature = features.find(|feature| feature["id"] == id);
        feature.cloned().ok_or_else(|| Failure::missing("product_feature", "id", &id))
    })
}

pub(super) async fn subscription_items(parts: Parts) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(Kind::Subscription)?;
        asked.only(&["subscription"])?;
        let id = asked.one("subscription").ok_or_else(|| Failure::required("subscription"))?;
        let subscription = find(Kind::Subscription, world, caller, id)?;
        let items = subscription["items"]["data"].as_array().cloned().unwrap_or_default();
        below(world, caller, asked, "subscription_item", "/v1/subscription_items", items)
    })
}

/// `refunds` of a charge, `lines` of an invoice, `subscriptions` and `sources` of a customer: whole lists inside their object.
pub(super) async fn sublist(
    kind: Kind,
    of: &'static str,
    field: &'static str,
    Path(id): Path<String>,
    parts: Parts,
) -> Answer {
    Read::new(parts).answer(|world, caller, asked| {
        caller.may_read(kind)?;
        // Only sources are of several kinds, and there are none.
        let filters: &[&str] = if field == "sources" { &["object"] } else { &[] };
        asked.only(filters)?;
        let mut object = find(kind, world, caller, &id)?;
        expand::object(world, caller, kind, &mut object, &[field])?;
        let inside = object[field]["data"].as_array().cloned().unwrap_or_default();
        below(world, caller, asked, of, &format!("/v1{}/{id}/{field}", kind.path()), inside)
    })
}

/// A page of what belongs to one object, in its own order.
fn below(
    world: &World,
    caller: &Caller,
    asked: &Asked,
    of: &str,
    path: &str,
    objects: Vec<Value>,
) -> Result<Value, Failure> {
    let mut collection = Collection::default();
    // A collection shows the newest first, which is turned round here.
    objects.into_iter().rev().for_each(|object| collection.add(object, caller.live()));
    let lost = |cursor| Failure::lost_cursor(world.settings.lost_cursor_status, of, cursor);
    let (data, has_more) =
        collection.page(&asked.cursor()?, caller.live(), Ties::ByAge, |_| true).map_err(lost)?;
    let mut page = objects::list(path, data, has_more);
    expand::page(world, caller, of, &mut page, &asked.all("expand"))?;
    Ok(page)
}

/// Only of customers does Stripe still show a stub when they are deleted.
fn find(kind: Kind, world: &World, caller: &Caller, id: &str) -> Result<Value, Failure> {
    let collection = world.collection(kind);
    let there = |object: &&Value| match kind {
        Kind::Customer => true,
        Kind::Event => is_recent(object, world.now()),
        _ => object["deleted"] != true,
    };
    let (name, param) = (kind.object(), kind.id_param());
    let object = collection.get(id).filter(there).ok_or_else(|| Failure::missing(name, param, id))?;
    if collection.is_live(id) != caller.live() {
        return Err(Failure::other_mode(name, param, id, caller.live()));
    }
    Ok(object.clone())
}
