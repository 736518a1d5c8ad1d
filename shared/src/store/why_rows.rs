//! Rows as facts of an explanation, which know no database. In: a row with a column for each field. Out: the fact.

use sqlx::{FromRow, Row, postgres::PgRow};

use crate::domain::{
    billing::page::KeptPage,
    explain::{Bought, Connection, Customer, Entry, Event, Job, Read, Role, Source},
};

macro_rules! rows {
    ($($fact:ident { $($column:ident),* $(; $($nested:ident),*)? })*) => {$(
        impl<'r> FromRow<'r, PgRow> for $fact {
            fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self {
                    $($column: row.try_get(stringify!($column))?,)*
                    $($($nested: FromRow::from_row(row)?,)*)?
                })
            }
        }
    )*};
}

rows! {
    Customer { connection_id, customer_id, holder, proof, linked_at, named; read }
    Read { is_unread, next_read_at, read_error }
    Bought { kind, id, connection_id, customer_id, status, pause_cause, collection, collection_resumes_at, named, holder, price_ids, product_ids, unpaid_since, ends_at, paid_at, trial_began_at, trial_ends_at, missing_since, synced_at, refund, dispute, is_managed; page, read }
    Source { role_id, kind, connection_id, source_id, is_live, evidence, changed_at, valid_until, reason, given_by }
    Role { role_id, enforcement, danger, unlisted_at, probe_at, code, grant_state, confirmed_at, absent_since, taken_at, question, asked_at, answered_at }
    Job { job_id, role_id, action, state, outcome, created_at, due_at, attempts, finished_at }
    Entry { at, actor, action, role_id, cause }
    Event { event_id, kind, created, received_at }
    Connection { connection_id, is_active, livemode, answered_at, next_poll_at, failing_since; portal }
}

impl<'r> FromRow<'r, PgRow> for KeptPage {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self::new(row.try_get("open_invoice_url")?, row.try_get("open_invoice_read_at")?))
    }
}
