//! `expand[]`. In: paths such as `items.data.price.product`, an object or a page. Out: objects where ids were.

use serde_json::{Value, json};

use super::caller::Caller;
use super::failure::Failure;
use super::references::{Edge, behind};
use crate::stripe::kinds::Kind;
use crate::stripe::objects;
use crate::stripe::world::World;

/// How deep a path may go; `data` counts.
const DEEPEST: usize = 4;
/// How many a list inside of an object shows.
const EMBEDDED: usize = 10;

/// Expands one object of a kind.
pub(super) fn object(
    world: &World,
    caller: &Caller,
    kind: Kind,
    object: &mut Value,
    paths: &[&str],
) -> Result<(), Failure> {
    for path in paths {
        let steps = steps(path)?;
        check(caller, kind.object(), &steps, path)?;
        walk(world, kind.object(), object, &steps);
    }
    Ok(())
}

/// Expands every object of a page; here paths begin with `data`.
pub(super) fn page(
    world: &World,
    caller: &Caller,
    of: &str,
    page: &mut Value,
    paths: &[&str],
) -> Result<(), Failure> {
    for path in paths {
        let steps = steps(path)?;
        let ["data", inside @ ..] = steps.as_slice() else {
            let hint = format!(" You may want to try expanding 'data.{path}' instead.");
            return Err(refused(path, if behind(of, steps[0]).is_some() { &hint } else { "" }));
        };
        check(caller, of, inside, path)?;
        for object in page["data"].as_array_mut().into_iter().flatten() {
            walk(world, of, object, inside);
        }
    }
    Ok(())
}

fn steps(path: &str) -> Result<Vec<&str>, Failure> {
    let steps: Vec<&str> = path.split('.').collect();
    if steps.len() > DEEPEST {
        let message = format!("You cannot expand more than {DEEPEST} levels of a property: {path}");
        return Err(Failure::parameter("expand", message));
    }
    Ok(steps)
}

fn refused(path: &str, hint: &str) -> Failure {
    let message = format!("This property cannot be expanded ({path}).{hint}");
    Failure::parameter("expand", message)
}

/// Whether a path makes sense and this key may read what is behind it, whatever objects there are.
fn check(caller: &Caller, of: &str, steps: &[&str], path: &str) -> Result<(), Failure> {
    let [step, rest @ ..] = steps else { return Ok(()) };
    match behind(of, step).ok_or_else(|| refused(path, ""))? {
        Edge::Id(kind) => {
            caller.may_read(kind)?;
            check(caller, kind.object(), rest, path)
        }
        Edge::Object(inside) => check(caller, inside, rest, path),
        Edge::List(of) | Edge::Extra(of) => match rest {
            [] => Ok(()),
            ["data", rest @ ..] => check(caller, of, rest, path),
            _ => Err(refused(path, "")),
        },
        Edge::Nothing | Edge::Part if rest.is_empty() => Ok(()),
        Edge::Nothing | Edge::Part => Err(refused(path, "")),
    }
}

fn walk(world: &World, of: &str, object: &mut Value, steps: &[&str]) {
    let [step, rest @ ..] = steps else { return };
    // A null reference has nothing behind it.
    let Some(edge) = behind(of, step).filter(|_| object.is_object()) else { return };
    match edge {
        Edge::Id(kind) => {
            let found = object[*step].as_str().and_then(|id| world.collection(kind).get(id));
            if let Some(found) = found {
                object[*step] = found.clone();
            }
            walk(world, kind.object(), &mut object[*step], rest);
        }
        Edge::Object(inside) => walk(world, inside, &mut object[*step], rest),
        Edge::List(of) => walk_list(world, of, &mut object[*step], rest),
        Edge::Extra(of) => {
            if object.get(*step).is_none() {
                object[*step] = extra(world, object, step);
            }
            walk_list(world, of, &mut object[*step], rest);
        }
        Edge::Part => object[*step] = part(object, step),
        Edge::Nothing => {}
    }
}

/// What an object shows of itself on demand.
fn part(object: &Value, name: &str) -> Value {
    match name {
        "discounts" | "taxes" => return json!([]),
        "breakdown" => return json!({ "discounts": [], "taxes": [] }),
        _ => {}
    }
    // A price of the sandbox has one currency.
    let mut options = json!({});
    options[object["currency"].as_str().unwrap_or_default()] = json!({
        "custom_unit_amount": null, "tax_behavior": object["tax_behavior"],
        "unit_amount": object["unit_amount"], "unit_amount_decimal": object["unit_amount_decimal"],
    });
    options
}

fn walk_list(world: &World, of: &str, list: &mut Value, rest: &[&str]) {
    for object in list["data"].as_array_mut().into_iter().flatten() {
        walk(world, of, object, rest.get(1..).unwrap_or_default());
    }
}

/// Lists that objects show on demand, newest first; lines keep their order.
fn extra(world: &World, object: &Value, name: &str) -> Value {
    let id = object["id"].as_str().unwrap_or_default();
    let of = |kind: Kind, field: &str| -> Vec<Value> {
        let theirs = |other: &&Value| other[field] == id && other["status"] != "canceled";
        world.collection(kind).oldest_first().rev().filter(theirs).cloned().collect()
    };
    let (url, data) = match name {
        "refunds" => (format!("/v1/charges/{id}/refunds"), of(Kind::Refund, "charge")),
        "subscriptions" => (format!("/v1/customers/{id}/subscriptions"), of(Kind::Subscription, "customer")),
        "sources" => (format!("/v1/customers/{id}/sources"), Vec::new()),
        "payments" => (format!("/v1/invoice_payments?invoice={id}"), of(Kind::InvoicePayment, "invoice")),
        _ => {
            let kind = if id.starts_with("plink") { Kind::PaymentLink } else { Kind::CheckoutSession };
            let lines = world.lines.get(id).cloned().unwrap_or_default();
            (format!("/v1{}/{id}/line_items", kind.path()), lines)
        }
    };
    objects::list(&url, data.iter().take(EMBEDDED).cloned().collect(), data.len() > EMBEDDED)
}
