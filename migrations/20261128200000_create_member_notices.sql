-- A member is told of a payment that failed while it does not cost them their role yet: when that begins, in the middle, on the last
-- day, and how it ended. The gateway writes what is to be told with the access that it changes; the bot sends it.
-- stripe_connections, since the table refers to it.
LOCK TABLE stripe_connections IN ACCESS EXCLUSIVE MODE;

CREATE TABLE member_notices (
    guild_id      BIGINT NOT NULL,
    notice_id     BIGINT GENERATED ALWAYS AS IDENTITY,   -- also the nonce of the message: Discord takes it once
    user_id       BIGINT NOT NULL,                       -- who is told
    connection_id BIGINT NOT NULL,                       -- the connection of the subscription
    source_id     TEXT NOT NULL,                         -- sub_…
    anchor        TIMESTAMPTZ NOT NULL,                  -- the first failure of the invoice: what a series has in common
    kind          TEXT NOT NULL CHECK (kind IN ('began', 'halfway', 'last_day', 'ended', 'restored')),
    role_ids      BIGINT[] NOT NULL,                     -- the roles that it is about
    ends_at       TIMESTAMPTZ NOT NULL,                  -- when they end unless the payment comes
    due_at        TIMESTAMPTZ NOT NULL,                  -- when it is to be sent
    state         TEXT NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'sent', 'unsure', 'undeliverable', 'skipped', 'cancelled')),
    next_at       TIMESTAMPTZ,                           -- when to try; moved on by whoever takes it: its lease. NULL: it is done
    attempts      INTEGER NOT NULL DEFAULT 0,            -- that failed; being told to wait is none
    tried_at      TIMESTAMPTZ,                           -- since when Discord may have it; NULL: it has not, or said that it took it not
    sent_at       TIMESTAMPTZ,                           -- when Discord took it, or may have
    outcome       TEXT,                                  -- why it was not sent, or not yet; in words without personal data
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at   TIMESTAMPTZ,                           -- NULL: it is to be sent
    PRIMARY KEY (guild_id, notice_id),
    -- A read of the same failure, however often, tells nothing twice. "What is this member told?"
    UNIQUE (guild_id, user_id, connection_id, source_id, anchor, kind),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections,
    CHECK ((state = 'pending') = (next_at IS NOT NULL) AND (state = 'pending') = (finished_at IS NULL))
);
-- "What is told of this subscription?"
CREATE INDEX member_notices_of_source ON member_notices (guild_id, connection_id, source_id);
-- "What is to be sent now?"
CREATE INDEX member_notices_due ON member_notices (next_at) WHERE state = 'pending';
-- "What is older than 90 days?"
CREATE INDEX member_notices_finished ON member_notices USING brin (finished_at);

ALTER TABLE member_notices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON member_notices
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- The gateway plans and cancels.
GRANT SELECT, INSERT (guild_id, user_id, connection_id, source_id, anchor, kind, role_ids, ends_at, due_at, state, next_at, outcome,
                      finished_at),
      UPDATE (role_ids, ends_at, due_at, state, next_at, outcome, finished_at)
    ON member_notices TO nexrole_gateway;
-- The bot sends, and makes none.
GRANT SELECT, UPDATE (state, next_at, attempts, tried_at, sent_at, outcome, finished_at) ON member_notices TO nexrole_bot;
-- Across tenants it finds what is due, and sees nobody.
GRANT SELECT (guild_id, notice_id, state, next_at), UPDATE (next_at) ON member_notices TO nexrole_worker;
CREATE POLICY worker_takes_due ON member_notices TO nexrole_worker
    USING (CASE current_user WHEN 'nexrole_worker' THEN state = 'pending' ELSE false END);
-- `nexrole why`.
GRANT SELECT ON member_notices TO nexrole_operator;

-- 90 days after the role has ended or would have: shared/src/store/retention.rs. Not before, or a read of a payment that is still due
-- would have it told again.
GRANT SELECT (ctid, state, finished_at, ends_at), UPDATE (finished_at), DELETE ON member_notices TO nexrole_retention;
CREATE POLICY retention_sweeps ON member_notices TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON member_notices AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention'
                             THEN finished_at < now() - interval '90 days' AND ends_at < now() - interval '90 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);

-- Who is forgotten is told nothing any more, and nobody sees what they were told.
CREATE OR REPLACE FUNCTION forget_member(member BIGINT, anyway BOOLEAN, signed_by TEXT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    tenant CONSTANT BIGINT := nullif(current_setting('nexrole.guild', true), '')::bigint;
    left_behind BIGINT;
    forgotten BIGINT;
BEGIN
    IF tenant IS NULL OR member IS NULL OR anyway IS NULL THEN
        RAISE EXCEPTION 'forget_member needs a tenant and a member';
    END IF;
    -- It runs as the owner, whom the policy nobody_signs_for_another lets sign for anybody: what that says of nexrole_owner is
    -- said here again, and is to be changed with it.
    IF signed_by IS DISTINCT FROM 'operator' THEN
        RAISE EXCEPTION 'nobody signs for another' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT anyway
       AND (EXISTS (SELECT FROM member_links WHERE guild_id = tenant AND user_id = member)
            OR EXISTS (SELECT FROM role_grants WHERE guild_id = tenant AND user_id = member AND state <> 'ending')
            OR EXISTS (SELECT FROM access_sources WHERE guild_id = tenant AND user_id = member AND state = 'live')
            OR EXISTS (SELECT FROM role_jobs WHERE guild_id = tenant AND user_id = member AND finished_at IS NULL
                       AND origin <> 'recheck'))
    THEN
        RAISE EXCEPTION 'something still ties this member to the server';
    END IF;
    DELETE FROM role_jobs WHERE guild_id = tenant AND user_id = member;
    DELETE FROM role_grants WHERE guild_id = tenant AND user_id = member AND state = 'ending';
    DELETE FROM role_grants WHERE guild_id = tenant AND user_id = member;
    GET DIAGNOSTICS left_behind = ROW_COUNT;
    DELETE FROM access_sources WHERE guild_id = tenant AND user_id = member;
    UPDATE access_sources SET given_by = NULL WHERE guild_id = tenant AND given_by = member;
    DELETE FROM member_links WHERE guild_id = tenant AND user_id = member;
    DELETE FROM activity_log WHERE guild_id = tenant AND user_id = member;
    DELETE FROM member_notices WHERE guild_id = tenant AND user_id = member;
    UPDATE audit_log SET user_id = NULL, address = NULL, change = NULL, cause = 'erased'
     WHERE guild_id = tenant AND user_id = member;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    -- Here, so that nobody forgets in silence.
    INSERT INTO audit_log (guild_id, actor, action, cause)
    VALUES (tenant, signed_by, 'member.erased', format('a member was forgotten, with %s role(s) left at Discord', left_behind));
    RETURN forgotten;
END $$;
