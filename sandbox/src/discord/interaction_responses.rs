//! One interaction and the bot's answers to it. In: callbacks, edits, follow-ups. Out: what the user sees.
//!
//! <https://discord.com/developers/docs/interactions/receiving-and-responding>

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::messages::{Messages, check};
use super::records::Limits;
use super::reply::No;
use super::snowflake::Mint;

/// Callback types: a message; "thinking…"; nothing yet, for a component; a change of the component's message; choices
/// to complete what is being typed; a form.
const MESSAGE: u64 = 4;
const DEFERRED: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;
const MODAL: u64 = 9;
/// Discord shows no more.
const MOST_CHOICES: usize = 25;

/// What the user did.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Invoked a slash command.
    Command,
    /// Pressed a button of this message, or chose from its menu.
    Component(u64),
    /// Is typing an option.
    Autocomplete,
    /// Sent a form, which a component of this message may have opened.
    Modal(Option<u64>),
}

impl Kind {
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Command => 2,
            Self::Component(_) => 3,
            Self::Autocomplete => 4,
            Self::Modal(_) => 5,
        }
    }

    fn accepts(self, callback: u64) -> bool {
        match self {
            Self::Command => matches!(callback, MESSAGE | DEFERRED | MODAL),
            Self::Component(_) => matches!(callback, MESSAGE | DEFERRED | DEFERRED_UPDATE | UPDATE | MODAL),
            Self::Autocomplete => callback == CHOICES,
            Self::Modal(Some(_)) => matches!(callback, MESSAGE | DEFERRED | DEFERRED_UPDATE | UPDATE),
            Self::Modal(None) => matches!(callback, MESSAGE | DEFERRED),
        }
    }

    fn message(self) -> Option<u64> {
        match self {
            Self::Component(message) => Some(message),
            Self::Modal(message) => message,
            Self::Command | Self::Autocomplete => None,
        }
    }
}

/// Where responses are written.
pub(crate) struct ResponseStore<'a> {
    pub(crate) messages: &'a mut Messages,
    pub(crate) mint: &'a mut Mint,
    pub(crate) limits: &'a Limits,
}

pub(crate) struct InteractionResponses {
    pub(crate) id: u64,
    pub(crate) token: String,
    channel: u64,
    kind: Kind,
    begun: Instant,
    callback: Option<Value>,
    /// What `@original` means.
    original: Option<u64>,
    /// Whether "thinking…" has become a message.
    filled: bool,
    shown: Vec<u64>,
}

impl InteractionResponses {
    pub(crate) fn new(id: u64, token: String, channel: u64, kind: Kind) -> Self {
        let (callback, original, shown) = (None, None, Vec::new());
        Self { id, token, channel, kind, begun: Instant::now(), callback, original, filled: false, shown }
    }

    /// The bot's first reaction, of which there is only one. Out: what `with_response` asks for.
    pub(crate) fn call_back(&mut self, store: &mut ResponseStore<'_>, callback: Value) -> Result<Value, No> {
        if self.callback.is_some() {
            return Err(No::AlreadyAcknowledged);
        }
        if over(self.begun, store.limits.callback_ms) {
            return Err(No::UnknownInteraction);
        }
        let (kind, data) = (callback["type"].as_u64().unwrap_or_default(), &callback["data"]);
        if !self.kind.accepts(kind) {
            return Err(No::InvalidForm);
        }
        let mut interaction = json!({ "id": self.id.to_string(), "type": self.kind.number() });
        let mut resource = Value::Null;
        match kind {
            MESSAGE => {
                check(data)?;
                let id = store.messages.post_answer(store.mint, self.channel, 0, data);
                self.show(id);
                resource = json!({ "type": kind, "message": store.messages.read(id)? });
            }
            UPDATE => {
                let id = self.kind.message().ok_or(No::InvalidForm)?;
                let message = store.messages.edit(id, data)?;
                self.show(id);
                resource = json!({ "type": kind, "message": message });
            }
            DEFERRED_UPDATE => self.original = self.kind.message(),
            CHOICES if data["choices"].as_array().is_none_or(|choices| choices.len() > MOST_CHOICES) => {
                return Err(No::InvalidForm);
            }
            MODAL if !is_form(data) => return Err(No::InvalidForm),
            _ => {}
        }
        if let Some(original) = self.original {
            interaction["response_message_id"] = original.to_string().into();
        }
        interaction["response_message_loading"] = (kind == DEFERRED).into();
        self.callback = Some(callback);
        let mut response = json!({ "interaction": interaction });
        if !resource.is_null() {
            response["resource"] = resource;
        }
        Ok(response)
    }

    /// A further message. While the command still "thinks", it takes the place of the original.
    pub(crate) fn follow_up(&mut self, store: &mut ResponseStore<'_>, sent: &Value) -> Result<Value, No> {
        self.open(store)?;
        check(sent)?;
        let flags = if self.is_thinking() { self.deferred_flags() } else { 0 };
        let id = store.messages.post_answer(store.mint, self.channel, flags, sent);
        self.show(id);
        store.messages.read(id)
    }

    /// Changes a message, or fills in the deferred original.
    pub(crate) fn edit(
        &mut self,
        store: &mut ResponseStore<'_>,
        which: &str,
        sent: &Value,
    ) -> Result<Value, No> {
        self.open(store)?;
        if which == "@original" && self.is_thinking() {
            return self.follow_up(store, sent);
        }
        let id = self.find(which)?;
        let message = store.messages.edit(id, sent)?;
        if !self.shown.contains(&id) {
            self.shown.push(id);
        }
        Ok(message)
    }

    /// A message as it stands.
    pub(crate) fn read(&self, store: &ResponseStore<'_>, which: &str) -> Result<Value, No> {
        self.open(store)?;
        store.messages.read(self.find(which)?)
    }

    /// Takes a message away.
    pub(crate) fn delete(&mut self, store: &mut ResponseStore<'_>, which: &str) -> Result<(), No> {
        self.open(store)?;
        let id = self.find(which)?;
        self.shown.retain(|shown| *shown != id);
        if self.original == Some(id) {
            self.original = None;
        }
        store.messages.delete(id)
    }

    /// What the user sees, once it is more than "thinking…".
    pub(crate) fn visible(&self, messages: &Messages) -> Option<Value> {
        let callback = self.callback.as_ref()?;
        let waiting = match callback["type"].as_u64() {
            Some(DEFERRED) => self.is_thinking(),
            Some(DEFERRED_UPDATE) => self.shown.is_empty(),
            _ => false,
        };
        let shown: Vec<Value> = self.shown.iter().filter_map(|id| messages.read(*id).ok()).collect();
        (!waiting).then(|| json!({ "callback": callback, "messages": shown }))
    }

    /// How far the bot got, for the error message when it got no further.
    pub(crate) fn progress(&self) -> &'static str {
        match &self.callback {
            None => "the bot never called back",
            Some(_) => "the bot deferred and then showed nothing",
        }
    }

    /// Whether the token is still good, and the interaction was answered at all.
    fn open(&self, store: &ResponseStore<'_>) -> Result<(), No> {
        if over(self.begun, store.limits.token_ms) {
            return Err(No::InvalidWebhookToken);
        }
        self.callback.as_ref().map(|_| ()).ok_or(No::UnknownWebhook)
    }

    fn show(&mut self, id: u64) {
        if self.original.is_none() && !self.filled {
            self.original = Some(id);
        }
        self.filled = true;
        self.shown.push(id);
    }

    fn is_thinking(&self) -> bool {
        !self.filled && self.callback.as_ref().is_some_and(|callback| callback["type"] == DEFERRED)
    }

    fn deferred_flags(&self) -> u64 {
        self.callback.as_ref().and_then(|callback| callback["data"]["flags"].as_u64()).unwrap_or(0)
    }

    fn find(&self, which: &str) -> Result<u64, No> {
        let found = match which {
            "@original" => self.original,
            id => id.parse().ok().filter(|id| self.shown.contains(id) || self.original == Some(*id)),
        };
        found.ok_or(No::UnknownMessage)
    }
}

/// Whether so many milliseconds have passed; 0 is for ever.
fn over(begun: Instant, limit_ms: u64) -> bool {
    limit_ms > 0 && begun.elapsed() > Duration::from_millis(limit_ms)
}

fn is_form(data: &Value) -> bool {
    let text = |key: &str| data[key].as_str().is_some_and(|text| !text.is_empty());
    text("custom_id") && text("title") && data["components"].as_array().is_some_and(|rows| !rows.is_empty())
}
