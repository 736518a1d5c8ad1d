//! Says where a connection's members manage or cancel what they pay for. In: the login page of its customer portal, as the owner pasted it.
//! Out: [`Pasted`].

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        billing::{
            page::PageUrl,
            portal::{self, NotALogin},
        },
    },
    store::{audit_log, stripe_connections, stripe_portals},
};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pasted {
    /// The guild has no such connection.
    Unknown,
    /// The address is none, or not this connection's; nothing is written.
    Refused {
        livemode: bool,
        why: NotALogin,
    },
    AlreadySo,
    /// Members are sent there, whatever Stripe says of another.
    Kept(PageUrl),
    /// Members are sent to the page that Stripe says, if it is known.
    Removed,
}

/// `endpoint_id`: the last part of the connection's webhook address; `link`: `None` removes what was pasted.
pub async fn paste(
    pool: &Pool,
    by: &Authorized,
    endpoint_id: &str,
    link: Option<&str>,
) -> Result<Pasted, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let all = stripe_connections::of_guild(&mut tenant).await?;
    let Some(found) = all.into_iter().find(|connection| connection.endpoint_id == endpoint_id) else {
        return Ok(Pasted::Unknown);
    };
    let (id, livemode) = (found.connection_id, found.livemode);
    let page = match link.map(|link| portal::pasted(link, livemode)).transpose() {
        Ok(page) => page,
        Err(why) => return Ok(Pasted::Refused { livemode, why }),
    };
    let before = stripe_portals::lock_pasted(&mut tenant, id).await?;
    let now = page.as_ref().map(PageUrl::as_str);
    if before.as_deref() == now {
        return Ok(Pasted::AlreadySo);
    }
    stripe_portals::paste(&mut tenant, id, page.as_ref()).await?;
    let change = Change::default().field("portal_url", before.as_deref(), now);
    let entry = AuditEntry::new(by.actor(), AuditAction::ConnectionSet, format!("connection {id}"));
    audit_log::record(&mut tenant, &entry.change(change)).await?;
    tenant.commit().await?;
    Ok(page.map_or(Pasted::Removed, Pasted::Kept))
}
