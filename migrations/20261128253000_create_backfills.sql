-- Who was away for longer than Stripe retries, or restored a backup, has what happened since then read again; and what was derived wrongly,
-- derived again from what was read. The operator orders it, the gateway does it, a page at a time: how far it is, is here, so that a
-- restart goes on. What has failed is made due at once in the same way: by a word of the operator's.

-- In the order in which a turn and a read take them: see README.md.
LOCK TABLE member_notices, stripe_connections IN ACCESS EXCLUSIVE MODE;

-- One for each connection: the last that was ordered.
CREATE TABLE stripe_backfills (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    source        TEXT NOT NULL CHECK (source IN ('stripe', 'mirror')), -- whether Stripe is asked, or what was read of it derived again
    since         TIMESTAMPTZ NOT NULL,                   -- what happened from then on; of 'mirror' when it was ordered
    reads_lists   BOOLEAN NOT NULL,                       -- Stripe's events do not go back so far: its lists are read, too
    state         TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'looking', 'reading', 'done')),
    asked_at      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    next_at       TIMESTAMPTZ DEFAULT now(),              -- when the next step is due; moved on by whoever takes it: its lease. NULL: done
    after         TEXT,                                   -- the last event, or row of ours, that was looked at; NULL: none was
    seen          INTEGER NOT NULL DEFAULT 0,             -- how many were
    back_to       TIMESTAMPTZ,                            -- when the oldest event was made that was seen
    to_read       INTEGER NOT NULL DEFAULT 0,             -- objects that are read from Stripe again because of it
    derived       INTEGER NOT NULL DEFAULT 0,             -- of 'mirror': rows that gave something else than was written down
    ended_at      TIMESTAMPTZ,
    error         TEXT,                                   -- why the next step could not be taken; NULL: it could, or was not tried
    failing_since TIMESTAMPTZ,
    PRIMARY KEY (guild_id, connection_id),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections
);
-- "Whose next step is due?"
CREATE INDEX stripe_backfills_due ON stripe_backfills (next_at) WHERE next_at IS NOT NULL;

ALTER TABLE stripe_backfills ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON stripe_backfills
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

GRANT SELECT, UPDATE (reads_lists, state, next_at, after, seen, back_to, to_read, derived, ended_at, error, failing_since)
    ON stripe_backfills TO nexrole_gateway;
GRANT SELECT (guild_id, connection_id, source, since, reads_lists, state, asked_at, next_at, after), UPDATE (next_at)
    ON stripe_backfills TO nexrole_ingest;
CREATE POLICY ingest_takes_steps ON stripe_backfills TO nexrole_ingest
    USING (CASE current_user WHEN 'nexrole_ingest' THEN true ELSE false END);
GRANT SELECT ON stripe_backfills TO nexrole_operator;
GRANT SELECT, INSERT (guild_id, connection_id, source, since, reads_lists),
      UPDATE (source, since, reads_lists, state, asked_at, next_at, after, seen, back_to, to_read, derived, ended_at, error, failing_since)
    ON stripe_backfills TO nexrole_owner;

-- What has failed is due at once. Reads and jobs an owner makes already.
GRANT SELECT (guild_id, connection_id, next_poll_at, list_next_at), UPDATE (next_poll_at, list_next_at) ON stripe_cursors TO nexrole_owner;
GRANT SELECT (guild_id, role_id, next_probe_at), UPDATE (next_probe_at) ON role_health TO nexrole_owner;
-- A notice that Discord may have is sent by nobody's word: one that it refused at the first try it has not.
GRANT SELECT (guild_id, notice_id, user_id, connection_id, source_id, anchor, state, next_at, tried_at, attempts, outcome, finished_at),
      UPDATE (state, next_at, tried_at, outcome, finished_at) ON member_notices TO nexrole_owner;
CREATE POLICY owner_retries_what_was_not_sent ON member_notices AS RESTRICTIVE FOR UPDATE
    USING (CASE current_user WHEN 'nexrole_owner'
                             THEN state = 'pending' AND tried_at IS NULL OR state = 'undeliverable' AND attempts = 0 ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_owner' THEN state = 'pending' AND tried_at IS NULL ELSE true END);
