//! Adding somebody to a server who allowed it: `PUT /guilds/{guild}/members/{user}` with their own token. In: Discord's refusal. Out: what
//! it means to whoever waits for it. Pure.
//!
//! <https://discord.com/developers/docs/resources/guild#add-guild-member>; codes:
//! <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::delivery::outcome::{CallOutcome, Transient};

/// What a person lets us do at Discord, as long as they let us. As JSON it is the token itself: only ever sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessToken(String);

impl AccessToken {
    /// Discord's own limit where it takes one (its description of the route).
    const LONGEST: usize = 10_240;

    /// `None`: no token of Discord's.
    pub fn new(token: &str) -> Option<Self> {
        let is_one =
            !token.is_empty() && token.len() <= Self::LONGEST && token.bytes().all(|b| b.is_ascii_graphic());
        is_one.then(|| Self(token.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adding {
    /// They are in the server now; perhaps with its rules to accept first.
    Added { has_rules_to_accept: bool },
    /// They were in it before.
    AlreadyThere,
    /// The bot lacks Create Invite (50013).
    NotPermitted,
    /// They are banned from the server (40007).
    Banned,
    /// They are in as many servers as Discord lets them be (30001).
    TooManyServers,
    /// Their token is not good (any more): 50025, or 401.
    TokenOver,
    /// The bot is not in the server (10004, 50001).
    BotAway,
    /// Refused for a reason that we have no rule for.
    Refused,
    /// Nothing was done: it can be tried again after so long.
    Later { seconds: u64 },
    /// It may or may not have happened.
    Unsure,
}

impl Adding {
    pub fn later(wait: Duration) -> Self {
        Self::Later { seconds: wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1) }
    }

    /// Whether the token may be used once more.
    pub fn leaves_token(self) -> bool {
        matches!(self, Self::Later { .. } | Self::Unsure)
    }
}

/// What an answer means that is no yes.
pub fn refused(outcome: &CallOutcome) -> Adding {
    match outcome {
        CallOutcome::RateLimited { after, .. } => Adding::later(*after),
        CallOutcome::Forbidden { .. } => Adding::NotPermitted,
        CallOutcome::GuildGone { .. } => Adding::BotAway,
        // A token of somebody else, or of another application, is answered so, too.
        CallOutcome::Refused { code: 50025, .. } | CallOutcome::TokenRejected => Adding::TokenOver,
        CallOutcome::Refused { code: 40007, .. } => Adding::Banned,
        CallOutcome::Refused { code: 30001, .. } => Adding::TooManyServers,
        CallOutcome::Refused { .. } | CallOutcome::MemberGone | CallOutcome::RoleGone => Adding::Refused,
        // A status is Discord's, or a proxy's: after a second or two it is known whether they are there.
        CallOutcome::Done
        | CallOutcome::Transient(
            Transient::Status(_)
            | Transient::TimedOut
            | Transient::Connection
            | Transient::NotYetKnown { .. },
        ) => Adding::Unsure,
    }
}

/// Whether the refusal may be about the roles of the call alone: without them it may be a yes.
pub fn may_be_for_roles(outcome: &CallOutcome) -> bool {
    matches!(
        outcome,
        CallOutcome::Forbidden { .. }
            | CallOutcome::RoleGone
            | CallOutcome::Refused { code: 50028 | 50035, .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::outcome::LimitScope;

    #[test]
    fn each_of_discords_answers_has_its_own() {
        let refuses = |status, code| CallOutcome::Refused { status, code };
        let limited =
            CallOutcome::RateLimited { after: Duration::from_millis(6500), scope: LimitScope::Guild };
        for (outcome, expected) in [
            (CallOutcome::Forbidden { code: 50013 }, Adding::NotPermitted),
            (refuses(403, 40007), Adding::Banned),
            (refuses(400, 30001), Adding::TooManyServers),
            (refuses(403, 50025), Adding::TokenOver),
            (CallOutcome::TokenRejected, Adding::TokenOver),
            (CallOutcome::GuildGone { code: 50001 }, Adding::BotAway),
            (refuses(400, 50035), Adding::Refused),
            (refuses(403, 0), Adding::Refused),
            (CallOutcome::MemberGone, Adding::Refused),
            (limited, Adding::Later { seconds: 7 }),
            (CallOutcome::Transient(Transient::Status(500)), Adding::Unsure),
            (CallOutcome::Transient(Transient::TimedOut), Adding::Unsure),
        ] {
            assert_eq!(refused(&outcome), expected, "{outcome:?}");
        }
        assert!(
            may_be_for_roles(&CallOutcome::Forbidden { code: 50013 })
                && !may_be_for_roles(&refuses(403, 40007))
        );
    }

    #[test]
    fn a_token_is_not_shown_and_is_one_of_discords() {
        let token = AccessToken::new("s3cret.t0ken").unwrap();
        assert_eq!(format!("{token:?}"), "AccessToken(…)");
        assert_eq!(token.expose(), "s3cret.t0ken");
        for wrong in ["", "a b", "a\nb", "ä", &"x".repeat(10_241)] {
            assert_eq!(AccessToken::new(wrong), None);
        }
    }
}
