//! What the Gateway tells, as jobs. Events only enqueue: they may be lost, doubled or late, and never call a role route.
//!
//! Of each event we read the one or two ids that we need, and nothing else: Discord adds, changes and hides the other fields.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use metrics::counter;
use serde::{Deserialize, de};
use serde_json::{Value, value::RawValue};
use shared::db::pool::Pool;
use shared::{
    db::{
        pool::within,
        tenant::{self, Tenant},
    },
    domain::job::JobOrigin,
    ids::{GuildId, UserId},
    metrics::GATEWAY_UNREAD,
    store::{guild_roles, members, pending_members, role_grants, role_health, role_jobs},
};
use tokio::sync::Semaphore;

use super::{
    debounce::RoleChanges,
    in_order::{InOrder, Place},
};

/// Events at the same time: a session begins with one for each guild, and turns need connections too.
const AT_ONCE: usize = 4;
/// Waits after failure 1, 2, …: Discord does not say again that the bot was invited.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(240),
];

/// Members of whom it is remembered that they have rules to accept.
const MOST_PENDING: usize = 10_000;
const JOINED: &str = "the member joined";

pub struct Events {
    pool: Pool,
    turns: Semaphore,
    role_changes: Mutex<RoleChanges>,
    in_order: InOrder<(GuildId, Option<UserId>)>,
    /// Who was heard to join without having accepted the server's rules. Of all other members an update says nothing new.
    pending: Mutex<BTreeSet<(GuildId, UserId)>>,
}

/// An event, and its place among those about the same member, or about the bot in the same guild.
pub struct Heard {
    /// `None`: it says nothing new.
    event: Option<Event>,
    place: Option<Place>,
}

impl Events {
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            turns: Semaphore::new(AT_ONCE),
            role_changes: Mutex::default(),
            in_order: InOrder::default(),
            pending: Mutex::default(),
        }
    }

    /// What an event means to us; `None`: nothing. One of a kind that we use and cannot read is counted, and said.
    pub fn read(bot: Option<u64>, kind: &str, data: &RawValue) -> Option<Event> {
        let (kind, read) = ours(bot, kind, data.get())?;
        read.unwrap_or_else(|error| {
            counter!(GATEWAY_UNREAD, "kind" => kind).increment(1);
            // The error could quote what people wrote: only where it is.
            tracing::warn!(kind, column = error.column(), "an event cannot be read; the next sweep finds it");
            None
        })
    }

    /// To be called in the order in which events come: who left and came back is there.
    pub fn heard(&self, event: Event) -> Heard {
        let event = self.if_news(event);
        let subject = event.and_then(|event| match event {
            Event::Moved(guild, user, ..)
            | Event::JoinedPending(guild, user)
            | Event::Accepted(guild, user) => Some((guild, Some(user))),
            Event::Available(guild) | Event::Removed(guild) => Some((guild, None)),
            Event::RolesUnsure(_) | Event::RolesChanged(_) => None,
        });
        Heard { event, place: subject.map(|subject| self.in_order.place(subject)) }
    }

    fn if_news(&self, event: Event) -> Option<Event> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::JoinedPending(guild, user) if pending.len() >= MOST_PENDING => {
                Some(Event::Moved(guild, user, JobOrigin::Join, JOINED))
            }
            Event::JoinedPending(guild, user) => {
                pending.insert((guild, user));
                Some(event)
            }
            Event::Accepted(guild, user) => pending.remove(&(guild, user)).then_some(event),
            Event::Moved(guild, user, ..) => {
                pending.remove(&(guild, user));
                Some(event)
            }
            Event::Available(guild) => {
                pending.retain(|(of, _)| *of != guild);
                Some(event)
            }
            Event::Removed(_) | Event::RolesUnsure(_) | Event::RolesChanged(_) => Some(event),
        }
    }

    /// Takes one event; again, if the database refuses it.
    pub async fn receive(&self, Heard { event, place }: Heard) -> anyhow::Result<()> {
        let Some(event) = event else { return Ok(()) };
        if let Some(place) = &place {
            place.turn().await;
        }
        if let Event::RolesChanged(guild) = event {
            // At once: from now on no role is given on what was read before.
            self.persistently(Event::RolesUnsure(guild)).await?;
            let changes = &self.role_changes;
            let heard = changes.lock().unwrap_or_else(PoisonError::into_inner).heard(guild, Instant::now());
            let Some(quiet) = heard else { return Ok(()) };
            tokio::time::sleep(quiet).await;
        }
        self.persistently(event).await
    }

    async fn persistently(&self, event: Event) -> anyhow::Result<()> {
        for wait in WAITS {
            match self.attempt(event).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, again_in_s = wait.as_secs(), "an event could not be taken up yet");
                }
            }
            tokio::time::sleep(wait).await;
        }
        Ok(self.attempt(event).await?)
    }

    async fn attempt(&self, event: Event) -> Result<(), sqlx::Error> {
        // Never closed; without a permit it would only be busier.
        let _turn = self.turns.acquire().await;
        within(async {
            let mut tenant = tenant::begin(&self.pool, event.guild()).await?;
            let jobs = take(&mut tenant, event).await?;
            // These events are rare, unlike Stripe's: the wake-up may ride in their transaction.
            if jobs > 0 {
                role_jobs::announce_with(&mut tenant).await?;
            }
            tenant.commit().await
        })
        .await
    }
}

/// What an event means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A member joined or left.
    Moved(GuildId, UserId, JobOrigin, &'static str),
    /// A member joined, and has the server's rules to accept first.
    JoinedPending(GuildId, UserId),
    /// A member has accepted them, or had none to.
    Accepted(GuildId, UserId),
    /// The start of a session, or the bot was invited: what happened before is not told.
    Available(GuildId),
    /// The bot was removed from the guild.
    Removed(GuildId),
    /// What the guild's roles may do must be read again before one is given.
    RolesUnsure(GuildId),
    /// The order or the permissions of roles, or the bot's own roles, changed: what Discord refused may work now, and what was
    /// harmless may not be any more.
    RolesChanged(GuildId),
}

impl Event {
    fn guild(self) -> GuildId {
        match self {
            Self::Moved(guild, ..)
            | Self::JoinedPending(guild, _)
            | Self::Accepted(guild, _)
            | Self::Available(guild)
            | Self::Removed(guild)
            | Self::RolesUnsure(guild)
            | Self::RolesChanged(guild) => guild,
        }
    }
}

/// The guild of an event about something in it.
#[derive(Deserialize)]
struct InGuild {
    #[serde(deserialize_with = "id")]
    guild_id: u64,
}

/// The guild and the user of an event about a member.
#[derive(Deserialize)]
struct OfMember {
    #[serde(deserialize_with = "id")]
    guild_id: u64,
    user: Named,
    /// Whether they have the server's rules to accept; whatever it is, it costs us no id.
    #[serde(default)]
    pending: Value,
}

/// Anything with an id of its own.
#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "id")]
    id: u64,
}

#[derive(Deserialize)]
struct Guild {
    #[serde(deserialize_with = "id")]
    id: u64,
    /// Whether an outage is all that is wrong; whatever it is, it costs us no id.
    #[serde(default)]
    unavailable: Value,
}

/// An id: digits in a text, as Discord writes them, or a number, as others do.
fn id<'de, D: de::Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    let id = match Value::deserialize(value)? {
        Value::String(digits) => digits.parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    id.filter(|id| i64::try_from(*id).is_ok_and(|id| id > 0)).ok_or_else(|| de::Error::custom("no id"))
}

type Read = serde_json::Result<Option<Event>>;

/// `None`: a kind that we do not use.
fn ours(bot: Option<u64>, kind: &str, data: &str) -> Option<(&'static str, Read)> {
    let moved = |origin, cause| {
        serde_json::from_str(data).map(|OfMember { guild_id, user, .. }| {
            Some(Event::Moved(GuildId::from_u64(guild_id)?, UserId::from_u64(user.id)?, origin, cause))
        })
    };
    let roles_changed = || {
        serde_json::from_str(data)
            .map(|InGuild { guild_id }| Some(Event::RolesChanged(GuildId::from_u64(guild_id)?)))
    };
    Some(match kind {
        "GUILD_MEMBER_ADD" => {
            let joined = serde_json::from_str(data).map(|OfMember { guild_id, user, pending }| {
                let (guild, user) = (GuildId::from_u64(guild_id)?, UserId::from_u64(user.id)?);
                let joined = Event::Moved(guild, user, JobOrigin::Join, JOINED);
                Some(if pending == true { Event::JoinedPending(guild, user) } else { joined })
            });
            ("GUILD_MEMBER_ADD", joined)
        }
        "GUILD_MEMBER_REMOVE" => {
            // Nobody waits for it.
            ("GUILD_MEMBER_REMOVE", moved(JobOrigin::Sweep, "the member left"))
        }
        "GUILD_CREATE" => {
            let read = serde_json::from_str(data).map(|Guild { id, unavailable }| {
                let guild = GuildId::from_u64(id)?;
                (unavailable != true).then_some(Event::Available(guild))
            });
            ("GUILD_CREATE", read)
        }
        "GUILD_DELETE" => {
            let read = serde_json::from_str(data).map(|Guild { id, unavailable }| {
                let guild = GuildId::from_u64(id)?;
                // Anything else is an outage of Discord's.
                let removed = unavailable.is_null() || unavailable == false;
                removed.then_some(Event::Removed(guild))
            });
            ("GUILD_DELETE", read)
        }
        "GUILD_ROLE_UPDATE" => ("GUILD_ROLE_UPDATE", roles_changed()),
        "GUILD_ROLE_CREATE" => ("GUILD_ROLE_CREATE", roles_changed()),
        "GUILD_ROLE_DELETE" => ("GUILD_ROLE_DELETE", roles_changed()),
        "GUILD_MEMBER_UPDATE" => {
            let read = serde_json::from_str(data).map(|OfMember { guild_id, user, pending }| {
                let guild = GuildId::from_u64(guild_id)?;
                if Some(user.id) == bot {
                    return Some(Event::RolesChanged(guild));
                }
                let user = UserId::from_u64(user.id)?;
                (pending == false).then_some(Event::Accepted(guild, user))
            });
            ("GUILD_MEMBER_UPDATE", read)
        }
        _ => return None,
    })
}

/// Answers how many jobs there are to wake somebody for.
async fn take(tenant: &mut Tenant, event: Event) -> Result<u64, sqlx::Error> {
    match event {
        Event::JoinedPending(_, user) => {
            pending_members::add(tenant, user).await?;
            members::recheck(tenant, user, JobOrigin::Join, JOINED).await
        }
        Event::Accepted(_, user) => {
            pending_members::remove(tenant, user).await?;
            Ok(0)
        }
        Event::Moved(guild, user, origin, cause) => {
            pending_members::remove(tenant, user).await?;
            let jobs = members::recheck(tenant, user, origin, cause).await?;
            if jobs > 0 {
                tracing::info!(guild.id = %guild, user.id = %user, jobs, cause, "rechecking a member");
            }
            Ok(jobs)
        }
        Event::Available(_) => {
            members::guild_available(tenant).await?;
            Ok(role_grants::recheck_guild(tenant).await? + members::sweep_guild(tenant).await?)
        }
        Event::Removed(guild) => {
            tracing::warn!(guild.id = %guild, "the bot was removed from this server");
            members::guild_removed(tenant).await?;
            Ok(0)
        }
        Event::RolesUnsure(_) => {
            guild_roles::hint(tenant).await?;
            Ok(0)
        }
        Event::RolesChanged(_) => {
            guild_roles::request_read(tenant).await?;
            let parked = role_health::parked_roles(tenant).await?;
            for &role in &parked {
                role_health::release_role(tenant, role).await?;
            }
            Ok(u64::from(!parked.is_empty()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GUILD: &str = "81384788765712384";
    const USER: &str = "80351110224678912";

    fn guild() -> GuildId {
        GUILD.parse().unwrap()
    }

    fn user() -> UserId {
        USER.parse().unwrap()
    }

    fn read(kind: &str, data: &Value) -> Result<Option<Event>, &'static str> {
        match ours(USER.parse().ok(), kind, &data.to_string()) {
            None => Err("not ours"),
            Some((_, Ok(event))) => Ok(event),
            Some((named, Err(_))) => {
                assert_eq!(named, kind);
                Err("unread")
            }
        }
    }

    #[test]
    fn the_ids_are_read_whatever_else_is_said() {
        let odd = json!([null, { "new": 1 }, "x"]);
        let member = |id: Value| json!({ "guild_id": GUILD, "user": { "id": id, "username": odd }, "joined_at": odd, "roles": odd });
        let number: u64 = USER.parse().unwrap();
        for id in [json!(USER), json!(number)] {
            let joined = Ok(Some(Event::Moved(guild(), user(), JobOrigin::Join, "the member joined")));
            assert_eq!(read("GUILD_MEMBER_ADD", &member(id)), joined);
        }
        let left = Ok(Some(Event::Moved(guild(), user(), JobOrigin::Sweep, "the member left")));
        assert_eq!(read("GUILD_MEMBER_REMOVE", &member(json!(USER))), left);
        let changed = Ok(Some(Event::RolesChanged(guild())));
        assert_eq!(read("GUILD_MEMBER_UPDATE", &member(json!(USER))), changed, "our own roles");
        assert_eq!(read("GUILD_MEMBER_UPDATE", &member(json!("5"))), Ok(None));
        let pending =
            |pending: Value| json!({ "guild_id": GUILD, "user": { "id": "5" }, "pending": pending });
        let five = UserId::from_u64(5).unwrap();
        let joined = Event::JoinedPending(guild(), five);
        assert_eq!(read("GUILD_MEMBER_ADD", &pending(json!(true))), Ok(Some(joined)));
        let accepted = Event::Accepted(guild(), five);
        assert_eq!(read("GUILD_MEMBER_UPDATE", &pending(json!(false))), Ok(Some(accepted)));
        for odd in [json!(true), json!(null), odd.clone()] {
            assert_eq!(read("GUILD_MEMBER_UPDATE", &pending(odd)), Ok(None));
        }
        for kind in ["GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"] {
            assert_eq!(read(kind, &json!({ "guild_id": GUILD, "role": odd })), changed);
        }
        let create = |unavailable: Value| {
            let channels = json!([{ "id": "1", "type": 0, "name": null }, { "id": null }]);
            json!({ "id": GUILD, "unavailable": unavailable, "channels": channels, "roles": odd })
        };
        for here in [Value::Null, json!(false), odd.clone()] {
            assert_eq!(read("GUILD_CREATE", &create(here)), Ok(Some(Event::Available(guild()))));
        }
        assert_eq!(read("GUILD_CREATE", &create(json!(true))), Ok(None), "an outage of Discord's");
        let removed = Ok(Some(Event::Removed(guild())));
        for (data, event) in [
            (json!({ "id": GUILD }), removed),
            (json!({ "id": GUILD, "unavailable": null }), removed),
            (json!({ "id": GUILD, "unavailable": false }), removed),
            (json!({ "id": GUILD, "unavailable": true }), Ok(None)),
            (json!({ "id": GUILD, "unavailable": odd }), Ok(None)),
        ] {
            assert_eq!(read("GUILD_DELETE", &data), event, "{data}");
        }
    }

    #[test]
    fn what_has_no_id_is_unread_and_what_is_not_ours_is_neither() {
        for data in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "guild_id": GUILD }),
            json!({ "guild_id": GUILD, "user": { "id": "x" } }),
            json!({ "guild_id": "-1", "user": { "id": USER } }),
            json!({ "guild_id": GUILD, "user": { "id": u64::MAX } }),
            json!({ "guild_id": null, "user": { "id": USER } }),
        ] {
            assert_eq!(read("GUILD_MEMBER_ADD", &data), Err("unread"), "{data}");
        }
        assert_eq!(read("GUILD_CREATE", &json!({ "unavailable": false })), Err("unread"));
        assert_eq!(read("TYPING_START", &json!(null)), Err("not ours"));
    }
}
