//! What it means that Discord refuses a whole server, or a role. In: its code, and until when nothing is tried. Out: sentences for
//! people.

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

/// Why nothing is changed in a whole server for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Discord refuses it.
    Refused(Refusal),
    /// Discord told the bot to wait until then; nothing was refused.
    ToldToWait(Timestamp),
}

impl Closed {
    /// When the next call is made, unless something happens before.
    pub fn until(self) -> Timestamp {
        match self {
            Self::Refused(refusal) => refusal.until,
            Self::ToldToWait(until) => until,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::ToldToWait(_) => f.write_str("Discord told the bot to wait with calls for this server"),
        }
    }
}

/// Why Discord does not let the bot manage a role, and what helps. `None`: an earlier release did not keep the code.
pub fn of_role(code: Option<u32>) -> String {
    match code {
        Some(60003) => "Discord wants two-factor authentication of this server's moderators (code 60003): the owner of the bot's \
                        application turns it on for their own account"
            .to_owned(),
        Some(code) if code != 50013 => format!("Discord does not let the bot manage it (status 403, code {code})"),
        _ => "Discord does not let the bot manage it (code 50013): it needs Manage Roles, and the role must be below its own"
            .to_owned(),
    }
}

/// When something is tried that is due at `due`: not before any of these ends.
pub fn tried_at(due: Timestamp, closed: Option<Closed>, role_probe: Option<Timestamp>) -> Timestamp {
    [closed.map(Closed::until), role_probe].into_iter().flatten().fold(due, Timestamp::max)
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

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

    #[test]
    fn what_is_due_waits_for_the_last_of_what_holds_it_up() {
        let at = |minutes| OffsetDateTime::UNIX_EPOCH + Duration::minutes(minutes);
        let refused = |minutes| Some(Closed::Refused(Refusal { code: None, until: at(minutes) }));
        for (due, closed, probe, expected) in [
            (1, None, None, 1),
            (1, refused(5), None, 5),
            (9, refused(5), None, 9),
            (1, Some(Closed::ToldToWait(at(3))), Some(at(7)), 7),
            (1, None, Some(at(0)), 1),
        ] {
            assert_eq!(tried_at(at(due), closed, probe), at(expected));
        }
    }

    #[test]
    fn each_refusal_of_a_role_says_what_helps() {
        for (code, part) in [
            (None, "needs Manage Roles"),
            (Some(50013), "needs Manage Roles"),
            (Some(60003), "two-factor"),
            (Some(50600), "code 50600"),
        ] {
            assert!(of_role(code).contains(part), "{}", of_role(code));
        }
    }
}
