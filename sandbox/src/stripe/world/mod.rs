//! One fake Stripe: its state, and a file for each kind of deed that changes it.

pub(super) mod accounts;
pub(super) mod catalogue;
pub(super) mod checkout;
mod clock;
mod customers;
pub(super) mod disputes;
pub(super) mod due;
mod endpoint;
pub(super) mod endpoints;
mod invoices;
pub(super) mod key;
pub(super) mod keys;
pub(super) mod pause;
mod pauses;
mod payer;
mod payments;
mod portal;
pub(super) mod reversals;
mod state;
mod subscriptions;
pub(super) mod trial_offers;
pub(super) mod versions;

pub(super) use customers::NewCustomer;
pub(super) use endpoint::{Endpoint, Signing};
pub(super) use invoices::InvoiceStep;
pub(super) use payer::Payer;
pub(super) use state::{Settings, World, id_of, is_recent};
pub(super) use subscriptions::NewSubscription;
