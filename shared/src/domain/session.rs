//! How long a login lasts, and what a cookie that was replaced is worth. In: which of a session's secrets is shown, and times. Out:
//! a [`Verdict`].
//!
//! The cookie has two halves: one names the session for as long as it lasts, the other is replaced every fifteen minutes. Who shows
//! an old second half has a copy of the cookie, or had it copied: nobody can tell which of the two is the thief, so both are out.

use time::Duration;

use crate::clock::Timestamp;

/// How long the second half is good for before it is replaced, at its next use.
pub const REPLACED_AFTER: Duration = Duration::minutes(15);
/// A browser with two tabs asks twice at once: the half that was just replaced is taken for so long, and not replaced again.
pub const GRACE: Duration = Duration::seconds(10);
/// Without a replacement for so long, nobody is there any more.
pub const IDLE: Duration = Duration::hours(12);
/// Then everybody logs in again, however busy they are.
pub const ABSOLUTE: Duration = Duration::days(7);

/// Which second half was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Current,
    /// The one that the current one replaced.
    Previous,
    /// An older one, or one that never was.
    Other,
}

/// When a session began, and when its second half was last replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    pub began: Timestamp,
    pub replaced: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are who they were.
    Good,
    /// The same, and the second half is to be replaced.
    Replace,
    /// Nobody is logged in: it was too long ago.
    Over,
    /// The cookie was copied: the session ends for whoever has it.
    Copied,
}

pub fn judge(shown: Shown, times: Times, now: Timestamp) -> Verdict {
    let (age, since) = (now - times.began, now - times.replaced);
    if age >= ABSOLUTE || since >= IDLE {
        return Verdict::Over;
    }
    match shown {
        Shown::Current if since >= REPLACED_AFTER => Verdict::Replace,
        Shown::Current => Verdict::Good,
        Shown::Previous if since < GRACE => Verdict::Good,
        Shown::Previous | Shown::Other => Verdict::Copied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_replaced_over_or_copied() {
        let began = Timestamp::UNIX_EPOCH;
        let at = |shown, replaced: Duration, now: Duration| {
            judge(shown, Times { began, replaced: began + replaced }, began + now)
        };
        let (s, m, h) = (Duration::SECOND, Duration::MINUTE, Duration::HOUR);
        let nothing = Duration::ZERO;
        for (shown, replaced, now, expected) in [
            (Shown::Current, nothing, nothing, Verdict::Good),
            (Shown::Current, nothing, m * 15 - s, Verdict::Good),
            (Shown::Current, nothing, m * 15, Verdict::Replace),
            (Shown::Current, nothing, h * 12 - s, Verdict::Replace),
            (Shown::Current, nothing, h * 12, Verdict::Over),
            (Shown::Current, h * 167, h * 168 - s, Verdict::Replace),
            (Shown::Current, h * 168 - m, h * 168 - s, Verdict::Good),
            (Shown::Current, h * 168 - m, h * 168, Verdict::Over),
            // Two tabs at once.
            (Shown::Previous, m * 15, m * 15 + s * 9, Verdict::Good),
            (Shown::Previous, m * 15, m * 15 + s * 10, Verdict::Copied),
            (Shown::Previous, m * 15, m * 30, Verdict::Copied),
            (Shown::Other, m * 15, m * 15, Verdict::Copied),
            // What is over is over for everybody, and says nothing about a thief.
            (Shown::Other, nothing, h * 13, Verdict::Over),
            (Shown::Previous, nothing, h * 13, Verdict::Over),
        ] {
            assert_eq!(at(shown, replaced, now), expected, "{shown:?} replaced {replaced}, now {now}");
        }
    }
}
