-- Stripe lists 100 subscriptions a page, and grants an account 10,000 reads a month for sure. So first contact, what follows an outage,
-- and a check once a day read the list, and apply what its pages show, instead of reading each subscription by itself. How far
-- a list was read is here, so that it is read on after a restart.
LOCK TABLE stripe_sync, stripe_cursors, stripe_connections IN ACCESS EXCLUSIVE MODE;

ALTER TABLE stripe_cursors
    -- When the next page, or the next list, is due; moved on by whoever takes it: its lease. Connections that are there already begin
    -- one after another.
    ADD COLUMN list_next_at       TIMESTAMPTZ NOT NULL DEFAULT now() + random() * interval '1 day',
    ADD COLUMN list_began_at      TIMESTAMPTZ,            -- since when a list is being read; NULL: none is
    ADD COLUMN list_after         TEXT,                   -- the last subscription of the page that was read last; NULL: none was
    ADD COLUMN list_seen          INTEGER NOT NULL DEFAULT 0, -- how many it has shown so far
    ADD COLUMN list_expected      INTEGER,                -- how many we knew when it began; NULL: none
    ADD COLUMN list_error         TEXT,                   -- why the next page could not be read; NULL: it could, or was not tried
    ADD COLUMN list_failing_since TIMESTAMPTZ,
    ADD COLUMN reads_month        DATE,                   -- the first day of the month that `reads` is of, in UTC; NULL: none yet
    ADD COLUMN reads              INTEGER NOT NULL DEFAULT 0; -- reads of Stripe's API in that month, written about once a minute

-- The pages of a list that is being read: what it has shown. What it has not shown when it ends is read by itself.
CREATE TABLE stripe_list_pages (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    last_id       TEXT NOT NULL,                          -- the page's last subscription; a list that turns in a circle has it twice
    ids           TEXT[] NOT NULL,                        -- its subscriptions
    PRIMARY KEY (guild_id, connection_id, last_id),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections
);
ALTER TABLE stripe_list_pages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON stripe_list_pages
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

GRANT SELECT, INSERT (guild_id, connection_id, last_id, ids), DELETE ON stripe_list_pages TO nexrole_gateway;
GRANT UPDATE (list_next_at, list_began_at, list_after, list_seen, list_expected, list_error, list_failing_since, reads_month, reads)
    ON stripe_cursors TO nexrole_gateway;
GRANT SELECT (list_next_at, list_began_at, list_after), UPDATE (list_next_at) ON stripe_cursors TO nexrole_ingest;
-- An object that a list shows is leased while that is applied, though nothing hinted at it.
GRANT INSERT (dirty_seq, lease_owner, lease_until) ON stripe_sync TO nexrole_gateway;
-- `nexrole connections` and `nexrole doctor`.
GRANT SELECT (guild_id, connection_id, listed_at, list_began_at, list_seen, list_expected, list_error, reads_month, reads)
    ON stripe_cursors TO nexrole_operator;
CREATE POLICY operator_without_a_tenant ON stripe_cursors FOR SELECT TO nexrole_operator
    USING (CASE current_user WHEN 'nexrole_operator' THEN nullif(current_setting('nexrole.guild', true), '') IS NULL
                             ELSE false END);
