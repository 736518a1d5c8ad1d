//! Has those who pay and are linked to nobody told by mail how to claim. In: the owner's word, and whether to remind, too. Out: [`Plan`], as it
//! would be or was carried out. Whether there is an address is found out when a mail's turn comes.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use super::{ActionError, SealingError, begin_known};
use crate::{
    crypto::{CryptoError, Keyring},
    db::{authorized::Authorized, pool::Pool, tenant::Tenant},
    domain::{
        audit::{AuditAction, AuditEntry},
        invitation::{APART, LIVES, Payer, Plan, plan},
        mail::{Invitation, MailKind},
    },
    ids::GuildId,
    store::{audit_log, claim_invitations, mails, member_lists},
};

/// What would be done.
pub async fn preview(pool: &Pool, by: &Authorized, reminds: bool) -> Result<Plan, ActionError> {
    Ok(planned(&mut begin_known(pool, by).await?, reminds).await?)
}

/// Does it. `keyring`: as the gateway has it.
pub async fn invite_payers(
    pool: &Pool,
    keyring: &Keyring,
    by: &Authorized,
    reminds: bool,
) -> Result<Plan, SealingError> {
    let mut tenant = begin_known(pool, by).await?;
    let mut planned = planned(&mut tenant, reminds).await?;
    let mut written = 0;
    let mut invited = Vec::new();
    for payer in planned.invite {
        let id = Uuid::new_v4();
        if claim_invitations::invite(&mut tenant, &payer, id).await? {
            enqueue(&mut tenant, keyring, id, false, APART.saturating_mul(written)).await?;
            written += 1;
            invited.push(payer);
        }
    }
    planned.invite = invited;
    let mut reminded = Vec::new();
    for (payer, id) in planned.remind {
        if claim_invitations::remind(&mut tenant, id).await? {
            enqueue(&mut tenant, keyring, id, true, APART.saturating_mul(written)).await?;
            written += 1;
            reminded.push((payer, id));
        }
    }
    planned.remind = reminded;
    if written > 0 {
        let cause = format!("{} invited, {} reminded", planned.invite.len(), planned.remind.len());
        audit_log::record(&mut tenant, &AuditEntry::new(by.actor(), AuditAction::PayersInvited, cause))
            .await?;
    }
    tenant.commit().await?;
    Ok(planned)
}

async fn planned(tenant: &mut Tenant, reminds: bool) -> Result<Plan, sqlx::Error> {
    let unlinked = member_lists::unlinked(tenant, true, i64::MAX).await?;
    let payers: BTreeSet<Payer> = unlinked
        .rows
        .into_iter()
        // What a guest bought has no customer, and Stripe no address of them to give.
        .filter_map(|row| {
            Some(Payer { connection: row.connection_id, customer: row.customer_id?.parse().ok()? })
        })
        .collect();
    let (told, now) = claim_invitations::told(tenant).await?;
    Ok(plan(payers, &told, reminds, now))
}

async fn enqueue(
    tenant: &mut Tenant,
    keyring: &Keyring,
    invitation: Uuid,
    is_reminder: bool,
    after: Duration,
) -> Result<(), SealingError> {
    let (guild, id) = (tenant.guild(), Uuid::new_v4());
    let recipient = keyring.seal(&mails::place(guild, id, "recipient"), invitation.to_string().as_bytes())?;
    let arguments =
        serde_json::to_vec(&Invitation { invitation, is_reminder }).map_err(|_| CryptoError::Seal)?;
    let arguments = keyring.seal(&mails::place(guild, id, "arguments"), &arguments)?;
    let (kind, lives) = (MailKind::Invitation, LIVES);
    mails::enqueue(
        tenant,
        mails::NewMail { id, kind, recipient: &recipient, arguments: &arguments, after, lives },
    )
    .await?;
    Ok(())
}

/// What stands in the link by which somebody wants no more: it follows from the invitation and a key that the database does not have.
pub fn stop_secret(keyring: &Keyring, guild: GuildId, invitation: Uuid) -> Option<String> {
    keyring.keyed_hashes(STOP, &material(guild, invitation)).into_iter().next()
}

/// Whether it is that of this invitation, under any key.
pub fn is_stop_secret(keyring: &Keyring, guild: GuildId, invitation: Uuid, secret: &str) -> bool {
    keyring.is_keyed_hash(STOP, &material(guild, invitation), secret)
}

const STOP: &str = "claim_invitations/stop";

fn material(guild: GuildId, invitation: Uuid) -> Vec<u8> {
    [guild.to_string().as_bytes(), b"/", invitation.as_bytes()].concat()
}
