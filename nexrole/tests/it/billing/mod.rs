//! What Stripe tells, and what becomes of it: payments, outages, accounts that are not connected any more.

mod amounts;
mod bad_objects;
mod by_state;
mod catalogue;
mod disconnect;
mod disconnected_accounts;
mod given;
mod grace;
mod histories;
mod import;
mod legacy_ids;
mod lists;
mod notices;
mod other_roles;
mod payments;
mod permutations;
mod policies;
mod purchases;
mod reads;
mod reconcile;
mod reversals;
mod second_trials;
mod stripe_faults;
mod thin_events;
mod trial_offers;
mod unmap;
