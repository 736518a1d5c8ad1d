//! Pages of Stripe's events. In: which list, and from where on, forwards or back to a time. Out: events, newest first.

use serde::Serialize;
use shared::clock::Timestamp;
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};
use stripe_core::event::ListEvent;

use super::{PAGE, ReadClient, ReadError, goes_on};
use crate::stripe::{
    budget::ApiKey,
    event::{self, StripeEvent},
    event_types::EventList,
    read::lists::WireEvents,
};

#[derive(Debug)]
pub struct EventPage {
    pub events: Vec<StripeEvent>,
    /// Whether there are more in the direction of reading.
    pub has_more: bool,
}

/// The builder's own filter has a type of a crate that we do not use.
#[derive(Serialize)]
struct SinceQuery<'a> {
    types: &'static [&'static str],
    created: Created,
    limit: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<&'a str>,
}

#[derive(Serialize)]
struct Created {
    gte: i64,
}

impl ReadClient {
    /// A page of Stripe's events of one list, newest first: those right after `cursor`, or the newest of all.
    pub async fn events(
        &self,
        key: &ApiKey,
        which: EventList,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<EventPage, ReadError> {
        let types: Vec<String> = which.types().iter().map(|&name| name.to_owned()).collect();
        let mut list = ListEvent::new().types(types).limit(limit);
        if let Some(cursor) = cursor {
            list = list.ending_before(cursor);
        }
        let page: WireEvents = self.get(key, &list.build()).await?;
        // The newest is the next cursor.
        let page = readable(&page, 0)?;
        // They are listed backwards: the first is where the next page ends.
        let newest = page.events.first().map(|event| event.id.as_str());
        goes_on(page.has_more && cursor.is_some(), newest, cursor)?;
        Ok(page)
    }

    /// A page of those that were made since then, from the newest back: those right before `cursor`, or the newest of all.
    pub async fn events_since(
        &self,
        key: &ApiKey,
        which: EventList,
        since: Timestamp,
        cursor: Option<&str>,
    ) -> Result<EventPage, ReadError> {
        let created = Created { gte: since.unix_timestamp() };
        let query = SinceQuery { types: which.types(), created, limit: PAGE, starting_after: cursor };
        let request = RequestBuilder::new(StripeMethod::Get, "/events").query(&query);
        let page: WireEvents = self.get(key, &request).await?;
        // The oldest is the next cursor.
        let last = page.data.len().saturating_sub(1);
        let page = readable(&page, last)?;
        goes_on(page.has_more, page.events.last().map(|event| event.id.as_str()), cursor)?;
        Ok(page)
    }
}

/// One that cannot be read is left out, as when it comes by webhook; but for that at the place from which the list is read on.
fn readable(page: &WireEvents, cursor: usize) -> Result<EventPage, ReadError> {
    let mut events = Vec::with_capacity(page.data.len());
    for (place, event) in page.data.iter().enumerate() {
        match event::parse_listed(event) {
            Ok(event) => events.push(event),
            Err(error) if place == cursor => return Err(ReadError::Unreadable(error.to_string())),
            Err(error) => {
                tracing::error!(%error, "an event in Stripe's list cannot be read, and is left out");
            }
        }
    }
    Ok(EventPage { events, has_more: page.has_more })
}
