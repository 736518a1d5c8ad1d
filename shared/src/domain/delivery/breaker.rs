//! How many may lose a role within a day before a person is asked. In: by what access ended, and what was counted. Out: a [`Verdict`].
//! Pure.
//!
//! A wrong bulk, whoever made it, must not take a role from everybody who has it. What ended by its own read of Stripe may be many: a
//! month ends for all at once.

use crate::domain::entitlement::ended_by::EndedBy;

/// What was taken counts so long. A day, and an hour for calls that are made some time after they were counted.
pub const HOURS: i32 = 25;

/// How many may lose a role within a day: so many in a hundred of its holders, within bounds.
struct Limit {
    least: u64,
    percent: u64,
    most: u64,
}

const UNCONFIRMED: Limit = Limit { least: 2, percent: 5, most: 50 };
const CONFIRMED: Limit = Limit { least: 10, percent: 25, most: 500 };
/// No mistake costs anybody a role that can be told from all that is none.
const NOBODY: Limit = Limit { least: 0, percent: 0, most: 0 };

/// Of more holders than this no limit grows any more.
pub const HOLDERS_COUNTED: u64 = 2_000;

/// How sure it is that access ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Nothing is mapped to the role any more, and no owner removed that.
    Unmapped,
    /// Nothing that was read of the very subscription or purchase, as far as is known.
    Unconfirmed,
    /// A read of its own, or the end of the time that it was given for.
    Confirmed,
    /// An owner's act: it neither counts nor is held.
    Approved,
}

impl From<Option<EndedBy>> for Evidence {
    fn from(ended_by: Option<EndedBy>) -> Self {
        match ended_by {
            None => Self::Unconfirmed,
            Some(EndedBy::Read | EndedBy::Time) => Self::Confirmed,
            Some(EndedBy::Unmapped) => Self::Unmapped,
            Some(EndedBy::Owner) => Self::Approved,
        }
    }
}

impl Evidence {
    /// `None`: as many as there are.
    fn limit(self) -> Option<Limit> {
        match self {
            Self::Unmapped => Some(NOBODY),
            Self::Unconfirmed => Some(UNCONFIRMED),
            Self::Confirmed => Some(CONFIRMED),
            Self::Approved => None,
        }
    }
}

/// What is known of a role, when it is about to be taken from one more member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Who has it because of us, and who had until it was taken within the day. Where fewer than [`least`] were taken it does not
    /// matter, and of more than [`HOLDERS_COUNTED`] neither.
    pub holders: u64,
    /// From how many others it was taken within the day, on evidence like this member's.
    pub taken: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Go,
    /// It would be one too many.
    Hold {
        /// How many may lose it within a day on such evidence.
        limit: u64,
    },
}

/// Whether a role may be taken from one more member.
pub fn judge(evidence: Evidence, counts: Counts) -> Verdict {
    match limit(evidence, counts.holders) {
        Some(limit) if counts.taken >= limit => Verdict::Hold { limit },
        _ => Verdict::Go,
    }
}

/// From how many a role may be taken within a day; `None`: from all.
fn limit(evidence: Evidence, holders: u64) -> Option<u64> {
    let Limit { least, percent, most } = evidence.limit()?;
    Some((holders.saturating_mul(percent) / 100).clamp(least, most))
}

/// From how many it may be taken within a day, however few have it.
pub fn least(evidence: Evidence) -> u64 {
    evidence.limit().map_or(u64::MAX, |limit| limit.least)
}

/// What is said of a job that is held: why, and what the mistake may be.
pub fn in_words(limit: u64, holders: u64, evidence: Evidence) -> String {
    let of =
        if holders < HOLDERS_COUNTED { holders.to_string() } else { format!("{HOLDERS_COUNTED} or more") };
    let at_most = format!("within a day this role is taken from {limit} of {of} holders at most");
    let why = match evidence {
        Evidence::Unmapped => {
            "nothing is mapped to this role any more, and no owner removed that: perhaps a mapping was \
             removed by mistake"
                .to_owned()
        }
        Evidence::Unconfirmed => {
            format!(
                "{at_most} for which no read of Stripe shows the end: perhaps a policy or a mapping was changed by mistake"
            )
        }
        Evidence::Confirmed | Evidence::Approved => format!(
            "{at_most}, also where each end was read from Stripe: perhaps subscriptions were ended, or moved to another \
             product, by mistake"
        ),
    };
    format!(
        "held: {why}; `nexrole held` shows them all, `nexrole held approve` takes it, `nexrole held discard` leaves it"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use Evidence::{Approved, Confirmed, Unconfirmed, Unmapped};

    #[test]
    fn limits_are_a_share_of_the_holders_within_bounds() {
        for (holders, unconfirmed, confirmed) in [
            (0, 2, 10),
            (1, 2, 10),
            (40, 2, 10),
            (59, 2, 14),
            (60, 3, 15),
            (1_000, 50, 250),
            (2_000, 50, 500),
            (u64::MAX, 50, 500),
        ] {
            let found = [Unconfirmed, Confirmed].map(|evidence| limit(evidence, holders));
            assert_eq!(found, [Some(unconfirmed), Some(confirmed)], "{holders}");
            assert_eq!((limit(Unmapped, holders), limit(Approved, holders)), (Some(0), None));
        }
        // What is not counted changes nothing.
        for evidence in [Unconfirmed, Confirmed, Unmapped] {
            assert_eq!(limit(evidence, 0), Some(least(evidence)));
            assert_eq!(limit(evidence, HOLDERS_COUNTED), limit(evidence, u64::MAX));
        }
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        prop_oneof![Just(Unmapped), Just(Unconfirmed), Just(Confirmed), Just(Approved)]
    }

    proptest! {
        /// Whoever loses the role, on whatever evidence, in whatever order and at whatever time: within any day never more than the
        /// limit on each evidence, of all who ever had it. Members are many hours apart, and are given it again at times.
        #[test]
        fn within_any_day_no_more_than_the_limit_are_taken(
            holders in 0_u64..700,
            ends in proptest::collection::vec((any_evidence(), 0_i64..8, 0_u64..700), 0..900),
        ) {
            let mut now = 0;
            // When, by member and evidence, as `role_revokes` has it.
            let mut taken: BTreeMap<(u64, Evidence), i64> = BTreeMap::new();
            let mut calls: Vec<(i64, Evidence, u64)> = Vec::new();
            for (evidence, later, member) in ends {
                now += later;
                let counted = taken.iter().filter(|((_, of), at)| *of == evidence && now - **at < i64::from(HOURS));
                let (own, others): (Vec<_>, Vec<_>) = counted.partition(|((who, _), _)| *who == member);
                let (is_counted, of_others) = (!own.is_empty(), others.len() as u64);
                if is_counted || judge(evidence, Counts { holders, taken: of_others }) == Verdict::Go {
                    if evidence != Approved {
                        taken.insert((member, evidence), now);
                    }
                    calls.push((now, evidence, member));
                }
            }
            for evidence in [Unmapped, Unconfirmed, Confirmed] {
                let most = limit(evidence, holders).unwrap();
                for (from, ..) in &calls {
                    let within = calls.iter().filter(|(at, of, _)| (0..24).contains(&(at - from)) && *of == evidence);
                    let members: BTreeSet<_> = within.map(|(.., member)| member).collect();
                    prop_assert!(members.len() as u64 <= most, "{} of {holders} {evidence:?}", members.len());
                }
            }
        }

        #[test]
        fn what_an_owner_approved_is_never_held(holders: u64, taken: u64) {
            prop_assert_eq!(judge(Approved, Counts { holders, taken }), Verdict::Go);
        }

        /// More holders never mean that fewer may lose it, and more that lost it never that more may.
        #[test]
        fn it_grows_with_the_holders(holders: u64, more: u64, taken in 0_u64..600, fewer in 0_u64..600) {
            for evidence in [Unconfirmed, Confirmed] {
                if judge(evidence, Counts { holders, taken }) == Verdict::Go {
                    let larger = Counts { holders: holders.saturating_add(more), taken: taken.min(fewer) };
                    prop_assert_eq!(judge(evidence, larger), Verdict::Go);
                }
            }
        }
    }
}
