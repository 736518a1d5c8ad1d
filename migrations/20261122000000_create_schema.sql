-- The first schema: Stripe events and objects in, role jobs and grants out.
--
-- Every tenant-owned table has guild_id first in its primary key: one index serves a tenant, row-level security
-- can be added without a rewrite, and a distributed Postgres can shard by it. Snowflakes are BIGINT (Discord ids
-- fit in 63 bits until the year 2154), times TIMESTAMPTZ, states TEXT with a CHECK.
-- No foreign keys from jobs or events to guilds: a KEY SHARE lock on a hot parent row would meet every insert.

-- One row per Discord server that uses us.
CREATE TABLE guilds (
    guild_id   BIGINT PRIMARY KEY,                       -- Discord guild id
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- One Stripe account in one mode, connected to exactly one guild.
CREATE TABLE stripe_connections (
    guild_id       BIGINT NOT NULL REFERENCES guilds,
    connection_id  BIGINT GENERATED ALWAYS AS IDENTITY,
    label          TEXT NOT NULL,                        -- 'environment' for the one that variables describe
    livemode       BOOLEAN NOT NULL,                     -- from the key's prefix; the other mode's events are ignored
    endpoint_id    TEXT NOT NULL UNIQUE CHECK (endpoint_id ~ '^[0-9a-f]{32}$'), -- 128 random bits of the webhook URL
    api_key        BYTEA,                                -- sealed restricted key; NULL: held by the environment, or none
    webhook_secrets BYTEA,                               -- sealed, comma-separated whsec_; NULL: held by the environment
    metadata_links BOOLEAN NOT NULL DEFAULT false,       -- may metadata.discord_user_id link a customer?
    state          TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disconnected')),
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, connection_id),
    UNIQUE (guild_id, livemode, label)
);

-- Deduplication and the log of what Stripe told us. Kept longer than Stripe's 30 days of resends.
CREATE TABLE stripe_events (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    event_id      TEXT NOT NULL,                         -- evt_…; unique only within a connection: its owner signs it
    type          TEXT NOT NULL,
    object_id     TEXT,                                  -- the object marked dirty; NULL: none of ours
    created       TIMESTAMPTZ,                           -- Stripe's; whole seconds, never used for ordering
    livemode      BOOLEAN NOT NULL,
    api_version   TEXT,
    received_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    state         TEXT NOT NULL CHECK (state IN ('recorded', 'processed', 'ignored')),
    PRIMARY KEY (guild_id, connection_id, event_id)
);
-- "Which recorded events does this read of the object answer?"; empty when all is done.
CREATE INDEX stripe_events_open ON stripe_events (guild_id, connection_id, object_id) WHERE state = 'recorded';

-- One row per Stripe object that was ever marked dirty: the queue of re-reads.
CREATE TABLE stripe_sync (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    object_kind   TEXT NOT NULL CHECK (object_kind IN ('customer', 'subscription')),
    object_id     TEXT NOT NULL,
    dirty_seq     BIGINT NOT NULL DEFAULT 1,             -- +1 per hint; a read is final only if it is unchanged
    next_at       TIMESTAMPTZ DEFAULT now(),             -- when to read; NULL: clean
    lease_owner   UUID,                                  -- fence: a fresh uuid per lease
    lease_until   TIMESTAMPTZ,                           -- others keep away until then
    attempts      INTEGER NOT NULL DEFAULT 0,            -- failed reads since the last good one
    last_error    TEXT,
    synced_at     TIMESTAMPTZ,
    PRIMARY KEY (guild_id, connection_id, object_kind, object_id)
) WITH (fillfactor = 70);
-- "What is to be read now?"
CREATE INDEX stripe_sync_due ON stripe_sync (next_at) WHERE next_at IS NOT NULL;

-- How far we have read Stripe's own list of events, which holds 30 days; and whether we have seen the whole state once.
CREATE TABLE stripe_cursors (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    last_event_id TEXT,                                  -- the newest event that was read; NULL: none yet
    listed_at     TIMESTAMPTZ,                           -- when all subscriptions were listed; NULL: to be done
    next_poll_at  TIMESTAMPTZ NOT NULL DEFAULT now(),    -- moved on by whoever takes the poll: its lease
    last_error    TEXT,
    PRIMARY KEY (guild_id, connection_id)
);

-- Mirror of Stripe's customers: only what we use. No e-mail address, no name.
CREATE TABLE customers (
    guild_id        BIGINT NOT NULL,
    connection_id   BIGINT NOT NULL,
    customer_id     TEXT NOT NULL,
    deleted         BOOLEAN NOT NULL DEFAULT false,
    synced_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, connection_id, customer_id)
);

-- Mirror of Stripe's subscriptions: only what we use.
CREATE TABLE subscriptions (
    guild_id             BIGINT NOT NULL,
    connection_id        BIGINT NOT NULL,
    subscription_id      TEXT NOT NULL,
    customer_id          TEXT NOT NULL,
    status               TEXT NOT NULL,                  -- Stripe's word, also one we do not know yet
    price_ids            TEXT[] NOT NULL,
    product_ids          TEXT[] NOT NULL,
    current_period_end   TIMESTAMPTZ,
    cancel_at_period_end BOOLEAN NOT NULL,
    synced_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, connection_id, subscription_id)
);
-- "Which subscriptions does a new link, or a changed customer, concern?"
CREATE INDEX subscriptions_of_customer ON subscriptions (guild_id, connection_id, customer_id);

-- What an owner sells: holding this price or product gives this role.
CREATE TABLE role_mappings (
    guild_id    BIGINT NOT NULL REFERENCES guilds,
    source_kind TEXT NOT NULL CHECK (source_kind IN ('price', 'product')),
    source_id   TEXT NOT NULL,                           -- price_… or prod_…
    role_id     BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, source_kind, source_id, role_id)
);

-- Which Discord user a Stripe customer is, and how that was proven. One user per customer and guild.
CREATE TABLE member_links (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    customer_id   TEXT NOT NULL,
    user_id       BIGINT NOT NULL,
    proof         TEXT NOT NULL CHECK (proof IN ('metadata', 'owner')),
    linked_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, connection_id, customer_id)
);
-- "Which purchases are this member's?"
CREATE INDEX member_links_of_user ON member_links (guild_id, user_id);

-- Why a member should have a role. Desired = at least one live source.
CREATE TABLE access_sources (
    guild_id   BIGINT NOT NULL,
    user_id    BIGINT NOT NULL,
    role_id    BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('stripe')),
    connection_id BIGINT NOT NULL,                       -- the connection the evidence came from
    source_id  TEXT NOT NULL,                            -- sub_…
    state      TEXT NOT NULL CHECK (state IN ('live', 'ended')),
    evidence   TEXT NOT NULL,                            -- what was read: 'sub_… is active'
    changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    looked_at  TIMESTAMPTZ NOT NULL DEFAULT now(),       -- when the role was last compared with Discord without a reason
    PRIMARY KEY (guild_id, user_id, role_id, kind, connection_id, source_id)
);
-- "Whom did nobody look at for long?"
CREATE INDEX access_sources_looked ON access_sources (looked_at) WHERE state = 'live';
-- "What did this subscription give, to whom?"
CREATE INDEX access_sources_of_source ON access_sources (guild_id, connection_id, source_id);

-- A wake-up with a reason: one insert, and one update when nothing goes wrong.
CREATE TABLE role_jobs (
    guild_id    BIGINT NOT NULL,
    job_id      BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id     BIGINT NOT NULL,
    role_id     BIGINT NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('grant', 'revoke', 'resync')),
    cause       TEXT NOT NULL,                           -- shown to people, and in Discord's audit log
    state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN
                ('pending', 'applied', 'noop', 'superseded', 'parked', 'held', 'discarded', 'failed')),
    due_at      TIMESTAMPTZ NOT NULL DEFAULT now(),      -- pending: when to try; parked: when to look again
    attempts    INTEGER NOT NULL DEFAULT 0,              -- failures of this job; being told to wait is none
    outcome     TEXT,                                    -- what happened last, in words
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at TIMESTAMPTZ,
    PRIMARY KEY (guild_id, job_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
-- The queue: the ring walk visits guilds by their oldest due job.
CREATE INDEX role_jobs_ring ON role_jobs (guild_id, due_at, job_id) WHERE state = 'pending';
-- "All pending jobs of this member": they are planned together.
CREATE INDEX role_jobs_member ON role_jobs (guild_id, user_id) WHERE state = 'pending';
-- "Which parked jobs are to be looked at again?"
CREATE INDEX role_jobs_parked ON role_jobs (due_at) WHERE state = 'parked';
-- "What waits for this role?" and, by its first column, "for this member?"
CREATE INDEX role_jobs_parked_role ON role_jobs (guild_id, role_id, job_id) WHERE state = 'parked';

-- Lease end and rate-limit pause in one column; written by bots only, so ingest never meets it.
-- open_at is not indexed: every update stays on its page (HOT).
CREATE TABLE guild_gates (
    guild_id BIGINT PRIMARY KEY REFERENCES guilds,
    open_at  TIMESTAMPTZ NOT NULL DEFAULT '-infinity',   -- nobody works on this guild before
    owner    UUID,                                       -- fence: a fresh uuid per lease
    away     BOOLEAN NOT NULL DEFAULT false              -- closed because the bot is not in the guild
) WITH (fillfactor = 50);

-- A role that Discord refuses to let us manage costs one probe an hour, not one call per job.
CREATE TABLE role_health (
    guild_id      BIGINT NOT NULL,
    role_id       BIGINT NOT NULL,
    parked_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    reason        TEXT NOT NULL,
    next_probe_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (guild_id, role_id)
);

-- What Discord holds because of us. `intended` is written before the call, so that after a crash a role that is
-- there can be told from one that a human gave.
CREATE TABLE role_grants (
    guild_id     BIGINT NOT NULL,
    user_id      BIGINT NOT NULL,
    role_id      BIGINT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('intended', 'confirmed')),
    intended_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    confirmed_at TIMESTAMPTZ,
    PRIMARY KEY (guild_id, user_id, role_id)
);

-- Append-only: written in the transaction it describes.
CREATE TABLE audit_log (
    guild_id BIGINT NOT NULL,
    audit_id BIGINT GENERATED ALWAYS AS IDENTITY,
    at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    actor    TEXT NOT NULL,                              -- 'stripe', 'bot', 'operator'
    action   TEXT NOT NULL,                              -- 'access.began', 'role.granted', …
    user_id  BIGINT,
    role_id  BIGINT,
    cause    TEXT NOT NULL,
    PRIMARY KEY (guild_id, audit_id)
);
-- "Why does she have this role?"
CREATE INDEX audit_log_of_member ON audit_log (guild_id, user_id, audit_id);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
