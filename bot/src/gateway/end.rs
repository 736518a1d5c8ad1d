//! How a connection to the Gateway ended. In: a close code, an opcode, an error, silence. Out: what to do next, and words for
//! people and numbers. Pure.
//!
//! Close codes: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There was no connection: name, TCP, TLS, or no answer in time.
    Unreachable,
    /// An HTTP status instead of a WebSocket.
    Refused(u16),
    /// Connected, and no HELLO came.
    NoHello,
    /// A close frame, perhaps with a code.
    Closed(Option<u16>),
    /// No close frame: the stream ended, or it was no WebSocket any more.
    Broken,
    /// A heartbeat had no answer, or nothing could be sent.
    Silent,
    /// Opcode 7: connect again.
    Reconnect,
    /// Opcode 9: the session is not valid.
    Invalid {
        /// It can be resumed all the same.
        resumable: bool,
    },
}

/// What follows an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The session goes on, if there is one.
    Resume,
    /// The session is gone.
    Identify,
    /// The session is gone, and the privileged intent is not allowed.
    IdentifyWithoutMembers,
    /// The number of shards is not right any more.
    Reshard,
    /// Only a person can change what Discord refuses.
    Hopeless,
}

impl End {
    pub(super) fn next(self) -> Next {
        match self {
            Self::Closed(Some(code)) => match code {
                // A sequence number that Discord does not know, a session that timed out.
                4007 | 4009 => Next::Identify,
                4010 | 4011 => Next::Reshard,
                4014 => Next::IdentifyWithoutMembers,
                // Token, API version, intents.
                4004 | 4012 | 4013 => Next::Hopeless,
                _ => Next::Resume,
            },
            Self::Invalid { resumable: false } => Next::Identify,
            Self::Invalid { resumable: true }
            | Self::Unreachable
            | Self::Refused(_)
            | Self::NoHello
            | Self::Closed(None)
            | Self::Broken
            | Self::Silent
            | Self::Reconnect => Next::Resume,
        }
    }

    /// For the metric: a closed list.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused(_) => "refused",
            Self::NoHello => "no_hello",
            Self::Closed(_) => "closed",
            Self::Broken => "broken",
            Self::Silent => "silent",
            Self::Reconnect => "reconnect",
            Self::Invalid { .. } => "invalid_session",
        }
    }
}

/// Follows "Discord ".
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("cannot be reached"),
            Self::Refused(status) => write!(f, "refused the connection (HTTP {status})"),
            Self::NoHello => f.write_str("took the connection and said nothing"),
            Self::Closed(Some(4004)) => {
                f.write_str("refuses the token (4004): set DISCORD_TOKEN to the bot's current token")
            }
            Self::Closed(Some(4014)) => f.write_str("does not allow the Server Members intent (4014)"),
            Self::Closed(Some(code)) => write!(f, "closed the connection ({code})"),
            Self::Closed(None) => f.write_str("closed the connection without a code"),
            Self::Broken => f.write_str("broke the connection off"),
            Self::Silent => f.write_str("did not answer a heartbeat"),
            Self::Reconnect => f.write_str("asked for another connection"),
            Self::Invalid { .. } => f.write_str("does not take the session"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_its_consequence() {
        for (code, next) in [
            (1000, Next::Resume),
            (1001, Next::Resume),
            (1006, Next::Resume),
            (4000, Next::Resume),
            (4001, Next::Resume),
            (4003, Next::Resume),
            (4004, Next::Hopeless),
            (4007, Next::Identify),
            (4008, Next::Resume),
            (4009, Next::Identify),
            (4010, Next::Reshard),
            (4011, Next::Reshard),
            (4012, Next::Hopeless),
            (4013, Next::Hopeless),
            (4014, Next::IdentifyWithoutMembers),
            (4999, Next::Resume),
        ] {
            assert_eq!(End::Closed(Some(code)).next(), next, "{code}");
        }
        assert_eq!(End::Invalid { resumable: false }.next(), Next::Identify);
        assert_eq!(End::Invalid { resumable: true }.next(), Next::Resume);
    }
}
