//! Ids of one tenant under another's capability. In: two furnished tenants. Out: nothing is told, nothing changed.
//!
//! The statements name their guild themselves, so this holds with row-level security switched off too; that row-level security
//! holds without them is `super::without_a_tenant_nobody_sees_a_row_and_nobody_writes_anothers`.

use std::{collections::BTreeSet, time::Duration};

use shared::crypto::token::Stored;
use shared::domain::stripe_object::{Object, ObjectKind};
use shared::{
    db::{
        authorized::Authorized,
        pg_roles::Login,
        tenant::{self, Tenant},
    },
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        billing::{
            catalogue::Catalogue,
            page::{LatestInvoice, PageUrl},
            payment::{PaidInvoice, PaymentFact},
            portal::PortalRead,
            purchase::{PurchaseFact, PurchaseStatus, SoldBeside},
            reversal::Reversal,
            subscription::{CustomerFact, Item, Items, SubscriptionFact, SubscriptionStatus},
        },
        claim_code,
        delivery::{
            breaker::Evidence,
            update::{Decision, GrantChange, GuildGate, RoleHealth, Settlement},
        },
        entitlement::{
            diff::{RoleEntitlement, Transition},
            given::Terms,
            mapping::Sold,
            policy::{Policy, Rule},
            source::SourceRef,
        },
        invitation::Payer,
        job::{JobAction, JobOrigin},
        mail::{MailKind, MailState},
        moving::Hands,
        notices::{
            NoticeKind,
            delivery::Settled,
            series::{NewNotice, Step},
        },
        reference::{Carried, ClientReference},
        roles::{
            by_hand::{Question, QuestionChange},
            enforcement::Enforcement,
            grant::{Grant, GrantState},
        },
        service_request::Service,
    },
    ids::{CheckoutSessionId, ConnectionId, CustomerId, NoticeId, RoleId, SubscriptionId, UserId},
    store::{
        access_given, access_sources, activity_log, audit_log, catalogue, claim_codes, claim_invitations,
        claim_progress, customer_hands, erasure, export, failures, follow_questions, guild_gates,
        guild_roles, guild_summary, link_tokens, linked_sources, mails, mapped_roles, member_facts,
        member_links::{self, Proof},
        member_lists,
        member_notices::{self, Taken},
        members, mirror_facts, payment_reversals, pending_members, plans, purchases, role_grants,
        role_health, role_holds, role_jobs, role_mappings, role_revokes, sealed,
        service_requests::{self, Reply},
        settle, stripe_answers,
        stripe_backfills::{self, Source, State},
        stripe_connections::{self, Connection},
        stripe_cursors, stripe_events,
        stripe_lists::{self, Turn},
        stripe_mirror, stripe_portals,
        stripe_sync::{self, Failure, Leased},
        trials, why,
    },
};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{TABLES, full, guild, lines};
use crate::support::cluster::Database;

/// The ids of one tenant, or of nobody.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ids {
    pub(super) connection: ConnectionId,
    customer: CustomerId,
    subscription: SubscriptionId,
    user: UserId,
    role: RoleId,
}

impl Ids {
    fn new(connection: ConnectionId, n: u64) -> Self {
        Self {
            connection,
            customer: format!("cus_{n}").parse().unwrap(),
            subscription: format!("sub_{n}").parse().unwrap(),
            user: UserId::from_u64(n).unwrap(),
            role: RoleId::from_u64(n + 1).unwrap(),
        }
    }

    /// Each id from here or there.
    fn mixed(&self, other: &Self, choice: u32) -> Self {
        let pick = |bit: u32| choice & (1 << bit) != 0;
        Self {
            connection: if pick(0) { other.connection } else { self.connection },
            customer: if pick(1) { other.customer.clone() } else { self.customer.clone() },
            subscription: if pick(2) { other.subscription.clone() } else { self.subscription.clone() },
            user: if pick(3) { other.user } else { self.user },
            role: if pick(4) { other.role } else { self.role },
        }
    }
}

/// One tenant with a connection, a mapping, a link, a subscription, a source, a job, a grant, …: a row in every table.
pub(super) async fn furnish(database: &Database, tenant: u64, n: u64) -> Ids {
    let mut db = database.tenant(guild(tenant)).await;
    stripe_connections::ensure_guild(&mut db).await.unwrap();
    let connection =
        stripe_connections::ensure(&mut db, Actor::Environment, "environment", false, Some(true))
            .await
            .unwrap();
    db.commit().await.unwrap();
    let ids = Ids::new(connection, n);
    for statement in [
        "INSERT INTO customers (guild_id, connection_id, customer_id) VALUES ($1, $2, $3)",
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids, product_ids,
             cancel_at_period_end) SELECT $1, $2, $4, $3, 'active', '{price_1}', '{prod_1}', false",
        "INSERT INTO purchases (guild_id, connection_id, session_id, customer_id, status, price_ids, product_ids, user_id,
             invoice_id) SELECT $1, $2, replace($4, 'sub', 'cs'), $3, 'paid', '{price_1}', '{prod_1}', $5, 'in_1'",
        "INSERT INTO payment_reversals (guild_id, connection_id, payment_intent_id, invoice_id, subscription_id, invoiced_at, refund,
             dispute, is_managed) SELECT $1, $2, 'pi_1', 'in_1', $4, now(), 'full', 'none', false",
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, stripe_object)
         SELECT $1, $5, $6, 'stripe', $2, replace($4, 'sub', 'cs'), 'live', 'x', 'checkout_session'",
        "INSERT INTO member_links (guild_id, connection_id, customer_id, user_id, proof) SELECT $1, $2, $3, $5, 'owner'",
        "INSERT INTO role_mappings (guild_id, source_kind, source_id, role_id) SELECT $1, 'price', 'price_1', $6",
        "INSERT INTO mapped_roles (guild_id, role_id, enforcement) SELECT $1, $6, 'on'",
        "INSERT INTO role_reads (guild_id, read_at) SELECT $1, now()",
        "INSERT INTO guild_roles (guild_id, role_id, danger) SELECT $1, $6, 'it gives Administrator'",
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
         SELECT $1, $5, $6, 'stripe', $2, $4, 'live', 'x'",
        "INSERT INTO role_grants (guild_id, user_id, role_id, state) SELECT $1, $5, $6, 'confirmed'",
        "INSERT INTO follow_questions (guild_id, user_id, role_id) SELECT $1, $5, $6",
        "INSERT INTO pending_members (guild_id, user_id) SELECT $1, $5",
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, state) SELECT $1, $5, $6, 'grant', 'x', 'parked'",
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, state) SELECT $1, $5, $6, 'revoke', 'x', 'held'",
        "INSERT INTO role_holds (guild_id, role_id, remind_at) SELECT $1, $6, now()",
        "INSERT INTO role_revokes (guild_id, role_id, user_id, is_confirmed) SELECT $1, $6, $5, true",
        "INSERT INTO role_health (guild_id, role_id, reason, next_probe_at) SELECT $1, $6, 'x', now()",
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id) SELECT $1, $2, 'subscription', $4",
        "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, object_id, livemode, state)
         SELECT $1, $2, 'evt_1', 'x', $4, false, 'recorded'",
        "INSERT INTO prices (guild_id, connection_id, price_id, product_id) SELECT $1, $2, 'price_1', 'prod_1'",
        "INSERT INTO stripe_cursors (guild_id, connection_id) SELECT $1, $2",
        "INSERT INTO stripe_list_pages (guild_id, connection_id, last_id, ids) SELECT $1, $2, $4, ARRAY[$4]",
        "INSERT INTO stripe_backfills (guild_id, connection_id, source, since, reads_lists) SELECT $1, $2, 'stripe', to_timestamp(0), false",
        "INSERT INTO payment_links (guild_id, connection_id, payment_link_id, url, price_ids) SELECT $1, $2, 'plink_1', 'x', '{price_1}'",
        "INSERT INTO audit_log (guild_id, actor, action, cause) SELECT $1, 'bot', 'x', 'x'",
        "INSERT INTO activity_log (guild_id, actor, action) SELECT $1, 'bot', 'x'",
        "INSERT INTO member_notices (guild_id, notice_id, user_id, connection_id, source_id, anchor, kind, role_ids, ends_at, due_at, next_at)
             OVERRIDING SYSTEM VALUE SELECT $1, $5, $5, $2, $4, to_timestamp(0), 'began', ARRAY[$6], now(), now(), to_timestamp(0)",
        "INSERT INTO mails (guild_id, mail_id, kind, recipient, arguments, next_at, expires_at)
         SELECT $1, ('00000000-0000-0000-0000-' || lpad(to_hex($5::bigint), 12, '0'))::uuid, 'claim_code', 'x', 'x', to_timestamp(0),
                now() + interval '1 hour'",
        "INSERT INTO claim_codes (guild_id, code_id, user_id, address_hash, code_hash, expires_at)
         SELECT $1, ('00000000-0000-0000-0000-' || lpad(to_hex($5::bigint), 12, '0'))::uuid, $5, repeat('a', 43), repeat('a', 43),
                now() + interval '1 hour'",
        "INSERT INTO customer_hands (guild_id, connection_id, customer_id, user_id, since, was_moved)
         SELECT $1, $2, $3, $5, to_timestamp(0), true",
        "INSERT INTO link_tokens (guild_id, prefix, hash, user_id, expires_at)
         SELECT $1, 'nx_ref_' || lpad($5::text, 8, '0'), sha256('x'), $5, now() + interval '1 hour'",
        "INSERT INTO claim_invitations (guild_id, connection_id, customer_id, invitation_id)
         SELECT $1, $2, $3, ('00000000-0000-0000-0000-' || lpad(to_hex($5::bigint), 12, '0'))::uuid",
        "INSERT INTO service_requests (guild_id, request_id, asked_by, kind, arguments, state, expires_at)
         SELECT $1, ('00000000-0000-0000-0000-' || lpad(to_hex($5::bigint), 12, '0'))::uuid, 'gateway', 'x', 'x', 'taken',
                now() + interval '1 hour'",
    ] {
        // Each takes the ids that it needs; the others are named, so that all statements have the same parameters.
        let all = format!("WITH ids AS (SELECT $1::bigint, $2::bigint, $3::text, $4::text, $5::bigint, $6::bigint) {statement}");
        sqlx::query(AssertSqlSafe(all))
            .bind(guild(tenant))
            .bind(ids.connection)
            .bind(&ids.customer)
            .bind(&ids.subscription)
            .bind(ids.user)
            .bind(ids.role)
            .execute(&database.pool)
            .await
            .expect(statement);
    }
    ids
}

/// A confirmed role is not there any more.
fn taken(user: UserId, role: RoleId) -> GrantChange {
    let (from, entries) = (Some(GrantState::Confirmed), &[AuditAction::RoleRevoked][..]);
    GrantChange { user, role, from, to: None, entries, cause: "x".into() }
}

/// Store functions that are tried.
const CALLS: u32 = 218;
/// The calls of `call` that are an owner's acts, the operator's, and the bot's; all others are the gateway's.
const OWNERS: [u32; 63] = [
    1, 12, 30, 31, 41, 43, 44, 45, 46, 47, 48, 49, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75,
    76, 77, 78, 80, 81, 82, 83, 85, 86, 91, 94, 107, 108, 112, 113, 114, 115, 116, 117, 132, 133, 134, 135,
    141, 148, 149, 150, 151, 172, 173, 174, 196, 204, 209, 213, 214, 215,
];
const OPERATORS: [u32; 26] = [
    11, 13, 32, 33, 34, 42, 110, 111, 145, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 163, 164, 165,
    166, 167, 168, 169,
];
const BOTS: [u32; 34] = [
    14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 37, 38, 39, 40, 50, 51, 56, 58, 59, 84, 104, 105, 106, 118, 129,
    130, 131, 136, 137, 138, 139, 140, 197, 198,
];

/// One store function, under somebody's capability, with ids from wherever. What it answered, as text.
async fn call(tenant: &mut Tenant, which: u32, ids: &Ids) -> String {
    let Ids { connection, customer, subscription, user, role } = ids.clone();
    let ours = tenant.guild();
    let request = Uuid::from_u128(user.get().into());
    let fence = Uuid::nil();
    let text = |refused: sqlx::Error| match refused.as_database_error() {
        Some(error) => format!("refused {}", error.code().unwrap_or_default()),
        None => refused.to_string(),
    };
    macro_rules! said {
        ($call:expr) => {
            $call.await.map_or_else(text, |answer| format!("{answer:?}"))
        };
    }
    // A lease that somebody else's object has.
    let leased = Leased {
        connection: Connection { guild: ours, id: connection },
        object: Object { kind: ObjectKind::Subscription, id: subscription.to_string() },
        origin: JobOrigin::Purchase,
        dirty_seq: 1,
        attempts: 0,
        missing: 0,
        owner: fence,
        since: shared::clock::now(),
    };
    let source = SourceRef::Subscription { connection, id: subscription.clone() };
    let mail = mails::Taken { guild: ours, id: request, until: shared::clock::Timestamp::UNIX_EPOCH };
    let hash = "a".repeat(43);
    let id = NoticeId::from_u64(user.get()).unwrap();
    let notice = Taken { guild: ours, id, until: shared::clock::Timestamp::UNIX_EPOCH };
    let session: CheckoutSessionId = subscription.as_str().replace("sub", "cs").parse().unwrap();
    let item = Item::new("price_1".parse().unwrap(), None, None);
    let paid = CustomerFact { id: customer.clone(), deleted: false, discord_user: None, id_keys: None };
    match which {
        0 => said!(member_links::linked_user(tenant, connection, &customer)),
        1 => said!(member_links::unlink(tenant, connection, &customer, Actor::Operator)),
        2 => said!(member_links::link(tenant, connection, &customer, user, Proof::Metadata)),
        3 => said!(access_sources::live(tenant, &source)),
        4 => said!(access_sources::live_of_kind(tenant, connection, ObjectKind::Subscription)),
        5 => said!(stripe_mirror::subscriptions_of(tenant, connection, &customer)),
        6 => said!(stripe_events::latest_open(tenant, connection, subscription.as_str())),
        7 => said!(stripe_events::mark_processed(tenant, connection, subscription.as_str())),
        8 => said!(stripe_cursors::reset(tenant, connection)),
        9 => said!(stripe_connections::endpoint_id(tenant, connection)),
        10 => said!(stripe_connections::credential(tenant, connection)),
        11 => said!(mapped_roles::preview(tenant, role)),
        12 => said!(mapped_roles::set(tenant, role, Enforcement::Observe)),
        // Whom it is about is what was asked.
        13 => said!(async {
            why::member_report(tenant, user).await.map(|mut report| {
                report.facts.member = UserId::from_u64(1).unwrap();
                report
            })
        }),
        14 => said!(members::recheck(tenant, user, JobOrigin::Join, "x")),
        15 => said!(role_health::release_role(tenant, role)),
        16 => said!(stripe_sync::mark_dirty(
            tenant,
            connection,
            ObjectKind::Customer,
            &[customer.to_string()],
            JobOrigin::Command
        )),
        17 => said!(role_grants::intend(tenant, fence, &[taken(user, role)])),
        18 => said!(guild_gates::release(tenant, fence, GuildGate::Paused(Duration::from_secs(9)))),
        19 => said!(role_jobs::enqueue(tenant, user, role, JobAction::Revoke, JobOrigin::Purchase, "x")),
        20 => {
            let grant = taken(user, role);
            let turn = Settlement {
                owner: fence,
                guild: GuildGate::Open,
                decisions: vec![Decision {
                    grant: Some(grant),
                    role: Some(RoleHealth::Works(role)),
                    ..Decision::default()
                }],
                called: vec![(user, role)],
                reached: true,
            };
            said!(settle::settle(tenant, &turn))
        }
        // The jobs' own ids, which the database makes, differ between two tries.
        21 => said!(async { role_jobs::due(tenant, 9, 0.0).await.map(|work| work.len()) }),
        22 => said!(mapped_roles::record_first_check(tenant, role, Enforcement::On, 3)),
        23 => said!(members::guild_available(tenant)),
        // It skips what the try before, which is being rolled back, has locked.
        24 => said!(async { members::sweep_guild(tenant).await.map(drop) }),
        25 => said!(stripe_sync::settle(tenant, &leased, Duration::ZERO)),
        26 => said!(stripe_sync::retry(tenant, &leased, Failure::Missing, Duration::ZERO, "x")),
        27 => said!(stripe_sync::give_back(tenant, &leased)),
        28 => said!(stripe_connections::disconnect_others(tenant, connection)),
        29 => {
            let end = Transition::End(RoleEntitlement { user, role });
            let (actor, origin) = (Actor::Stripe, JobOrigin::Purchase);
            let because =
                access_sources::Because { actor, origin, ended_by: None, evidence: "x", cause: "x" };
            said!(access_sources::apply(tenant, &source, end, because))
        }
        30 => said!(stripe_connections::seal(tenant, connection, Some(b"x"), None)),
        31 => said!(role_mappings::insert(tenant, &Sold::Price(item.price), role)),
        32 => said!(export::page(tenant, 0)),
        33 => said!(catalogue::offers(tenant)),
        34 => said!(sealed::of_tenant(tenant)),
        35 => {
            let read = Catalogue { prices: vec![], payment_links: vec![] };
            said!(catalogue::replace(tenant, connection, &read))
        }
        37 => said!(guild_roles::danger(tenant, role)),
        38 => said!(guild_roles::hint(tenant)),
        39 => {
            let judged = [(role, Some("x".to_owned()))].into_iter().collect();
            said!(guild_roles::write(tenant, &judged, Duration::ZERO, Duration::from_secs(9)))
        }
        40 => said!(guild_summary::summary(tenant)),
        41 => said!(erasure::ties(tenant, user, &[customer].into())),
        42 => said!(activity_log::last(tenant, 9)),
        43 => said!(stripe_connections::sealed(tenant, connection)),
        44 => said!(member_links::claims(tenant, user)),
        45 => said!(member_links::naming(tenant, user)),
        46 => said!(member_links::connections_of(tenant, &customer)),
        47 => said!(access_sources::end_unbacked(tenant, &customer, Actor::Operator)),
        48 => said!(member_links::forget_naming(tenant, user)),
        49 => said!(member_links::forget_named(tenant, connection, &customer)),
        50 => said!(member_links::disputes(tenant)),
        51 => said!(access_sources::unbacked(tenant)),
        52 => said!(member_links::may_follow(tenant, connection, &customer, user)),
        53 => said!(member_links::follow(tenant, connection, &customer, user, user)),
        54 => said!(stripe_mirror::missing(tenant, connection, subscription.as_str())),
        55 => said!(stripe_cursors::begin(tenant, connection)),
        56 => said!(role_grants::recheck_guild(tenant)),
        57 => {
            said!(service_requests::ask(tenant, request, Service::Gateway, "x", b"x", Duration::from_secs(9)))
        }
        // How much time is left differs between two tries.
        58 => said!(async { service_requests::taken(tenant, request).await.map(|taken| taken.is_some()) }),
        59 => said!(service_requests::reply(tenant, request, &Reply::Answer(b"x".to_vec()))),
        60 => said!(service_requests::standing(tenant, request)),
        61 => said!(service_requests::expire(tenant, request)),
        62 => said!(mapped_roles::lock(tenant, role)),
        63 => said!(role_jobs::enqueue_for_all(tenant, role, "x")),
        64 => said!(role_mappings::buyers(tenant, &Sold::Price(item.price))),
        65 => said!(erasure::end_access(tenant, user, Actor::Operator)),
        66 => said!(mapped_roles::ensure(tenant, role)),
        67 => said!(role_mappings::delete(tenant, &Sold::Price(item.price), role)),
        68 => said!(role_mappings::has(tenant, role)),
        69 => said!(mapped_roles::recheck(tenant, role)),
        70 => said!(mapped_roles::holders(tenant, role)),
        71 => said!(mapped_roles::forget_unused(tenant, role)),
        72 => {
            let (action, origin) = (JobAction::Revoke, JobOrigin::Bulk);
            said!(role_jobs::enqueue_each(tenant, &[user], role, action, origin, "x"))
        }
        73 => {
            let entry = AuditEntry::new(Actor::Operator, AuditAction::AccessEnded, "x");
            said!(audit_log::record_about(tenant, &entry, &[user]))
        }
        74 => said!(access_sources::end_unmapped(tenant, &Sold::Price(item.price), role, "x")),
        75 => said!(access_sources::is_due(tenant, user, role)),
        76 => said!(access_sources::count_live(tenant, connection)),
        77 => said!(role_grants::taken_at(tenant, user, role)),
        78 => said!(stripe_connections::disconnect(tenant, connection)),
        79 => said!(stripe_sync::read_again_at(tenant, &leased, shared::clock::Timestamp::UNIX_EPOCH)),
        80 => said!(access_given::lock_live(tenant, &[user], role, &SourceRef::by_hand())),
        81 => {
            let (terms, source) = (Terms { reason: None, until: None }, SourceRef::by_hand());
            let to = [user];
            let news = access_given::give(tenant, &to, role, &source, &terms, "x");
            said!(async { news.await.map(|to| to.len()) })
        }
        82 => said!(access_given::end(tenant, user, role, &SourceRef::by_hand(), "x")),
        83 => said!(access_given::reasons(tenant, user, role)),
        84 => said!(access_given::end_over(tenant, 9)),
        85 => said!(role_mappings::policy(tenant, &Sold::Price(item.price), role)),
        86 => {
            let strict = Policy { trialing: Rule::Remove, ..Policy::DEFAULT };
            said!(role_mappings::set_policy(tenant, &Sold::Price(item.price), role, strict))
        }
        87 => {
            let fact = PurchaseFact {
                id: session,
                customer: None,
                status: PurchaseStatus::Paid,
                items: Items::All(vec![item]),
                invoice: None,
                total: None,
                currency: None,
                paid_at: None,
                reversal: Reversal::NONE,
                discord_user: None,
                id_keys: Vec::new(),
            };
            // Whom it is told, it answers.
            said!(async {
                let named = purchases::record(tenant, connection, &fact, Some(user)).await?;
                Ok::<_, sqlx::Error>(named.is_some())
            })
        }
        88 => said!(purchases::missing(tenant, connection, session.as_str())),
        89 => said!(purchases::of_customer(tenant, connection, &customer)),
        90 => said!(access_sources::live_of_kind(tenant, connection, ObjectKind::CheckoutSession)),
        91 => said!(purchases::naming(tenant, user)),
        92 => {
            let created = shared::clock::Timestamp::UNIX_EPOCH;
            let id = "in_1".parse().unwrap();
            let fact = PaymentFact {
                id: "pi_1".parse().unwrap(),
                reversal: Reversal::NONE,
                is_managed: false,
                sessions: Vec::new(),
                invoices: vec![PaidInvoice { id, subscription, created }],
            };
            said!(payment_reversals::record(tenant, connection, &fact))
        }
        93 => said!(payment_reversals::of_subscription(tenant, connection, &subscription, None)),
        94 => said!(purchases::forget_named(tenant, connection, &customer)),
        95 => {
            let ids = [customer.to_string()];
            said!(stripe_sync::hint(tenant, connection, ObjectKind::Customer, &ids, JobOrigin::Purchase))
        }
        96 => {
            let (kind, id) = (ObjectKind::Subscription, subscription.as_str());
            let since = shared::clock::Timestamp::UNIX_EPOCH;
            said!(stripe_answers::is_answered_since(tenant, connection, kind, id, since, Duration::ZERO))
        }
        97 => said!(stripe_mirror::hold_customer(tenant, connection, &customer)),
        98 => said!(stripe_mirror::known_customer(tenant, connection, &customer)),
        99 => said!(stripe_cursors::set_other(tenant, connection, None)),
        100 => said!(stripe_cursors::retry_other(tenant, connection, Duration::ZERO, "x")),
        101 => said!(stripe_sync::settle_without_read(tenant, &leased)),
        102 => said!(member_notices::of_source(tenant, &source)),
        103 => {
            let (due_at, roles) = (shared::clock::Timestamp::UNIX_EPOCH, [role].into());
            let steps = [
                Step::Set { id: notice.id, due_at, ends_at: due_at, roles },
                Step::Cancel { id: notice.id, why: "x" },
                Step::Add(NewNotice {
                    user,
                    anchor: due_at,
                    kind: NoticeKind::Ended,
                    due_at,
                    ends_at: due_at,
                    roles: [role].into(),
                    cancelled: None,
                }),
            ];
            said!(member_notices::change(tenant, &source, &steps))
        }
        // What time it is differs between two tries.
        104 => said!(async { member_notices::open(tenant, &notice).await.map(|opened| opened.is_some()) }),
        105 => said!(member_notices::intend(tenant, &notice)),
        106 => said!(member_notices::settle(tenant, &notice, &Settled::Sent)),
        107 => said!(member_notices::lock_switch(tenant)),
        108 => said!(member_notices::switch(tenant, false)),
        109 => said!(trials::say_which_repeat(tenant, user)),
        110 => said!(follow_questions::open(tenant)),
        111 => said!(role_mappings::of_sold(tenant, &["price_1"], &["prod_1"])),
        112 => said!(follow_questions::lock(tenant, user, role)),
        113 => said!(follow_questions::lock_open(tenant, role)),
        114 => said!(follow_questions::answer(tenant, &[user], role, Question::Keep)),
        115 => said!(follow_questions::recheck(tenant, role, "x")),
        116 => said!(role_grants::has(tenant, user, role)),
        117 => said!(mapped_roles::enforcement(tenant, role)),
        // It closes what is open, and makes ours what is not ours yet.
        118 => {
            let row = Grant {
                state: GrantState::Confirmed,
                since: shared::clock::now(),
                absent_since: None,
                look_at: None,
                unseen: true,
                taken_at: None,
            };
            let adopted = GrantChange { from: None, to: Some(row), entries: &[], ..taken(user, role) };
            let closed = Some((user, role, QuestionChange::Close));
            let decision = Decision { grant: Some(adopted), question: closed, ..Decision::default() };
            let turn = Settlement {
                owner: fence,
                guild: GuildGate::Open,
                decisions: vec![decision],
                called: vec![],
                reached: true,
            };
            said!(settle::settle(tenant, &turn))
        }
        // When it was begun differs between two tries.
        119 => said!(async { stripe_lists::begin(tenant, connection).await.map(drop) }),
        120 => said!(stripe_lists::unlisted(tenant, connection)),
        121 => said!(stripe_lists::end(tenant, connection, Duration::ZERO)),
        122 => said!(stripe_lists::retry(tenant, connection, Duration::ZERO, "x")),
        123 => said!(stripe_lists::give_back(tenant, connection)),
        124 => {
            let began_at = Some(shared::clock::Timestamp::UNIX_EPOCH);
            let turn = Turn {
                connection: leased.connection,
                began_at,
                after: None,
                is_listed: false,
                since: leased.since,
            };
            said!(stripe_lists::turn(tenant, &turn, &[subscription.to_string()]))
        }
        125 => {
            let (objects, since) = ([leased.object].into(), shared::clock::Timestamp::UNIX_EPOCH);
            let leasing =
                stripe_sync::lease_listed(tenant, connection, &objects, fence, Duration::ZERO, since);
            said!(async { leasing.await.map(|leased| leased.len()) })
        }
        126 => said!(stripe_mirror::known_as(
            tenant,
            connection,
            &canceled(subscription, paid, item),
            None,
            None
        )),
        127 => said!(stripe_cursors::count_reads(tenant, connection, 1)),
        128 => said!(stripe_sync::wake(tenant, connection, Duration::ZERO)),
        129 => said!(pending_members::add(tenant, user)),
        130 => said!(pending_members::remove(tenant, user)),
        131 => said!(pending_members::clear(tenant)),
        132 => said!(role_holds::jobs(tenant, Some(role), Some(user))),
        133 => said!(role_holds::approve(tenant, Some(role), &[user], "x")),
        134 => said!(role_holds::discard(tenant, role, &[user], "x")),
        135 => said!(role_holds::end(tenant)),
        136 => said!(role_holds::begin(tenant, role)),
        137 => said!(role_holds::take_reminders(tenant)),
        138 => said!(role_revokes::known(tenant, user, role, Evidence::Confirmed)),
        139 => said!(role_revokes::count(tenant, user, role, Evidence::Confirmed)),
        140 => said!(role_grants::fence(tenant, fence)),
        141 => {
            let (source, since) = (Source::Stripe, shared::clock::Timestamp::UNIX_EPOCH);
            said!(stripe_backfills::order(tenant, connection, source, since, true))
        }
        142 => {
            let turn = stripe_backfills::Turn {
                connection: leased.connection,
                source: Source::Stripe,
                since: shared::clock::Timestamp::UNIX_EPOCH,
                reads_lists: false,
                state: State::Asked,
                asked_at: leased.since,
                after: None,
            };
            let step = stripe_backfills::Step { seen: 1, ..stripe_backfills::Step::default() };
            said!(stripe_backfills::step(tenant, &turn, &step, State::Done, Duration::ZERO))
        }
        143 => said!(stripe_backfills::retry(tenant, connection, Duration::ZERO, "x")),
        144 => said!(stripe_backfills::is_unread(tenant, connection)),
        145 => said!(stripe_backfills::of_guild(tenant)),
        146 => said!(stripe_lists::begin_whole(tenant, connection)),
        147 => {
            let (kind, since) = (ObjectKind::Subscription, shared::clock::Timestamp::UNIX_EPOCH);
            let times = (Duration::ZERO, Duration::ZERO);
            let ids = [subscription.to_string()];
            said!(stripe_sync::mark_unless_read_since(tenant, connection, kind, &ids, since, times))
        }
        148 => said!(role_health::probe_now(tenant, role)),
        149 => said!(member_notices::send_again(tenant, id)),
        150 => said!(stripe_cursors::poll_now(tenant, connection)),
        151 => said!(stripe_backfills::go_on_now(tenant, connection)),
        152 => said!(failures::reads(tenant)),
        153 => said!(failures::events(tenant)),
        154 => said!(failures::lists(tenant)),
        155 => said!(failures::jobs(tenant)),
        156 => said!(failures::notices(tenant)),
        157 => said!(mirror_facts::page(tenant, connection, None, 9)),
        158 => said!(mirror_facts::may_give(tenant, connection, &leased.object)),
        159 => said!(mirror_facts::subscription(tenant, connection, &subscription)),
        160 => said!(mirror_facts::purchase(tenant, connection, &session)),
        161 => said!(stripe_connections::metadata_links(tenant, connection)),
        162 => said!(stripe_sync::hold_if_read(tenant, connection, &leased.object)),
        // Whom it is about is what was asked.
        163 => said!(async {
            let surroundings = member_facts::surroundings(tenant).await?;
            let mut facts = member_facts::facts(tenant, &surroundings, &[user]).await?;
            facts.iter_mut().for_each(|facts| facts.member = UserId::from_u64(1).unwrap());
            Ok::<_, sqlx::Error>(facts)
        }),
        164 => said!(member_lists::payers(tenant)),
        165 => said!(member_lists::holders(tenant)),
        166 => said!(member_lists::unlinked(tenant, true, 9)),
        167 => said!(member_lists::double(tenant, 9)),
        168 => said!(member_lists::fees(tenant, 9)),
        169 => said!(member_lists::metadata_keys(tenant, 9)),
        170 => {
            let read = PortalRead::Page(PageUrl::parse("https://billing.example/p/login/x").unwrap());
            said!(stripe_portals::was_read(tenant, connection, &read, Duration::ZERO))
        }
        171 => said!(stripe_portals::retry(tenant, connection, Duration::ZERO)),
        172 => said!(stripe_portals::read_now(tenant, connection)),
        173 => said!(stripe_portals::lock_pasted(tenant, connection)),
        174 => {
            let page = PageUrl::parse("https://billing.example/p/login/y").unwrap();
            said!(stripe_portals::paste(tenant, connection, Some(&page)))
        }
        175 => said!(purchases::note(tenant, connection, &beside(session))),
        176 => said!(purchases::concerns_roles(tenant, connection, &beside(session))),
        177 => {
            said!(purchases::are_to_read(tenant, connection, &subscription, &SoldBeside::NotShown))
        }
        178 => said!(purchases::paid_by(tenant, connection, &[&"in_1".parse().unwrap()])),
        179 => {
            let object = Object { kind: ObjectKind::Subscription, id: subscription.to_string() };
            said!(stripe_answers::was_read_after_events(tenant, connection, &object, subscription.as_str()))
        }
        180 => said!(stripe_cursors::polled_other(tenant, connection)),
        181 => said!(async {
            // The time goes on between two calls.
            let month = stripe_cursors::month_of_reads(tenant, connection).await?;
            Ok::<_, sqlx::Error>(month.map(|month| (month.reads, month.granted)))
        }),
        182 => said!(claim_progress::of_member(tenant, user)),
        183 => said!(stripe_connections::of_mode(tenant, false)),
        184 => {
            let (kind, lives) = (MailKind::ClaimCode, Duration::from_secs(9));
            let new =
                mails::NewMail { id: request, kind, recipient: b"x", arguments: b"x", after: lives, lives };
            said!(mails::enqueue(tenant, new))
        }
        185 => said!(mails::cancel(tenant, &[request])),
        186 => said!(async { mails::open(tenant, &mail).await.map(|opened| opened.is_some()) }),
        187 => said!(mails::intend(tenant, &mail)),
        188 => said!(mails::settle(tenant, &mail, &mails::Settled::Close(MailState::Sent, None))),
        189 => said!(claim_codes::hold(tenant)),
        190 => said!(async { claim_codes::asked(tenant, user, &[hash]).await.map(|(asked, _)| asked) }),
        191 => said!(claim_codes::supersede(tenant, user, &[hash])),
        192 => said!(claim_codes::insert(tenant, request, user, (&hash, &hash), Duration::from_secs(9))),
        193 => said!(claim_codes::found(tenant, request, &[(connection, customer)])),
        194 => said!(async { claim_codes::lock(tenant, request, user).await.map(|kept| kept.is_some()) }),
        195 => said!(claim_codes::tried(tenant, request, claim_code::State::Used, false)),
        196 => said!(claim_codes::forget(tenant, user)),
        197 => said!(guild_gates::lease_this(tenant, request, Duration::from_secs(9))),
        199 => said!(link_tokens::hold(tenant, user)),
        200 => said!(link_tokens::made_lately(tenant, user)),
        201 => said!(async {
            let token = Stored { prefix: "nx_ref_abcdefgh".to_owned(), hash: vec![0; 32] };
            let inserted = link_tokens::insert(tenant, &token, user, Duration::from_secs(9)).await?;
            // Whom it is for is what was asked, and the time goes on between two tries.
            let found = link_tokens::find(tenant, &token.prefix).await?.is_some();
            Ok::<_, sqlx::Error>((inserted, found))
        }),
        202 => {
            let prefix = format!("nx_ref_{:08}", user.get());
            let carried = Carried { session, customer, reference: ClientReference::new("x") };
            said!(link_tokens::note(tenant, &prefix, connection, &carried))
        }
        203 => {
            let prefix = format!("nx_ref_{:08}", user.get());
            said!(link_tokens::use_up(tenant, &prefix, connection, &session, &customer))
        }
        204 => said!(link_tokens::forget(tenant, user)),
        205 => said!(plans::of_member(tenant, user)),
        213 => said!(async { claim_invitations::told(tenant).await.map(|(told, _)| told) }),
        214 => {
            let payer = Payer { connection, customer };
            said!(claim_invitations::invite(tenant, &payer, request))
        }
        215 => said!(claim_invitations::remind(tenant, request)),
        216 => said!(claim_invitations::wanted(tenant, request)),
        217 => said!(claim_invitations::stop(tenant, request)),
        198 => said!(async { role_jobs::of_member(tenant, user).await.map(|work| work.is_some()) }),
        // What time it is differs between two tries.
        206 => said!(async {
            let last = customer_hands::last(tenant, connection, &customer).await?;
            Ok::<_, sqlx::Error>(last.map(|(hands, _)| hands))
        }),
        207 => said!(async { customer_hands::of_member(tenant, user).await.map(|held| held.len()) }),
        208 => {
            let since = shared::clock::Timestamp::UNIX_EPOCH;
            let hands = Hands { user, since, was_moved: false };
            said!(customer_hands::keep(tenant, connection, &customer, hands))
        }
        209 => said!(customer_hands::let_go(tenant, connection, &customer)),
        210 => said!(linked_sources::of_customer(tenant, connection, &customer, user)),
        211 => said!(stripe_portals::of_member(tenant, user)),
        212 => said!(linked_sources::subscriptions_of(tenant, connection, &customer)),
        _ => {
            let fact = canceled(subscription, paid.clone(), item);
            said!(async {
                stripe_mirror::customer(tenant, connection, &paid, Some(user)).await?;
                stripe_mirror::subscription(tenant, connection, &fact, Some(user), shared::clock::now())
                    .await?;
                role_mappings::concerning(tenant, &fact.items, &[role].into()).await
            })
        }
    }
}

fn canceled(id: SubscriptionId, customer: CustomerFact, item: Item) -> SubscriptionFact {
    SubscriptionFact {
        id,
        customer,
        status: SubscriptionStatus::Canceled,
        pause: None,
        collection: None,
        unpaid_since: None,
        paid_since: None,
        never_paid: false,
        trial: None,
        items: Items::All(vec![item]),
        discounts: None,
        paid_invoice_at: None,
        latest_invoice: LatestInvoice::NotShown,
        is_managed: false,
        current_period_end: None,
        ends_at: None,
        discord_user: None,
        id_keys: Vec::new(),
        application_fee: None,
        collection_resumes_at: None,
    }
}

/// A number that the same seed gives again.
fn next(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*seed >> 33).unwrap()
}

/// Everything of one guild, as text.
pub(super) async fn belongings(db: &mut PgConnection, tenant: u64) -> String {
    let tables = lines(db, &format!("SELECT relname::text FROM pg_class WHERE {TABLES} ORDER BY 1")).await;
    let mut all = String::new();
    for table in tables {
        let rows = format!("SELECT t::text FROM {table} t WHERE guild_id = {tenant} ORDER BY 1");
        all.push_str(&lines(db, &rows).await.join("\n"));
    }
    all
}

/// What was sold in a session beside a subscription; nothing of it is mapped.
fn beside(session: CheckoutSessionId) -> PurchaseFact {
    PurchaseFact {
        id: session,
        customer: None,
        status: PurchaseStatus::Paid,
        items: Items::Some(Vec::new()),
        invoice: "in_1".parse().ok(),
        total: None,
        currency: None,
        paid_at: None,
        reversal: Reversal::NONE,
        discord_user: None,
        id_keys: Vec::new(),
    }
}

/// Foreign ids under a tenant's capability, against ids of nobody.
pub(super) async fn swap() {
    let swaps = if full() { 10_000 } else { 1_000 };
    let database = Database::create().await;
    let (ours, theirs) = (furnish(&database, 1, 1000).await, furnish(&database, 2, 2000).await);
    let nobody = connections_of_nobody(&database).await;
    let mut db = database.pool.acquire().await.unwrap();
    let before = belongings(&mut db, 2).await;
    let (gateway, bot, operator) =
        (database.login(Login::Gateway), database.login(Login::Bot), database.login(Login::Operator));
    let owner = Authorized::operator(&operator, guild(1)).unwrap();
    let begin = async |which: u32| {
        let pool = match which {
            _ if OWNERS.contains(&which) => return tenant::begin_as(&operator, &owner).await.unwrap(),
            _ if OPERATORS.contains(&which) => &operator,
            _ if BOTS.contains(&which) => &bot,
            _ => &gateway,
        };
        tenant::begin(pool, guild(1)).await.unwrap()
    };
    let mut seed = 20_261_122;
    let mut seen = BTreeSet::new();
    for n in 0..swaps {
        // At least one id is foreign.
        let (which, choice) = (n % CALLS, next(&mut seed) % 31 + 1);
        let mut answers = Vec::new();
        for ids in [ours.mixed(&theirs, choice), ours.mixed(&nobody, choice)] {
            // Not committed: each of the two finds the same.
            let mut tenant = begin(which).await;
            let answer = call(&mut tenant, which, &ids).await;
            drop(tenant);
            answers.push(answer);
        }
        assert_eq!(answers[0], answers[1], "call {which} with the mix {choice:b}");
        seen.insert(which);
    }
    assert_eq!(seen.len(), CALLS as usize, "every function was tried");
    // The same again, made durable: what theirs leave behind is ours.
    for n in 0..CALLS * 31 {
        let (which, choice) = (n % CALLS, n / CALLS + 1);
        let mut tenant = begin(which).await;
        let answer = call(&mut tenant, which, &ours.mixed(&theirs, choice)).await;
        if !answer.starts_with("refused") {
            tenant.commit().await.unwrap();
        }
    }
    assert_eq!(belongings(&mut db, 2).await, before, "nothing of theirs was changed");
    drop(db);
    database.remove().await;
}

/// Ids that no row has.
async fn connections_of_nobody(database: &Database) -> Ids {
    let id: ConnectionId =
        sqlx::query_scalar("SELECT 987654321::bigint").fetch_one(&database.pool).await.unwrap();
    Ids::new(id, 3000)
}
