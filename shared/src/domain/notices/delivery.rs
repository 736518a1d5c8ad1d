//! Is a notice that is due sent now, and what does Discord's answer mean for it? In: the notice, its series, its roles, the server.
//! Out: a [`Judgement`]; of a call's outcome, a [`Settled`].

use std::{collections::BTreeSet, time::Duration};

use super::{NoticeKind, NoticeState};
use crate::{
    clock::Timestamp,
    domain::delivery::{
        backoff::{REFUSED, TOKEN_REJECTED, UNANSWERED},
        outcome::{CallOutcome, Transient},
    },
    ids::RoleId,
};

/// For how long Discord surely knows a message again by its nonce: "the past few minutes"
/// (<https://discord.com/developers/docs/resources/message#create-message>).
pub const NONCE_KNOWN: Duration = Duration::from_secs(120);
/// Between two reminders, whenever the first of them could be sent.
const JUST_TOLD: Duration = Duration::from_secs(6 * 3600);
/// What is over is no news any more after so long.
const OLD_NEWS: Duration = Duration::from_secs(3 * 24 * 3600);
/// The member does not have the role: they have left, or it is just being given.
const NOT_HELD: Duration = Duration::from_secs(1800);
/// The role has ended, and is still to be taken, which takes seconds unless Discord refuses, or somebody holds it back: then it is
/// waited for as long again as it was so far.
const TAKING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));
/// The bot is not in the server.
const AWAY: Duration = Duration::from_secs(1800);
/// Conversations are opened too fast (code 40003).
const TOO_FAST: Duration = Duration::from_secs(600);
const OPENED_TOO_FAST: u32 = 40003;

/// What a role of the notice is to the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleFacts {
    pub role: RoleId,
    /// It follows payments, or will: it is not only observed.
    pub is_enforced: bool,
    /// The subscription gives it, and is still read.
    pub is_live: bool,
    /// Something else gives it, for longer.
    pub is_kept: bool,
    /// They have it because of us.
    pub is_held: bool,
    /// Discord said last that they are not there.
    pub is_absent: bool,
}

/// Another notice of the same series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    pub kind: NoticeKind,
    pub state: NoticeState,
    pub due_at: Timestamp,
    /// When Discord took it, or may have.
    pub sent_at: Option<Timestamp>,
}

/// A notice whose time has come, and what decides about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    pub kind: NoticeKind,
    pub due_at: Timestamp,
    pub ends_at: Timestamp,
    /// Since when Discord may have it; `None`: it has not.
    pub tried_at: Option<Timestamp>,
    pub others: Vec<Other>,
    pub roles: Vec<RoleFacts>,
    /// The server's owner has members told.
    pub is_on: bool,
    /// The bot is not in the server.
    pub is_away: bool,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// About these roles.
    Send(BTreeSet<RoleId>),
    /// Not now.
    Wait(Duration, &'static str),
    /// Not at all.
    Close(NoticeState, &'static str),
}

/// What is done with it.
pub fn judge(it: &Situation) -> Judgement {
    let judgement = judge_untried(it);
    let Some(tried_at) = it.tried_at else { return judgement };
    match judgement {
        Judgement::Send(_) if it.now < tried_at + NONCE_KNOWN => judgement,
        // Whatever it would be, Discord may have it.
        _ => Judgement::Close(NoticeState::Unsure, "Discord never answered whether it has taken it"),
    }
}

fn judge_untried(it: &Situation) -> Judgement {
    let skip = |why| Judgement::Close(NoticeState::Skipped, why);
    if !it.is_on {
        return skip("members are not told in this server");
    }
    if let Some(old) = is_old(it) {
        return skip(old);
    }
    if it.others.iter().any(|other| other.state == NoticeState::Undeliverable) {
        let why = "the member takes no messages, as an earlier notice of the same payment showed";
        return Judgement::Close(NoticeState::Undeliverable, why);
    }
    if it.kind.is_reminder() {
        let is_newer = |other: &Other| {
            other.kind > it.kind && other.due_at <= it.now && other.state != NoticeState::Cancelled
        };
        if it.others.iter().any(is_newer) {
            return skip("a later notice says more");
        }
        let told = it.others.iter().filter_map(|other| other.sent_at).max();
        if told.is_some_and(|told| it.now < told + JUST_TOLD) {
            return skip("the member was told just before");
        }
    }
    if it.is_away {
        return Judgement::Wait(AWAY, "the bot is not in the server");
    }
    about_roles(it)
}

fn is_old(it: &Situation) -> Option<&'static str> {
    if it.kind.is_reminder() {
        return (it.now >= it.ends_at).then_some("the time was over before it could be sent");
    }
    (it.now >= it.due_at + OLD_NEWS).then_some("it could not be sent for days, and is no news any more")
}

fn about_roles(it: &Situation) -> Judgement {
    let skip = |why| Judgement::Close(NoticeState::Skipped, why);
    let enforced: Vec<&RoleFacts> = it.roles.iter().filter(|role| role.is_enforced).collect();
    if enforced.is_empty() {
        return skip("the role is only observed, or not mapped any more");
    }
    let of = |fits: fn(&&&RoleFacts) -> bool| enforced.iter().filter(fits).copied().collect::<Vec<_>>();
    let roles = match it.kind {
        NoticeKind::Began | NoticeKind::Halfway | NoticeKind::LastDay => {
            let live = of(|role| role.is_live);
            if live.is_empty() {
                return skip("the role has ended otherwise");
            }
            if live.iter().all(|role| role.is_kept) {
                return skip("something else gives the role");
            }
            let at_stake = of(|role| role.is_live && !role.is_kept && role.is_held);
            if at_stake.is_empty() {
                return Judgement::Wait(
                    NOT_HELD,
                    "the member has left, or does not have the role because of us",
                );
            }
            at_stake
        }
        NoticeKind::Ended => {
            let ended = of(|role| !role.is_live && !role.is_kept && !role.is_absent);
            if ended.iter().any(|role| role.is_held) {
                let so_far = (it.now - it.due_at).try_into().unwrap_or(Duration::ZERO);
                return Judgement::Wait(so_far.clamp(TAKING.0, TAKING.1), "the role is still to be taken");
            }
            ended
        }
        NoticeKind::Restored => of(|role| role.is_live && !role.is_absent),
    };
    if roles.is_empty() {
        return skip("the member has left, or their roles are not as it says");
    }
    Judgement::Send(roles.iter().map(|role| role.role).collect())
}

/// Which call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// What the server and its roles are called is read.
    Names,
    /// The conversation with the member is opened: repeating it changes nothing.
    Conversation,
    /// The message is sent.
    Message,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Discord has taken it.
    Sent,
    Again {
        wait: Duration,
        why: String,
        /// Whether the attempt failed; being told to wait is no failure.
        failed: bool,
        /// Whether Discord may have the message.
        is_tried: bool,
    },
    Close(NoticeState, String),
}

/// The meaning of an answer. `failures`: of this notice so far; `was_tried`: whether Discord may have had it before this call.
pub fn answered(call: Call, outcome: &CallOutcome, failures: u32, was_tried: bool, jitter: f64) -> Settled {
    // With an answer, however bad, Discord says that it has not taken it this time.
    let again = |wait, why: String, failed| Settled::Again { wait, why, failed, is_tried: was_tried };
    match outcome {
        CallOutcome::Done => Settled::Sent,
        CallOutcome::RateLimited { after, .. } => again(*after, "Discord told the bot to wait".into(), false),
        CallOutcome::TokenRejected => again(TOKEN_REJECTED, "Discord refused the bot token".into(), false),
        CallOutcome::Transient(cause) => Settled::Again {
            wait: UNANSWERED.spread_wait(failures, jitter),
            why: cause.to_string(),
            failed: true,
            is_tried: was_tried || call == Call::Message && !matches!(cause, Transient::Status(_)),
        },
        CallOutcome::Refused { code: OPENED_TOO_FAST, .. } => {
            again(TOO_FAST, "Discord says that conversations are opened too fast".into(), false)
        }
        CallOutcome::MemberGone
        | CallOutcome::RoleGone
        | CallOutcome::Forbidden { .. }
        | CallOutcome::GuildGone { .. }
        | CallOutcome::Refused { .. }
            if call == Call::Names =>
        {
            again(REFUSED.wait(failures), "Discord does not show the server".into(), true)
        }
        CallOutcome::MemberGone => undeliverable("there is no such user"),
        CallOutcome::RoleGone => undeliverable("the role was deleted"),
        CallOutcome::Forbidden { code } | CallOutcome::GuildGone { code } => {
            undeliverable(&format!("Discord refused it (code {code})"))
        }
        // No mutual server, or no messages from its members (<https://docs.discord.com/developers/topics/opcodes-and-status-codes>).
        CallOutcome::Refused { code: code @ (50007 | 50278), .. } => {
            undeliverable(&format!("the member takes no messages from the bot (code {code})"))
        }
        CallOutcome::Refused { status, code } => {
            undeliverable(&format!("Discord refused it (status {status}, code {code})"))
        }
    }
}

/// Each refusal counts towards Discord's ban, and the next would be one too.
fn undeliverable(why: &str) -> Settled {
    Settled::Close(NoticeState::Undeliverable, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::outcome::LimitScope;

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_timestamp(seconds).unwrap()
    }

    fn role() -> RoleFacts {
        RoleFacts {
            role: RoleId::from_u64(7).unwrap(),
            is_enforced: true,
            is_live: true,
            is_kept: false,
            is_held: true,
            is_absent: false,
        }
    }

    /// On the first of fourteen days.
    fn situation(kind: NoticeKind) -> Situation {
        Situation {
            kind,
            due_at: at(0),
            ends_at: at(14 * DAY),
            tried_at: None,
            others: Vec::new(),
            roles: vec![role()],
            is_on: true,
            is_away: false,
            now: at(60),
        }
    }

    fn other(kind: NoticeKind, state: NoticeState, due_at: i64) -> Other {
        let sent_at = (state == NoticeState::Sent).then_some(at(due_at));
        Other { kind, state, due_at: at(due_at), sent_at }
    }

    fn word(judgement: &Judgement) -> String {
        match judgement {
            Judgement::Send(_) => "send".to_owned(),
            Judgement::Wait(..) => "wait".to_owned(),
            Judgement::Close(state, _) => state.as_str().to_owned(),
        }
    }

    #[test]
    fn a_reminder_is_sent_to_who_would_lose_the_role() {
        use NoticeKind::Began;
        let with = |role: RoleFacts| word(&judge(&Situation { roles: vec![role], ..situation(Began) }));
        assert_eq!(with(role()), "send");
        assert_eq!(with(RoleFacts { is_enforced: false, ..role() }), "skipped");
        assert_eq!(with(RoleFacts { is_live: false, ..role() }), "skipped");
        assert_eq!(with(RoleFacts { is_kept: true, ..role() }), "skipped");
        assert_eq!(with(RoleFacts { is_held: false, is_absent: true, ..role() }), "wait");
        assert_eq!(word(&judge(&Situation { is_on: false, ..situation(Began) })), "skipped");
        assert_eq!(word(&judge(&Situation { is_away: true, ..situation(Began) })), "wait");
        assert_eq!(word(&judge(&Situation { now: at(14 * DAY), ..situation(Began) })), "skipped");
        let observed = RoleFacts { role: RoleId::from_u64(8).unwrap(), is_enforced: false, ..role() };
        let both = judge(&Situation { roles: vec![role(), observed], ..situation(Began) });
        assert_eq!(both, Judgement::Send([role().role].into()), "of two roles, the one at stake");
    }

    #[test]
    fn an_end_and_a_payment_are_told_as_they_are() {
        use NoticeKind::{Ended, Restored};
        let with = |kind, role: RoleFacts| word(&judge(&Situation { roles: vec![role], ..situation(kind) }));
        let gone = RoleFacts { is_live: false, is_held: false, ..role() };
        assert_eq!(with(Ended, gone), "send");
        assert_eq!(with(Ended, RoleFacts { is_held: true, ..gone }), "wait", "they still have it");
        assert_eq!(with(Ended, RoleFacts { is_kept: true, ..gone }), "skipped");
        assert_eq!(with(Ended, RoleFacts { is_absent: true, ..gone }), "skipped");
        assert_eq!(with(Ended, role()), "skipped");
        assert_eq!(with(Restored, RoleFacts { is_held: false, ..role() }), "send", "it is just being given");
        assert_eq!(with(Restored, gone), "skipped");
        let late = Situation { now: at(3 * DAY), ..situation(Restored) };
        assert_eq!(word(&judge(&late)), "skipped");
    }

    #[test]
    fn of_several_that_are_due_the_last_is_sent_and_never_two_within_hours() {
        use NoticeKind::{Began, Halfway, LastDay};
        use NoticeState::{Cancelled, Pending, Sent, Undeliverable};
        let with = |kind, other: Other, now| {
            word(&judge(&Situation { others: vec![other], now: at(now), ..situation(kind) }))
        };
        assert_eq!(with(Began, other(Halfway, Pending, 7 * DAY), 60), "send");
        assert_eq!(with(Began, other(Halfway, Pending, 7 * DAY), 8 * DAY), "skipped");
        assert_eq!(with(Began, other(Halfway, Cancelled, 7 * DAY), 8 * DAY), "send");
        assert_eq!(with(Halfway, other(Began, Sent, 7 * DAY - 3600), 7 * DAY), "skipped");
        assert_eq!(with(LastDay, other(Halfway, Sent, 7 * DAY), 13 * DAY), "send");
        assert_eq!(with(LastDay, other(Began, Undeliverable, 0), 13 * DAY), "undeliverable");
    }

    #[test]
    fn what_discord_may_have_is_sent_again_only_while_it_knows_the_nonce() {
        let tried = |after: i64, is_on| {
            word(&judge(&Situation {
                tried_at: Some(at(60)),
                now: at(60 + after),
                is_on,
                ..situation(NoticeKind::Began)
            }))
        };
        assert_eq!(tried(119, true), "send");
        assert_eq!(tried(120, true), "unsure");
        assert_eq!(tried(1, false), "unsure");
    }

    #[test]
    fn what_an_answer_means() {
        let refused = |status, code| CallOutcome::Refused { status, code };
        let limited = CallOutcome::RateLimited { after: Duration::from_secs(9), scope: LimitScope::Guild };
        for (call, outcome, expected) in [
            (Call::Message, CallOutcome::Done, "sent"),
            (Call::Message, limited.clone(), "again in 9"),
            (Call::Conversation, limited, "again in 9"),
            (Call::Message, CallOutcome::Transient(Transient::Status(503)), "failed, again in 80"),
            (Call::Conversation, CallOutcome::Transient(Transient::TimedOut), "failed, again in 80"),
            (Call::Message, CallOutcome::Transient(Transient::TimedOut), "failed, in doubt, again in 80"),
            (Call::Message, CallOutcome::Transient(Transient::Connection), "failed, in doubt, again in 80"),
            (Call::Message, refused(403, 50007), "undeliverable"),
            (Call::Message, refused(403, 50278), "undeliverable"),
            (Call::Conversation, refused(400, 50033), "undeliverable"),
            (Call::Conversation, refused(400, 40003), "again in 600"),
            (Call::Message, CallOutcome::GuildGone { code: 50001 }, "undeliverable"),
            (Call::Conversation, CallOutcome::MemberGone, "undeliverable"),
            (Call::Names, CallOutcome::GuildGone { code: 10004 }, "failed, again in 1800"),
        ] {
            let said = match answered(call, &outcome, 2, false, 0.0) {
                Settled::Sent => "sent".to_owned(),
                Settled::Again { wait, failed, is_tried, .. } => {
                    let (failed, doubt) =
                        (if failed { "failed, " } else { "" }, if is_tried { "in doubt, " } else { "" });
                    format!("{failed}{doubt}again in {}", wait.as_secs())
                }
                Settled::Close(state, _) => state.as_str().to_owned(),
            };
            assert_eq!(said, expected, "{call:?} {outcome:?}");
        }
        let refused = CallOutcome::Transient(Transient::Status(503));
        let after_silence = answered(Call::Message, &refused, 1, true, 0.0);
        assert!(
            matches!(after_silence, Settled::Again { is_tried: true, .. }),
            "one answer settles no other call"
        );
    }
}
