//! What every command gets.

use shared::db::pool::Pool;

pub struct Data {
    pub pool: Pool,
}

pub(super) type Context<'a> = poise::Context<'a, Data, anyhow::Error>;
