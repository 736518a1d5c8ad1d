//! Every message, wherever it was written. In: what a client sent. Out: the message as Discord shows it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::reply::No;
use super::snowflake::Mint;
use super::wire;
use super::wire_ids::BOT_ID;
use crate::clock;

/// Discord's limit, in characters.
const LONGEST: usize = 2_000;
/// Of a nonce, as a text.
const LONGEST_NONCE: usize = 25;
/// For how long a nonce is known: Discord says "the past few minutes".
const NONCE_KNOWN: Duration = Duration::from_secs(300);
/// Only the invoking user sees it.
pub(crate) const EPHEMERAL: u64 = 64;
/// Component type of a select menu whose options are texts.
const STRING_SELECT: u64 = 3;

/// Messages by id, which is also their order.
#[derive(Default)]
pub(crate) struct Messages(BTreeMap<u64, Posted>);

struct Posted {
    channel: u64,
    author: u64,
    shape: Value,
    at: Instant,
}

impl Messages {
    pub(crate) fn post(&mut self, mint: &mut Mint, channel: u64, author: &Value, sent: &Value) -> u64 {
        let id = mint.next();
        let mut shape = wire::message(id, channel, author);
        apply(&mut shape, sent);
        shape["flags"] = sent["flags"].as_u64().unwrap_or_default().into();
        let author = author["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        if let Some(nonce) = nonce(sent) {
            shape["nonce"] = nonce.into();
        }
        self.0.insert(id, Posted { channel, author, shape, at: Instant::now() });
        id
    }

    /// The same for an answer to an interaction, which also goes through a webhook.
    pub(crate) fn post_answer(&mut self, mint: &mut Mint, channel: u64, flags: u64, sent: &Value) -> u64 {
        let id = self.post(mint, channel, &wire::user(BOT_ID, "Nexrole"), sent);
        if let Some(Posted { shape, .. }) = self.0.get_mut(&id) {
            shape["type"] = 20.into();
            shape["flags"] = (flags | shape["flags"].as_u64().unwrap_or_default()).into();
            shape["webhook_id"] = BOT_ID.to_string().into();
            shape["application_id"] = BOT_ID.to_string().into();
        }
        id
    }

    /// The message that the same author sent with the same nonce a few minutes ago, where a second one is not wanted.
    pub(crate) fn same(&self, author: u64, sent: &Value) -> Option<u64> {
        let nonce = nonce(sent).filter(|_| sent["enforce_nonce"] == true)?;
        let is_it = |posted: &Posted| {
            posted.author == author && posted.shape["nonce"] == nonce && posted.at.elapsed() < NONCE_KNOWN
        };
        self.0.iter().rev().find(|(_, posted)| is_it(posted)).map(|(id, _)| *id)
    }

    /// A message as it stands.
    pub(crate) fn read(&self, id: u64) -> Result<Value, No> {
        self.0.get(&id).map(|posted| posted.shape.clone()).ok_or(No::UnknownMessage)
    }

    /// The channel and the author of a message.
    pub(crate) fn place(&self, id: u64) -> Option<(u64, u64)> {
        self.0.get(&id).map(|posted| (posted.channel, posted.author))
    }

    pub(crate) fn edit(&mut self, id: u64, sent: &Value) -> Result<Value, No> {
        let posted = self.0.get_mut(&id).ok_or(No::UnknownMessage)?;
        apply(&mut posted.shape, sent);
        posted.shape["edited_timestamp"] = clock::iso().into();
        Ok(posted.shape.clone())
    }

    /// Takes a message away.
    pub(crate) fn delete(&mut self, id: u64) -> Result<(), No> {
        self.0.remove(&id).map(drop).ok_or(No::UnknownMessage)
    }

    /// What everyone in a channel sees, oldest first.
    pub(crate) fn in_channel(&self, channel: u64) -> impl DoubleEndedIterator<Item = (u64, &Value)> {
        let public = |posted: &Posted| posted.shape["flags"].as_u64().unwrap_or_default() & EPHEMERAL == 0;
        let here = move |posted: &Posted| posted.channel == channel && public(posted);
        self.0.iter().filter(move |(_, posted)| here(posted)).map(|(id, posted)| (*id, &posted.shape))
    }
}

/// What a client calls its message: a text, or a number.
fn nonce(sent: &Value) -> Option<String> {
    match &sent["nonce"] {
        Value::String(nonce) => Some(nonce.clone()),
        Value::Number(nonce) => Some(nonce.to_string()),
        _ => None,
    }
}

/// Whether Discord would take this as a message.
pub(crate) fn check(sent: &Value) -> Result<(), No> {
    if sent["content"].as_str().is_some_and(|text| text.chars().count() > LONGEST) {
        return Err(No::InvalidForm);
    }
    if nonce(sent).is_some_and(|nonce| nonce.chars().count() > LONGEST_NONCE) {
        return Err(No::InvalidForm);
    }
    if !sent["embeds"].as_array().into_iter().flatten().all(embed_fits) {
        return Err(No::InvalidForm);
    }
    let has = |key: &str| match &sent[key] {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    if ["content", "embeds", "components", "attachments", "sticker_ids"].into_iter().any(has)
        || sent["poll"].is_object()
    {
        Ok(())
    } else {
        Err(No::EmptyMessage)
    }
}

/// Discord's limits of an embed's parts, in characters.
fn embed_fits(embed: &Value) -> bool {
    let fits = |part: &Value, most: usize| part.as_str().is_none_or(|text| text.chars().count() <= most);
    let fields = embed["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    fits(&embed["title"], 256)
        && fits(&embed["description"], 4096)
        && fits(&embed["footer"]["text"], 2048)
        && fields.len() <= 25
        && fields.iter().all(|field| fits(&field["name"], 256) && fits(&field["value"], 1024))
}

/// Whether a component with this id is somewhere in the message.
pub(crate) fn component<'a>(within: &'a Value, custom_id: &str) -> Option<&'a Value> {
    match within {
        Value::Object(object) if object.get("custom_id").is_some_and(|id| id == custom_id) => Some(within),
        Value::Object(object) => object.values().find_map(|inner| component(inner, custom_id)),
        Value::Array(list) => list.iter().find_map(|inner| component(inner, custom_id)),
        _ => None,
    }
}

/// What was sent replaces what was there; what was not mentioned stays.
fn apply(message: &mut Value, sent: &Value) {
    for (key, empty) in [("content", json!("")), ("embeds", json!([])), ("components", json!([]))] {
        match sent.get(key) {
            None => {}
            Some(Value::Null) => message[key] = empty,
            Some(said) => message[key] = said.clone(),
        }
    }
    for embed in message["embeds"].as_array_mut().into_iter().flatten() {
        if embed["type"].is_null() {
            embed["type"] = "rich".into();
        }
    }
    number(&mut message["components"], &mut 0);
}

/// Discord numbers components that bring no id, and fills in what a select menu left out.
fn number(within: &mut Value, last: &mut u64) {
    match within {
        Value::Array(list) => list.iter_mut().for_each(|inner| number(inner, last)),
        Value::Object(object) => {
            if let Some(kind) = object.get("type").and_then(Value::as_u64) {
                *last += 1;
                object.entry("id").or_insert_with(|| (*last).into());
                if kind == STRING_SELECT {
                    object.entry("min_values").or_insert_with(|| 1.into());
                    object.entry("max_values").or_insert_with(|| 1.into());
                }
            }
            for inner in ["components", "component", "accessory"] {
                if let Some(inner) = object.get_mut(inner) {
                    number(inner, last);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_has_at_most_25_characters() {
        let sent = |nonce: Value| check(&json!({ "content": "Hi", "nonce": nonce }));
        assert_eq!(sent(json!("n".repeat(25))), Ok(()));
        assert_eq!(sent(json!(i64::MAX)), Ok(()));
        assert_eq!(sent(json!("n".repeat(26))), Err(No::InvalidForm));
    }
}
