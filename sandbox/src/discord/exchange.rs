//! One slash command and the bot's answers to it. In: callbacks, edits, follow-ups. Out: what the user sees.

use serde_json::{Value, json};

use super::reply::No;
use super::snowflake::Mint;
use super::wire;

/// Callback type: answered at once with a message.
const MESSAGE: u64 = 4;
/// Callback type: "thinking…", the message comes later.
const DEFERRED: u64 = 5;

/// An invoked command.
pub(crate) struct Exchange {
    pub(crate) id: u64,
    pub(crate) token: String,
    pub(crate) channel: u64,
    callback: Option<Value>,
    messages: Vec<Value>,
}

impl Exchange {
    pub(crate) fn new(id: u64, token: String, channel: u64) -> Self {
        Self { id, token, channel, callback: None, messages: Vec::new() }
    }

    /// The bot's first reaction, of which there is only one.
    pub(crate) fn call_back(&mut self, mint: &mut Mint, callback: Value) -> Result<(), No> {
        if self.callback.is_some() {
            return Err(No::AlreadyAcknowledged);
        }
        if callback["type"] == MESSAGE {
            self.messages.push(wire::message(mint.next(), self.channel, 0, &callback["data"]));
        }
        self.callback = Some(callback);
        Ok(())
    }

    /// A further message. While the command still "thinks", it takes the place of the original.
    pub(crate) fn follow_up(&mut self, mint: &mut Mint, sent: &Value) -> Result<Value, No> {
        self.callback.as_ref().ok_or(No::UnknownWebhook)?;
        let flags = if self.messages.is_empty() { self.deferred_flags() } else { 0 };
        let message = wire::message(mint.next(), self.channel, flags, sent);
        self.messages.push(message.clone());
        Ok(message)
    }

    /// Changes a message, or fills in the deferred original.
    pub(crate) fn edit(&mut self, mint: &mut Mint, which: &str, sent: &Value) -> Result<Value, No> {
        if which == "@original" && self.messages.is_empty() {
            return self.follow_up(mint, sent);
        }
        let at = self.find(which)?;
        wire::edit(&mut self.messages[at], sent);
        self.messages[at]["edited_timestamp"] = crate::clock::iso().into();
        Ok(self.messages[at].clone())
    }

    /// A message as it stands.
    pub(crate) fn read(&self, which: &str) -> Result<Value, No> {
        Ok(self.messages[self.find(which)?].clone())
    }

    /// Takes a message away.
    pub(crate) fn delete(&mut self, which: &str) -> Result<(), No> {
        let at = self.find(which)?;
        self.messages.remove(at);
        Ok(())
    }

    /// What the user sees, once it is more than "thinking…".
    pub(crate) fn visible(&self) -> Option<Value> {
        let callback = self.callback.as_ref()?;
        let thinking = callback["type"] == DEFERRED && self.messages.is_empty();
        (!thinking).then(|| json!({ "callback": callback, "messages": self.messages }))
    }

    /// How far the bot got, for the error message when it got no further.
    pub(crate) fn progress(&self) -> &'static str {
        match &self.callback {
            None => "the bot never called back",
            Some(_) => "the bot deferred and then showed nothing",
        }
    }

    fn deferred_flags(&self) -> u64 {
        self.callback.as_ref().and_then(|callback| callback["data"]["flags"].as_u64()).unwrap_or(0)
    }

    fn find(&self, which: &str) -> Result<usize, No> {
        let found = match which {
            "@original" => (!self.messages.is_empty()).then_some(0),
            id => self.messages.iter().position(|message| message["id"] == id),
        };
        found.ok_or(No::UnknownMessage)
    }
}
