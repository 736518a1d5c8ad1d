//! Whether somebody is in a server, as the bot says. In: whom a page is about. Out: a [`Presence`], by a page's patience.
//!
//! The gateway holds no bot token, so each answer costs a question to the bot, and the bot a call of Discord's API, of which roles need
//! all that there are: an answer is kept for a while, however often a page is loaded, and few are on their way at a time.

use std::{sync::Arc, time::Duration};

use moka::{Expiry, future::Cache};
use shared::{
    domain::{
        claim::Presence,
        service_request::{Answer as Said, Question},
    },
    ids::{GuildId, UserId},
    service_requests::ServiceRequests,
};
use tokio::sync::Semaphore;

/// How long a page waits for the bot.
const PATIENCE: Duration = Duration::from_millis(700);
/// How long an answer is good: somebody who has just joined reads for so long at most that they are to join.
const KEPT: Duration = Duration::from_secs(20);
/// How long nobody is asked again about whom there was no answer.
const KEPT_UNKNOWN: Duration = Duration::from_secs(3);
const MOST_KEPT: u64 = 10_000;
/// Questions that are on their way at a time, for all servers.
const AT_ONCE: usize = 8;

type Whom = (GuildId, UserId);

/// Answers lately had.
#[derive(Clone)]
pub struct Presences {
    requests: Arc<ServiceRequests>,
    lately: Cache<Whom, Presence>,
    asking: Arc<Semaphore>,
}

struct Lives;

impl Expiry<Whom, Presence> for Lives {
    fn expire_after_create(&self, _: &Whom, presence: &Presence, _: std::time::Instant) -> Option<Duration> {
        Some(match presence {
            Presence::Member | Presence::Absent => KEPT,
            Presence::Unknown => KEPT_UNKNOWN,
        })
    }
}

impl Presences {
    pub fn new(requests: Arc<ServiceRequests>) -> Self {
        let lately = Cache::builder().max_capacity(MOST_KEPT).expire_after(Lives).build();
        Self { requests, lately, asking: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Has the bot asked, for a page that will want to know.
    pub fn ask_ahead(&self, guild: GuildId, user: UserId) {
        let presences = self.clone();
        // Nobody waits for it; it ends by itself, within the two seconds of a question.
        drop(tokio::spawn(async move { presences.asked(guild, user).await }));
    }

    /// What is known by the end of a page's patience.
    pub async fn of(&self, guild: GuildId, user: UserId) -> Presence {
        let presences = self.clone();
        // A page that has waited long enough leaves the answer to the next.
        let asked = tokio::spawn(async move { presences.asked(guild, user).await });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(presence)) => presence,
            Ok(Err(_)) | Err(_) => Presence::Unknown,
        }
    }

    /// What is known may have changed just now.
    pub async fn forget(&self, guild: GuildId, user: UserId) {
        self.lately.invalidate(&(guild, user)).await;
    }

    /// However many want to know at once, the bot is asked once.
    async fn asked(&self, guild: GuildId, user: UserId) -> Presence {
        self.lately.get_with((guild, user), self.ask(guild, user)).await
    }

    async fn ask(&self, guild: GuildId, user: UserId) -> Presence {
        let Ok(_permit) = self.asking.try_acquire() else { return Presence::Unknown };
        match self.requests.ask(guild, &Question::MemberPermissions { user }).await {
            Ok(Said::MemberPermissions(_)) => Presence::Member,
            Ok(Said::MemberAbsent) => Presence::Absent,
            Ok(Said::Unavailable | Said::Adding(_)) | Err(_) => Presence::Unknown,
        }
    }
}
