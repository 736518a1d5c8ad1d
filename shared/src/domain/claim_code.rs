//! Codes that are sent by e-mail to show whose a purchase is. In: what was asked for lately, a code that somebody types, the time. Out:
//! whether one is sent, and whether it counts.

use std::time::Duration;

use crate::clock::Timestamp;

/// OWASP ASVS 5.0, 6.6.2 would have it shorter; mail of companies takes minutes.
pub const LIVES: Duration = Duration::from_secs(600);
/// Of one code, that are wrong; with the last the pair of user and address is locked.
pub const TRIES: i32 = 5;
/// A pair that guessed wrong: 5 tries of 10^8 an hour.
pub const LOCKED: Duration = Duration::from_secs(3600);
/// What limits count.
pub const LATELY: Duration = Duration::from_secs(3600);
/// Codes an hour. Each costs reads at Stripe, and a mail in somebody's mailbox.
const BY_USER: i64 = 5;
const TO_ADDRESS: i64 = 3;
const IN_SERVER: i64 = 60;

const DIGITS: usize = 8;
const CODES: u64 = 100_000_000;

/// A code of a random number; of 2^64 of them no code has one in 10^11 more than another.
pub fn code(random: u64) -> String {
    format!("{:0DIGITS$}", random % CODES)
}

/// What somebody typed, as a code; spaces and dashes are for reading. `None`: it is none.
pub fn parse(typed: &str) -> Option<String> {
    let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
    (digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// What was asked for within [`LATELY`], whatever came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    pub by_user: i64,
    pub to_address: i64,
    pub in_server: i64,
    /// When this user guessed wrong for this address for the last time that was too much.
    pub locked_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaySend {
    Yes,
    /// Too many were asked for: later.
    TooMany,
    /// This user guessed wrong for this address too often.
    Locked(Timestamp),
}

/// Whether another may be sent.
pub fn may_send(asked: &Asked, now: Timestamp) -> MaySend {
    match asked.locked_at.map(|at| at + LOCKED) {
        Some(until) if now < until => MaySend::Locked(until),
        _ if asked.by_user >= BY_USER || asked.to_address >= TO_ADDRESS || asked.in_server >= IN_SERVER => {
            MaySend::TooMany
        }
        _ => MaySend::Yes,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    Open,
    Used,
    /// A newer one was sent.
    Superseded,
    /// It was guessed at too often.
    Locked,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Superseded => "superseded",
            Self::Locked => "locked",
        }
    }
}

/// How a code stands when somebody types one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    /// That were wrong so far.
    pub tries: i32,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is used up by this.
    Right,
    /// So many tries are left.
    Wrong(i32),
    /// It was the last try: the pair is locked.
    Locks(Timestamp),
    /// It was locked before, whatever was typed.
    Locked(Timestamp),
    /// Used, superseded, or too old.
    Gone,
}

/// Whether what was typed counts. `is_it`: whether it is the code.
pub fn judge(standing: &Standing, is_it: bool, now: Timestamp) -> Judgement {
    match standing.state {
        State::Locked => Judgement::Locked(standing.ended_at.unwrap_or(now) + LOCKED),
        State::Used | State::Superseded => Judgement::Gone,
        State::Open if now >= standing.expires_at => Judgement::Gone,
        State::Open if is_it => Judgement::Right,
        State::Open if standing.tries + 1 >= TRIES => Judgement::Locks(now + LOCKED),
        State::Open => Judgement::Wrong(TRIES - standing.tries - 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: Timestamp = datetime!(2026-12-01 12:00 UTC);

    #[test]
    fn a_code_has_eight_digits_and_is_read_as_people_type_it() {
        assert_eq!(
            (code(0).as_str(), code(CODES + 7).as_str(), code(u64::MAX).len()),
            ("00000000", "00000007", 8)
        );
        for typed in ["12345678", "1234 5678", " 1234-5678 ", "1234\u{a0}5678"] {
            assert_eq!(parse(typed).as_deref(), Some("12345678"), "{typed}");
        }
        for typed in ["", "1234567", "123456789", "1234567a", "١٢٣٤٥٦٧٨", "+1234567", "12345678\n1"] {
            assert_eq!(parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn limits_are_of_the_user_the_address_and_the_server() {
        let full = |asked| may_send(&asked, NOW);
        assert_eq!(full(Asked::default()), MaySend::Yes);
        assert_eq!(full(Asked { by_user: 4, to_address: 2, in_server: 59, locked_at: None }), MaySend::Yes);
        for asked in [
            Asked { by_user: 5, ..Asked::default() },
            Asked { to_address: 3, ..Asked::default() },
            Asked { in_server: 60, ..Asked::default() },
        ] {
            assert_eq!(full(asked), MaySend::TooMany, "{asked:?}");
        }
        let locked = |ago: u64| Asked { locked_at: Some(NOW - Duration::from_secs(ago)), ..Asked::default() };
        assert_eq!(full(locked(3599)), MaySend::Locked(NOW + Duration::from_secs(1)));
        assert_eq!(full(locked(3600)), MaySend::Yes);
    }

    #[test]
    fn a_code_counts_once_for_ten_minutes_and_five_tries() {
        let open = Standing { state: State::Open, tries: 0, expires_at: NOW + LIVES, ended_at: None };
        let just_before = NOW + LIVES - Duration::from_millis(1);
        assert_eq!(judge(&open, true, just_before), Judgement::Right);
        assert_eq!(judge(&open, true, NOW + LIVES), Judgement::Gone, "in the eleventh minute");
        let tries = |tries| judge(&Standing { tries, ..open }, false, NOW);
        assert_eq!([0, 1, 2, 3].map(tries), [4, 3, 2, 1].map(Judgement::Wrong));
        assert_eq!(tries(4), Judgement::Locks(NOW + LOCKED));
        let ended = |state| judge(&Standing { state, ended_at: Some(NOW), ..open }, true, NOW);
        assert_eq!(ended(State::Locked), Judgement::Locked(NOW + LOCKED), "the sixth, though it is right");
        assert_eq!([State::Used, State::Superseded].map(ended), [Judgement::Gone, Judgement::Gone]);
    }

    proptest! {
        /// Law: what is wrong never counts, and no code outlives its time.
        #[test]
        fn only_the_code_itself_counts_and_only_in_time(tries in 0_i32..9, after in 0_u64..1200, is_it: bool) {
            let standing = Standing { state: State::Open, tries, expires_at: NOW + LIVES, ended_at: None };
            let counts = judge(&standing, is_it, NOW + Duration::from_secs(after)) == Judgement::Right;
            prop_assert_eq!(counts, is_it && after < 600);
        }
    }
}
