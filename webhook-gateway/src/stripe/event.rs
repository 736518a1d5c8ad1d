//! Stripe's event, as far as we read it. In: a verified payload. Out: a [`StripeEvent`] and the object it hints at.
//!
//! An event is a hint, so only ids are read. Real accounts still send shapes of old API versions: every field but `id`
//! and `type` may be missing, null or of another type, and unknown types are kept
//! (<https://docs.stripe.com/api/events/object>, <https://docs.stripe.com/event-destinations#thin-events>).

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::domain::{
    reference::ClientReference,
    stripe_object::{CATALOGUE, Object, ObjectKind},
};
use shared::{
    clock::Timestamp,
    ids::{
        ChargeId, CheckoutSessionId, CustomerId, DisputeId, EventId, InvoiceId, PaymentIntentId, RefundId,
        SubscriptionId,
    },
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::signature::VerifiedPayload;

/// An event that really came from the endpoint's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeEvent {
    /// `evt_…`
    pub id: EventId,
    /// `customer.subscription.updated`, …, or one invented tomorrow.
    pub event_type: String,
    /// When Stripe made it; never used for ordering.
    pub created: Option<Timestamp>,
    /// Live or test; missing counts as live, the stricter reading.
    pub livemode: bool,
    /// How the payload was rendered.
    pub api_version: Option<String>,
    /// What to read again.
    pub object: Option<Object>,
}

/// Signed, but no event: not JSON, or without a usable `id` or `type`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Stripe event: {0}")]
pub struct NotAnEvent(String);

pub fn parse(payload: &VerifiedPayload<'_>) -> Result<StripeEvent, NotAnEvent> {
    translate(payload.bytes())
}

/// Reads an event of Stripe's own list, which came over TLS from the API and needs no signature.
pub fn parse_listed(event: &RawValue) -> Result<StripeEvent, NotAnEvent> {
    translate(event.get().as_bytes())
}

pub(super) fn translate(body: &[u8]) -> Result<StripeEvent, NotAnEvent> {
    // serde would fill the fields from a list too, in their order. Nobody else reads a list as an event.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(NotAnEvent("no JSON object".to_owned()));
    }
    // Of what it skips, serde would not ask whether it is text.
    let body = std::str::from_utf8(body).map_err(|_| NotAnEvent("not UTF-8".to_owned()))?;
    let wire: Wire = serde_json::from_str(body).map_err(|error| {
        // Line and column only: the message of a type error quotes the value.
        NotAnEvent(format!("{:?} at line {} column {}", error.classify(), error.line(), error.column()))
    })?;
    let id = wire.id.parse().map_err(|error| NotAnEvent(format!("id: {error}")))?;
    // It is stored and logged: nothing that could be an address or a name.
    let type_is_word = wire.event_type.bytes().all(|b| b.is_ascii_alphanumeric() || b"._[]-".contains(&b));
    if !type_is_word || !(1..=255).contains(&wire.event_type.len()) {
        return Err(NotAnEvent("type is not a word".to_owned()));
    }
    let object = hint(&wire);
    Ok(StripeEvent {
        id,
        created: wire.created.as_ref().and_then(Created::timestamp),
        livemode: wire.livemode.unwrap_or(true),
        api_version: wire.api_version.filter(|version| version.len() <= 64 && !version.contains('\0')),
        object,
        event_type: wire.event_type,
    })
}

/// Which object an event tells us to read again; `None`: none that we read. The one dispatch over event types.
fn hint(wire: &Wire) -> Option<Object> {
    // A thin event says `v1.customer.subscription.updated` and names the object instead of carrying it.
    let (event_type, named) = match wire.event_type.strip_prefix("v1.") {
        Some(rest) => (rest, wire.related_object.as_ref().and_then(|object| object.id.as_deref())),
        None => (wire.event_type.as_str(), None),
    };
    let data = wire.data.as_ref();
    let object = data.and_then(|data| data.object.as_ref());
    let own_id = || named.or_else(|| object?.id.as_deref());
    // `v1.invoice.upcoming` has data instead of an object: the invoice does not exist yet.
    let subscription = || {
        let carried = object.and_then(WireObject::subscription_id);
        carried.or_else(|| data?.subscription.as_ref().map(Reference::id))
    };
    let of_subscription = |kind| match (subscription(), named) {
        (Some(id), _) => Some((ObjectKind::Subscription, id)),
        (None, Some(id)) => Some((kind, id)),
        (None, None) => None,
    };
    // What goes back goes back of a payment, and several events tell of one: they lead to one object where they name it.
    let of_payment = |kind| match object.and_then(WireObject::payment_intent_id) {
        Some(id) => Some((ObjectKind::PaymentIntent, id)),
        None => Some((kind, own_id()?)),
    };
    let (kind, id) = match event_type.split('.').collect::<Vec<_>>()[..] {
        ["customer", "subscription", ..] => (ObjectKind::Subscription, own_id()?),
        ["customer", "created" | "updated" | "deleted"] => (ObjectKind::Customer, own_id()?),
        ["invoice", ..] => of_subscription(ObjectKind::Invoice)?,
        // Nothing was bought.
        ["checkout", "session", "expired"] => return None,
        // Whose it is, the subscription does not know.
        ["checkout", "session", "completed"] if object.is_some_and(WireObject::has_our_reference) => {
            (ObjectKind::CheckoutSession, own_id()?)
        }
        ["checkout", "session", ..] => match subscription() {
            Some(id) => (ObjectKind::Subscription, id),
            None => (ObjectKind::CheckoutSession, own_id()?),
        },
        ["charge", "refunded"] => of_payment(ObjectKind::Charge)?,
        ["charge", "dispute", ..] => of_payment(ObjectKind::Dispute)?,
        ["charge", "refund", ..] | ["refund", ..] => of_payment(ObjectKind::Refund)?,
        ["product" | "price" | "payment_link", ..] => (ObjectKind::Catalogue, CATALOGUE),
        _ => return None,
    };
    let is_id = match kind {
        ObjectKind::Charge => id.parse::<ChargeId>().is_ok(),
        ObjectKind::Customer => id.parse::<CustomerId>().is_ok(),
        ObjectKind::Dispute => id.parse::<DisputeId>().is_ok(),
        ObjectKind::PaymentIntent => id.parse::<PaymentIntentId>().is_ok(),
        ObjectKind::Refund => id.parse::<RefundId>().is_ok(),
        ObjectKind::Subscription => id.parse::<SubscriptionId>().is_ok(),
        ObjectKind::Invoice => id.parse::<InvoiceId>().is_ok(),
        ObjectKind::CheckoutSession => id.parse::<CheckoutSessionId>().is_ok(),
        ObjectKind::Catalogue => true,
    };
    is_id.then(|| Object { kind, id: id.to_owned() })
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<Created>,
    #[serde(default, deserialize_with = "lenient")]
    livemode: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    api_version: Option<String>,
    #[serde(default, deserialize_with = "no_list")]
    data: Option<WireData>,
    #[serde(default, deserialize_with = "no_list")]
    related_object: Option<WireObject>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Created {
    Seconds(i64),
    Text(String),
}

impl Created {
    fn timestamp(&self) -> Option<Timestamp> {
        let time = match self {
            Self::Seconds(seconds) => OffsetDateTime::from_unix_timestamp(*seconds).ok()?,
            Self::Text(text) => OffsetDateTime::parse(text, &Rfc3339).ok()?,
        };
        // Postgres' range begins in 4713 BC; a negative year is nobody's event.
        (time.year() > 0).then_some(time)
    }
}

#[derive(Deserialize)]
struct WireData {
    #[serde(default, deserialize_with = "no_list")]
    object: Option<WireObject>,
    /// Of a thin event that has no object.
    #[serde(default, deserialize_with = "no_list")]
    subscription: Option<Reference>,
}

/// An object as far as it says what it is about.
#[derive(Deserialize)]
pub(super) struct WireObject {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "no_list")]
    subscription: Option<Reference>,
    #[serde(default, deserialize_with = "no_list")]
    parent: Option<WireParent>,
    /// Of a charge, a refund or a dispute.
    #[serde(default, deserialize_with = "no_list")]
    payment_intent: Option<Reference>,
    /// Of a checkout session.
    #[serde(default, deserialize_with = "lenient")]
    client_reference_id: Option<String>,
}

impl WireObject {
    fn has_our_reference(&self) -> bool {
        self.client_reference_id.as_ref().is_some_and(|text| ClientReference::new(text).is_ours())
    }

    fn payment_intent_id(&self) -> Option<&str> {
        self.payment_intent.as_ref().map(Reference::id)
    }

    /// An invoice names its subscription in `parent` since 2025-03-31.basil, directly before.
    pub(super) fn subscription_id(&self) -> Option<&str> {
        let in_parent = self.parent.as_ref().and_then(|parent| parent.subscription_details.as_ref());
        in_parent
            .and_then(|details| details.subscription.as_ref())
            .or(self.subscription.as_ref())
            .map(Reference::id)
    }
}

#[derive(Deserialize)]
struct WireParent {
    #[serde(default, deserialize_with = "no_list")]
    subscription_details: Option<WireDetails>,
}

#[derive(Deserialize)]
struct WireDetails {
    #[serde(default, deserialize_with = "no_list")]
    subscription: Option<Reference>,
}

/// Stripe writes a related object as its id, or expanded. Both give the id.
pub(super) struct Reference(String);

impl Reference {
    pub(super) fn id(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Expanded {
            id: String,
        }
        // Not an untagged enum: that would read every field of the expanded object, and fail on one that is odd.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let id = serde_json::from_str::<String>(raw.get());
        id.or_else(|_| serde_json::from_str::<Expanded>(raw.get()).map(|object| object.id))
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// A field of an unexpected type counts as missing. Goes through the raw text, so that a lone surrogate or a number
/// out of range in a field costs that field only.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'x> Deserialize<'x>,
{
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// The same, for what Stripe writes as an object, or as an id: from a list serde would fill a struct by position.
fn no_list<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'x> Deserialize<'x>,
{
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let is_list = raw.get().starts_with('[');
    Ok(serde_json::from_str(raw.get()).ok().filter(|_| !is_list))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
