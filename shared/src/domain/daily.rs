//! What is done once a day for each connection, spread over the day. In: whose it is, and the time. Out: how long until its turn.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    ids::{ConnectionId, GuildId},
};

const DAY: u64 = 24 * 60 * 60;
/// The next turn is at least this far away: what was just done is not done again within minutes.
const LEAST: u64 = DAY / 2;

/// From now until the connection's next turn: at the same second of every UTC day, half a day away or more.
pub fn until_next(guild: GuildId, connection: ConnectionId, now: Timestamp) -> Duration {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0) % DAY;
    let earliest = seconds + LEAST;
    let wait = (second_of_day(guild, connection) + 2 * DAY - earliest) % DAY;
    Duration::from_secs(LEAST + wait)
}

/// Ids are counted up, or begin with a time: neighbours get seconds far from each other.
fn second_of_day(guild: GuildId, connection: ConnectionId) -> u64 {
    let mixed = (guild.get() ^ connection.get().rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) % DAY
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn every_day_at_the_same_second_and_never_soon_again() {
        let (guild, connection) =
            (GuildId::from_u64(81_384_788_765_712_384).unwrap(), ConnectionId::from_u64(7).unwrap());
        let turn = |now: i64| now + i64::try_from(until_next(guild, connection, at(now)).as_secs()).unwrap();
        for now in (0..3 * 86_400).step_by(601) {
            let next = turn(1_800_000_000 + now);
            assert_eq!(next % 86_400, i64::try_from(second_of_day(guild, connection)).unwrap());
            let wait = next - 1_800_000_000 - now;
            assert!((43_200..129_600).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn connections_are_spread_over_the_day() {
        let guild = GuildId::from_u64(81_384_788_765_712_384).unwrap();
        let hours: BTreeSet<u64> =
            (1..200).map(|id| second_of_day(guild, ConnectionId::from_u64(id).unwrap()) / 3600).collect();
        assert_eq!(hours.len(), 24);
    }
}
