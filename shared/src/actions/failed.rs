//! What was given up, or fails again and again: one list of all kinds. It changes nothing, and is written down as a look at members' data.

use super::ActionError;
use crate::{
    db::{authorized::Authorized, pool::Pool, tenant},
    domain::activity::Activity,
    store::{
        activity_log,
        failures::{self, FailedJob, FailedList, FailedNotice, FailedRead, LostEvent},
        stripe_connections::{self, Listed},
    },
};

/// Everything of one guild.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failed {
    /// Its connections, for their names.
    pub connections: Vec<Listed>,
    pub lists: Vec<FailedList>,
    pub reads: Vec<FailedRead>,
    pub events: Vec<LostEvent>,
    pub jobs: Vec<FailedJob>,
    pub notices: Vec<FailedNotice>,
}

impl Failed {
    pub fn is_empty(&self) -> bool {
        let Self { connections: _, lists, reads, events, jobs, notices } = self;
        lists.is_empty() && reads.is_empty() && events.is_empty() && jobs.is_empty() && notices.is_empty()
    }
}

pub async fn failed(pool: &Pool, by: &Authorized) -> Result<Failed, ActionError> {
    // As the login itself: an owner's role writes what owners decide, and need not see all of this.
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        return Err(ActionError::UnknownGuild);
    }
    let failed = Failed {
        connections: stripe_connections::of_guild(&mut tenant).await?,
        lists: failures::lists(&mut tenant).await?,
        reads: failures::reads(&mut tenant).await?,
        events: failures::events(&mut tenant).await?,
        jobs: failures::jobs(&mut tenant).await?,
        notices: failures::notices(&mut tenant).await?,
    };
    activity_log::record(&mut tenant, Activity::FailedRead).await?;
    tenant.commit().await?;
    Ok(failed)
}
