//! Who pays and is linked to nobody is told by mail how to claim. In: who they are, what they were told, the owner's word, the time. Out: who is
//! written to: once, and once more at most, and never who wants no such mail.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use uuid::Uuid;

use crate::{
    clock::Timestamp,
    ids::{ConnectionId, CustomerId},
};

/// Nobody is reminded sooner.
pub const REMIND_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// Between two of them: a code that somebody waits for is sent in between.
pub const APART: Duration = Duration::from_secs(2);
/// A mail that could not be sent for so long is not sent any more.
pub const LIVES: Duration = Duration::from_secs(3 * 24 * 3600);

/// A customer who pays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payer {
    pub connection: ConnectionId,
    pub customer: CustomerId,
}

/// What one of them was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub id: Uuid,
    pub invited_at: Timestamp,
    pub reminded_at: Option<Timestamp>,
    /// Since when they want no such mail.
    pub stopped_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Who was told nothing yet.
    pub invite: Vec<Payer>,
    /// Who was told once, long enough ago.
    pub remind: Vec<(Payer, Uuid)>,
    /// Who is left alone, for they were told.
    pub told: usize,
    /// Who is left alone, for they said so.
    pub stopped: usize,
}

/// `payers`: who pays and is linked to nobody; `reminds`: whether the owner wants reminders sent, too.
pub fn plan(payers: BTreeSet<Payer>, told: &BTreeMap<Payer, Told>, reminds: bool, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for payer in payers {
        match told.get(&payer) {
            None => plan.invite.push(payer),
            Some(Told { stopped_at: Some(_), .. }) => plan.stopped += 1,
            Some(Told { id, invited_at, reminded_at: None, .. })
                if reminds && now >= *invited_at + REMIND_AFTER =>
            {
                plan.remind.push((payer, *id));
            }
            Some(_) => plan.told += 1,
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: Timestamp = datetime!(2026-12-01 12:00 UTC);

    fn payer(customer: &str) -> Payer {
        let connection = ConnectionId::from_u64(1).expect("a connection");
        Payer { connection, customer: customer.parse().expect("a customer") }
    }

    #[test]
    fn everybody_is_told_once_and_reminded_once_and_who_said_no_is_left_alone() {
        let week_ago = NOW - REMIND_AFTER;
        let told = |invited_at, reminded_at, stopped_at| Told {
            id: Uuid::nil(),
            invited_at,
            reminded_at,
            stopped_at,
        };
        let known = BTreeMap::from([
            (payer("cus_week"), told(week_ago, None, None)),
            (payer("cus_day"), told(week_ago + Duration::from_secs(1), None, None)),
            (payer("cus_twice"), told(week_ago, Some(NOW), None)),
            (payer("cus_no"), told(week_ago, None, Some(NOW))),
            (payer("cus_linked"), told(week_ago, None, None)),
        ]);
        let payers = ["cus_new", "cus_week", "cus_day", "cus_twice", "cus_no"].map(payer);
        let first = plan(payers.clone().into(), &known, false, NOW);
        assert_eq!(first, Plan { invite: vec![payer("cus_new")], remind: vec![], told: 3, stopped: 1 });
        let both = plan(payers.into(), &known, true, NOW);
        assert_eq!(both.invite, [payer("cus_new")]);
        assert_eq!((both.remind, both.told, both.stopped), (vec![(payer("cus_week"), Uuid::nil())], 2, 1));
    }
}
