//! How the gateway goes wrong. In: control calls of a test. Out: the bytes that end a connection, what a new connection meets, and
//! events with a field that no client expects.

use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;

use crate::lock::lock;
use crate::server::Then;

/// Every way in which a WebSocket can end, beside a close frame with a code.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// The connection is closed without a close frame.
    Eof,
    /// The connection is reset.
    Reset,
    /// A close frame without a code.
    CloseWithoutCode,
    /// A close frame with code 4000, and the connection stays open.
    CloseAndLinger,
    /// A close frame whose code is cut in half.
    HalfCloseCode,
    /// A close frame with a code that must not be sent (1005).
    ForbiddenCloseCode,
    /// A close frame whose reason is no text.
    CloseReasonNotUtf8,
    /// Half a frame, then the connection is closed.
    HalfFrame,
    /// Half a frame, and the connection stays open.
    HalfFrameAndLinger,
    /// A frame with an opcode that does not exist.
    UnknownOpcode,
    /// A frame with reserved bits.
    ReservedBits,
    /// A masked frame, which only clients may send.
    MaskedFrame,
    /// A continuation of nothing.
    StrayContinuation,
    /// A ping longer than a ping may be.
    LongPing,
    /// A frame that promises 2^40 bytes.
    HugeFrame,
    /// A text that is not UTF-8.
    NotUtf8,
    /// HTTP in the middle of a WebSocket, as a proxy says it that was restarted.
    Http,
}

impl End {
    /// What is written past the protocol, and what becomes of the connection.
    pub(crate) fn bytes(self) -> (Vec<u8>, Then) {
        let close = |payload: &[u8]| [&[0x88, u8::try_from(payload.len()).unwrap_or(0)], payload].concat();
        match self {
            Self::Eof => (Vec::new(), Then::Close),
            Self::Reset => (Vec::new(), Then::Reset),
            Self::CloseWithoutCode => (close(&[]), Then::Close),
            Self::CloseAndLinger => (close(&4000_u16.to_be_bytes()), Then::Stay),
            Self::HalfCloseCode => (close(&[0x0F]), Then::Stay),
            Self::ForbiddenCloseCode => (close(&1005_u16.to_be_bytes()), Then::Stay),
            Self::CloseReasonNotUtf8 => (close(&[0x0F, 0xA0, 0xFF, 0xFE]), Then::Stay),
            Self::HalfFrame => (vec![0x81, 100, b'{', b'"'], Then::Close),
            Self::HalfFrameAndLinger => (vec![0x81, 100, b'{', b'"'], Then::Stay),
            Self::UnknownOpcode => (vec![0x83, 0], Then::Stay),
            Self::ReservedBits => (vec![0xF1, 2, b'{', b'}'], Then::Stay),
            Self::MaskedFrame => (vec![0x81, 0x82, 0, 0, 0, 0, b'{', b'}'], Then::Stay),
            Self::StrayContinuation => (vec![0x80, 2, b'{', b'}'], Then::Stay),
            Self::LongPing => ([&[0x89, 126, 0, 200][..], &[0; 200]].concat(), Then::Stay),
            Self::HugeFrame => (vec![0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0], Then::Stay),
            Self::NotUtf8 => (vec![0x81, 4, b'{', 0xFF, 0xFE, b'}'], Then::Stay),
            Self::Http => (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".to_vec(), Then::Close),
        }
    }
}

/// What a client meets that connects.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Greeting {
    /// Everything as it should be.
    #[default]
    Welcome,
    /// An HTTP status instead of a WebSocket.
    Refused {
        /// Such as 503.
        status: u16,
    },
    /// No answer to the request for a WebSocket.
    NoAnswer,
    /// A WebSocket on which nothing is said.
    NoHello,
    /// HELLO, then nothing whatever is said.
    NoReady,
    /// HELLO, then a close frame.
    ClosedAfterHello { code: u16 },
    /// IDENTIFY and RESUME are taken, and answered by a close frame.
    ClosedAfterIdentify { code: u16 },
    /// IDENTIFY and RESUME are taken, and answered by opcode 9.
    InvalidSession,
}

/// The events that go wrong, shared by all sessions.
#[derive(Clone, Default)]
pub(crate) struct Replacements(Arc<Mutex<Vec<Replacement>>>);

/// Events of this kind arrive with another value, or without one.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Replacement {
    event: String,
    /// Which field, as in RFC 6901: `/user/id`.
    pointer: String,
    /// Missing: the field is left out. `null` is a value.
    #[serde(default, deserialize_with = "given")]
    value: Option<Value>,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

fn given<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

impl Replacements {
    pub(crate) fn add(&self, replacement: Replacement) {
        lock(&self.0).push(replacement);
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The event as it is said.
    pub(crate) fn apply(&self, event: &str, data: &Value) -> Value {
        let mut said = data.clone();
        let mut replacements = lock(&self.0);
        for replacement in
            replacements.iter_mut().filter(|replacement| replacement.event == event && replacement.times > 0)
        {
            replacement.times -= 1;
            let (parent, field) = replacement.pointer.rsplit_once('/').unwrap_or(("", &replacement.pointer));
            match (said.pointer_mut(&replacement.pointer), &replacement.value) {
                (Some(found), Some(value)) => *found = value.clone(),
                (_, value) => {
                    let Some(parent) = said.pointer_mut(parent).and_then(Value::as_object_mut) else {
                        continue;
                    };
                    match value {
                        Some(value) => drop(parent.insert(field.to_owned(), value.clone())),
                        None => drop(parent.remove(field)),
                    }
                }
            }
        }
        said
    }
}
