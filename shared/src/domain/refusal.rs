//! What it means that Discord refuses a whole server. In: its code, and until when nothing is tried. Out: a sentence for people.

use std::fmt;

use crate::clock::Timestamp;

/// A server that Discord refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Discord's JSON error code; `None`: the Gateway said that the bot was removed.
    pub code: Option<u32>,
    /// When it is tried again.
    pub until: Timestamp,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            None => f.write_str("Discord says that the bot was removed from this server"),
            Some(code @ 10004) => write!(f, "Discord says that it does not know this server (code {code})"),
            Some(code @ 50001) => {
                write!(f, "Discord says that the bot has no access to this server (code {code})")
            }
            Some(code) => {
                write!(f, "Discord refuses what is asked for this server (status 403, code {code})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn every_code_has_a_sentence_with_it() {
        for (code, part) in [
            (None, "the bot was removed"),
            (Some(10004), "does not know this server (code 10004)"),
            (Some(50001), "no access to this server (code 50001)"),
            (Some(50600), "(status 403, code 50600)"),
        ] {
            let said = Refusal { code, until: OffsetDateTime::UNIX_EPOCH }.to_string();
            assert!(said.contains(part), "{said}");
        }
    }
}
