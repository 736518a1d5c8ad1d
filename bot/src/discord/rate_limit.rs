//! When the next call may go out. One pacer per process: a budget per second, a pause that all calls share, and a budget
//! of refused calls far below the one at which Discord bans an address (10,000 in 10 minutes,
//! <https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans>).
//!
//! What Discord told one kind of call to wait holds for whoever makes such a call next, whatever it is for. That of role changes is
//! also in the guild's gate, where every process sees it.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use shared::{
    domain::delivery::outcome::LimitScope,
    ids::{GuildId, UserId},
};

/// Discord allows a bot 50.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(45).expect("45 is not zero");
/// A burst of the whole second's budget, followed by a second's refill, would be 90 within one second.
const BURST: NonZeroU32 = NonZeroU32::new(5).expect("5 is not zero");
const INVALID_WINDOW: Duration = Duration::from_secs(600);
const INVALID_LIMIT: usize = 100;
/// Whom a call about a member's own choice is refused for closed their messages, is banned, or took back what they allowed: so many
/// refusals within the window leave the rest of them to role changes.
const INVALID_LIMIT_OF_MEMBERS: usize = 25;

/// Calls that Discord limits together: a route, and the guild, if it is about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Reading a member.
    Member(GuildId),
    /// Giving and taking roles.
    Change(GuildId),
    /// Adding members.
    Join(GuildId),
    /// Reading a guild's roles.
    Roles(GuildId),
    Server(GuildId),
    /// Counting who holds them.
    Holders(GuildId),
    /// Asking where the Gateway is.
    Gateway,
    /// Saying which commands there are.
    Commands,
    /// Opening a conversation with a member.
    Conversation,
    /// Writing to a member.
    Message(UserId),
}

impl Bucket {
    /// How many refusals its calls may follow.
    fn invalid_limit(self) -> usize {
        match self {
            Self::Conversation | Self::Message(_) | Self::Join(_) => INVALID_LIMIT_OF_MEMBERS,
            Self::Member(_)
            | Self::Change(_)
            | Self::Roles(_)
            | Self::Server(_)
            | Self::Holders(_)
            | Self::Gateway
            | Self::Commands => INVALID_LIMIT,
        }
    }
}

/// Paces all of our own calls of this process.
pub struct Pacer {
    per_second: DefaultDirectRateLimiter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    paused_until: Option<Instant>,
    buckets: HashMap<Bucket, Instant>,
    invalid: VecDeque<Instant>,
}

/// The call may not go out yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBefore {
    pub after: Duration,
    pub scope: LimitScope,
}

impl Default for Pacer {
    fn default() -> Self {
        let quota = Quota::per_second(CALLS_PER_SECOND).allow_burst(BURST);
        Self { per_second: RateLimiter::direct(quota), state: Mutex::default() }
    }
}

impl Pacer {
    /// Waits for the call's turn, but not through a pause: a guild's lease must not be spent on waiting.
    pub async fn permit(&self, bucket: Bucket) -> Result<(), NotBefore> {
        self.per_second.until_ready().await;
        let now = Instant::now();
        let mut state = self.state();
        if let Some(after) = state.wait(now, bucket.invalid_limit()) {
            return Err(NotBefore { after, scope: LimitScope::Everything });
        }
        let closed = state.buckets.get(&bucket).and_then(|until| until.checked_duration_since(now));
        match closed.filter(|wait| !wait.is_zero()) {
            Some(after) => Err(NotBefore { after, scope: LimitScope::Guild }),
            None => Ok(()),
        }
    }

    /// Discord told calls of one kind to wait, or their bucket is empty.
    pub fn pause_bucket(&self, bucket: Bucket, wait: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        // Others are over: there is no more of them than of guilds that are waited for in this moment.
        state.buckets.retain(|_, until| *until > now);
        let until = state.buckets.entry(bucket).or_insert(now);
        *until = (*until).max(now + wait);
    }

    /// Discord told the whole bot to wait.
    pub fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        state.paused_until = Some(state.paused_until.map_or(until, |known| known.max(until)));
    }

    /// Discord counted a call as invalid.
    pub fn count_invalid(&self) {
        let mut state = self.state();
        state.invalid.push_back(Instant::now());
        if state.invalid.len() == INVALID_LIMIT {
            tracing::error!(
                "Discord refused {INVALID_LIMIT} calls within 10 minutes; calls stop until that is over, to avoid a ban"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the numbers as good as they were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, now: Instant, invalid_limit: usize) -> Option<Duration> {
        while self.invalid.front().is_some_and(|at| now.duration_since(*at) >= INVALID_WINDOW) {
            self.invalid.pop_front();
        }
        // Once it is over, one more may go out.
        let excess = self.invalid.len().checked_sub(invalid_limit);
        let oldest = excess.and_then(|excess| self.invalid.get(excess));
        let budget_back = oldest.map(|at| *at + INVALID_WINDOW);
        let until = self.paused_until.into_iter().chain(budget_back).max()?;
        until.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_everybody_and_only_grows() {
        let pacer = Pacer::default();
        assert_eq!(pacer.state().wait(Instant::now(), INVALID_LIMIT), None);
        pacer.pause(Duration::from_secs(60));
        pacer.pause(Duration::from_secs(1));
        assert!(pacer.state().wait(Instant::now(), INVALID_LIMIT).unwrap() > Duration::from_secs(58));
        assert_eq!(pacer.state().wait(Instant::now() + Duration::from_secs(61), INVALID_LIMIT), None);
    }

    #[tokio::test]
    async fn what_one_kind_of_call_was_told_holds_for_the_next_of_its_kind_alone() {
        let pacer = Pacer::default();
        let [one, other] = [1, 2].map(|guild| GuildId::from_u64(guild).unwrap());
        pacer.pause_bucket(Bucket::Roles(one), Duration::from_secs(600));
        pacer.pause_bucket(Bucket::Roles(one), Duration::from_secs(1));
        let NotBefore { after, scope } = pacer.permit(Bucket::Roles(one)).await.unwrap_err();
        assert!(after > Duration::from_secs(598) && scope == LimitScope::Guild, "{after:?}");
        for free in [Bucket::Roles(other), Bucket::Member(one), Bucket::Commands] {
            assert_eq!(pacer.permit(free).await, Ok(()), "{free:?}");
        }
        pacer.pause(Duration::from_secs(60));
        assert_eq!(pacer.permit(Bucket::Commands).await.unwrap_err().scope, LimitScope::Everything);
    }

    #[test]
    fn a_hundred_refusals_stop_calls_until_the_window_is_over() {
        let pacer = Pacer::default();
        for _ in 0..99 {
            pacer.count_invalid();
        }
        assert_eq!(pacer.state().wait(Instant::now(), INVALID_LIMIT), None);
        pacer.count_invalid();
        assert!(pacer.state().wait(Instant::now(), INVALID_LIMIT).unwrap() > Duration::from_secs(598));
        assert_eq!(pacer.state().wait(Instant::now() + Duration::from_secs(601), INVALID_LIMIT), None);
    }

    #[tokio::test]
    async fn refused_messages_leave_room_for_roles() {
        let pacer = Pacer::default();
        let (guild, user) = (GuildId::from_u64(1).unwrap(), UserId::from_u64(2).unwrap());
        for _ in 0..25 {
            assert_eq!(pacer.permit(Bucket::Message(user)).await, Ok(()));
            pacer.count_invalid();
        }
        for of_messages in [Bucket::Message(user), Bucket::Conversation] {
            let NotBefore { after, .. } = pacer.permit(of_messages).await.unwrap_err();
            assert!(after > Duration::from_secs(590), "{after:?}");
        }
        assert_eq!(pacer.permit(Bucket::Change(guild)).await, Ok(()));
    }
}
