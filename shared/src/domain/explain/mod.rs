//! Why a member has, or lacks, a role. In: what is known of the member ([`Facts`]), the time. Out: an [`Explanation`]: per role one
//! answer, the chain from the first payment to Discord's last answer, and what helps. As data: a command, a page and the command line
//! say the same in their own words.

mod explanation;
mod facts;
mod general;
pub mod lists;
mod role;
mod source;
mod steps;

#[cfg(test)]
mod tests;

pub use explanation::{Answer, Answered, Cause, Explained, Explanation, Fix, Next, Reason, Step, What, Why};
pub use facts::{
    Bought, BoughtKind, Connection, Customer, Entry, Event, Facts, Job, Read, Role, Source, SourceKind,
};

use crate::clock::Timestamp;
use role::OfRole;

pub fn explain(facts: &Facts, now: Timestamp) -> Explanation {
    let roles = facts.roles.iter().map(|role| {
        let of = OfRole::new(facts, role, now);
        let (answer, next) = of.answer();
        Explained { role: Some(role.role_id), answer, steps: steps::of_role(facts, &of), next }
    });
    let mut parts: Vec<Explained> = roles.collect();
    parts.extend(general::general(facts, !parts.is_empty(), now));
    Explanation { parts }
}
