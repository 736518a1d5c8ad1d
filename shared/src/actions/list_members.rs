//! Lists members and payers that a server's owner has to look at. In: which list. Out: who is on it, and why. It changes nothing, and is
//! written down as a look at members' data.
//!
//! Who pays without a role, and who has one, is what [`explain`] says of each: many are read by few statements, and judged one by one.

use super::ActionError;
use crate::{
    clock,
    db::{
        authorized::Authorized,
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{
        activity::{Activity, ActivityEntry},
        explain::{
            Explanation, Facts, explain,
            lists::{Holding, Lacking, holdings, lacking},
        },
    },
    ids::UserId,
    store::{
        activity_log,
        mapped_roles::{self, MappedRole},
        member_facts,
        member_lists::{self, Double, Fee, MetadataKey, Page, Unlinked},
        stripe_connections,
    },
};

/// Members that are read at a time.
const CHUNK: usize = 500;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberList {
    /// Who pays and has no role, by cause.
    WithoutRole,
    /// Of these, who is not in the server: who left, and who is banned.
    NotInServer,
    /// Who has a role, by reason.
    WithRole,
    /// Who pays, and is no member that we know.
    Unlinked,
    /// Who is charged twice for one role.
    Double,
    /// Of whose payments a platform takes a part.
    Fees,
    /// Metadata keys at Stripe whose values look like Discord ids.
    Metadata,
}

impl MemberList {
    /// In the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::WithoutRole,
        Self::NotInServer,
        Self::WithRole,
        Self::Unlinked,
        Self::Double,
        Self::Fees,
        Self::Metadata,
    ];

    /// As the command line says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WithoutRole => "without-role",
            Self::NotInServer => "not-in-server",
            Self::WithRole => "with-role",
            Self::Unlinked => "unlinked",
            Self::Double => "double",
            Self::Fees => "fees",
            Self::Metadata => "metadata",
        }
    }
}

/// Who, or what, is on a list.
#[derive(Debug, Clone)]
pub enum Listed {
    WithoutRole(Vec<Lacking>),
    NotInServer(Vec<Lacking>),
    /// And what is mapped: of who had a role before that, only the number is known.
    WithRole(Vec<Holding>, Vec<MappedRole>),
    /// Who pays for what gives a role, and who for what gives none.
    Unlinked {
        mapped: Page<Unlinked>,
        other: Page<Unlinked>,
    },
    Double(Page<Double>),
    Fees(Page<Fee>),
    Metadata(Page<MetadataKey>),
}

/// `most`: rows of a list that our rows are themselves. Those that are judged are whole, so that their causes can be counted.
pub async fn list_members(
    pool: &Pool,
    by: &Authorized,
    list: MemberList,
    most: usize,
) -> Result<Listed, ActionError> {
    // As the login itself: see `explain`.
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        return Err(ActionError::UnknownGuild);
    }
    let listed = read(&mut tenant, list, i64::try_from(most).unwrap_or(i64::MAX)).await?;
    let entry = ActivityEntry { detail: Some(list.as_str().to_owned()), ..Activity::MembersListed.into() };
    activity_log::record(&mut tenant, entry).await?;
    tenant.commit().await?;
    Ok(listed)
}

async fn read(tenant: &mut Tenant, list: MemberList, most: i64) -> Result<Listed, sqlx::Error> {
    Ok(match list {
        MemberList::WithoutRole => Listed::WithoutRole(payers_without_a_role(tenant).await?),
        MemberList::NotInServer => {
            let mut without = payers_without_a_role(tenant).await?;
            without.retain(Lacking::is_not_in_server);
            Listed::NotInServer(without)
        }
        MemberList::WithRole => {
            let members = member_lists::holders(tenant).await?;
            let holders = judged(tenant, &members, holdings).await?;
            Listed::WithRole(holders, mapped_roles::list(tenant).await?)
        }
        MemberList::Unlinked => Listed::Unlinked {
            mapped: member_lists::unlinked(tenant, true, most).await?,
            other: member_lists::unlinked(tenant, false, most).await?,
        },
        MemberList::Double => Listed::Double(member_lists::double(tenant, most).await?),
        MemberList::Fees => Listed::Fees(member_lists::fees(tenant, most).await?),
        MemberList::Metadata => Listed::Metadata(member_lists::metadata_keys(tenant, most).await?),
    })
}

async fn payers_without_a_role(tenant: &mut Tenant) -> Result<Vec<Lacking>, sqlx::Error> {
    let members = member_lists::payers(tenant).await?;
    judged(tenant, &members, lacking).await
}

/// What an explanation of each of them comes to, in their order.
async fn judged<Line>(
    tenant: &mut Tenant,
    members: &[UserId],
    lines: fn(&Facts, &Explanation) -> Vec<Line>,
) -> Result<Vec<Line>, sqlx::Error> {
    let surroundings = member_facts::surroundings(tenant).await?;
    let mut found = Vec::new();
    for few in members.chunks(CHUNK) {
        for facts in member_facts::facts(tenant, &surroundings, few).await? {
            found.extend(lines(&facts, &explain(&facts, clock::now())));
        }
    }
    Ok(found)
}
