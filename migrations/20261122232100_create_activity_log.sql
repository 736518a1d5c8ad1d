-- What went on, for 90 days: commands, looks at a server's data, refusals. What was changed is in audit_log, and stays.
-- By days (UTC), so that forgetting a day is dropping a table.

CREATE TABLE activity_log (
    guild_id    BIGINT NOT NULL,
    at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    activity_id BIGINT GENERATED ALWAYS AS IDENTITY,
    actor       TEXT NOT NULL,                           -- 'member', 'operator', 'bot'
    action      TEXT NOT NULL,                           -- 'status.read', 'role.refused', …
    user_id     BIGINT,                                  -- who did it, or whom it was about
    detail      TEXT,                                    -- in words without personal data
    PRIMARY KEY (guild_id, at, activity_id)
) PARTITION BY RANGE (at);
-- Where a row goes whose day has no table of its own.
CREATE TABLE activity_log_default PARTITION OF activity_log DEFAULT;

-- Grants are on the whole only: nobody reaches a day past its row-level security.
ALTER TABLE activity_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON activity_log
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);
CREATE POLICY nobody_signs_for_another ON activity_log AS RESTRICTIVE FOR INSERT
    WITH CHECK (CASE current_user WHEN 'nexrole_bot' THEN actor IN ('bot', 'member')
                                  WHEN 'nexrole_operator' THEN actor = 'operator' ELSE true END);
GRANT INSERT (guild_id, actor, action, user_id, detail) ON activity_log TO nexrole_bot, nexrole_operator;
GRANT SELECT ON activity_log TO nexrole_operator;

-- Makes the tables of the next days, and drops those whose last moment is 90 days ago. Answers how many it dropped. The
-- retention role may call it and has no other right here; the number of days is not its to choose.
CREATE FUNCTION turn_activity_days() RETURNS INTEGER
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET timezone = 'UTC'
-- Waiting for a lock on the whole would hold up everybody who writes; an hour later is early enough.
SET lock_timeout = '500ms' AS $$
DECLARE
    kept    CONSTANT TIMESTAMPTZ := now() - interval '90 days';
    day     DATE;
    old     RECORD;
    dropped INTEGER := 0;
BEGIN
    -- Two at once would meet at the same name.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('turn_activity_days', 0)) THEN
        RETURN 0;
    END IF;
    FOR ahead IN 0..3 LOOP
        day := current_date + ahead;
        -- A day that began without a table stays in the default one.
        IF to_regclass(format('activity_log_%s', to_char(day, 'YYYYMMDD'))) IS NULL
           AND NOT EXISTS (SELECT FROM activity_log_default WHERE at >= day AND at < day + 1)
        THEN
            EXECUTE format('CREATE TABLE activity_log_%s PARTITION OF activity_log FOR VALUES FROM (%L) TO (%L)',
                           to_char(day, 'YYYYMMDD'), day, day + 1);
        END IF;
    END LOOP;
    FOR old IN
        SELECT c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') AS began
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'activity_log'::regclass AND c.relname ~ '^activity_log_[0-9]{8}$'
    LOOP
        IF old.began + 1 <= kept THEN
            EXECUTE format('DROP TABLE %I', old.relname);
            dropped := dropped + 1;
        ELSIF old.began < kept THEN
            EXECUTE format('DELETE FROM %I WHERE at < %L', old.relname, kept);
        END IF;
    END LOOP;
    DELETE FROM activity_log_default WHERE at < kept;
    RETURN dropped;
END $$;
REVOKE EXECUTE ON FUNCTION turn_activity_days() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION turn_activity_days() TO nexrole_retention;
SELECT turn_activity_days();

-- Forgets what is left of a member whom nothing ties to the transaction's tenant any more. Answers how many audit entries were
-- about them. What is open is not forgotten: a role that is still to be taken back would stay for ever. `anyway`: it may.
CREATE FUNCTION forget_member(member BIGINT, anyway BOOLEAN) RETURNS BIGINT
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
    IF NOT anyway
       AND (EXISTS (SELECT FROM member_links WHERE guild_id = tenant AND user_id = member)
            OR EXISTS (SELECT FROM role_grants WHERE guild_id = tenant AND user_id = member)
            OR EXISTS (SELECT FROM access_sources WHERE guild_id = tenant AND user_id = member AND state = 'live')
            OR EXISTS (SELECT FROM role_jobs WHERE guild_id = tenant AND user_id = member AND finished_at IS NULL))
    THEN
        RAISE EXCEPTION 'something still ties this member to the server';
    END IF;
    DELETE FROM role_jobs WHERE guild_id = tenant AND user_id = member;
    DELETE FROM role_grants WHERE guild_id = tenant AND user_id = member;
    GET DIAGNOSTICS left_behind = ROW_COUNT;
    DELETE FROM access_sources WHERE guild_id = tenant AND user_id = member;
    DELETE FROM member_links WHERE guild_id = tenant AND user_id = member;
    DELETE FROM activity_log WHERE guild_id = tenant AND user_id = member;
    UPDATE audit_log SET user_id = NULL, address = NULL, change = NULL, cause = 'erased'
     WHERE guild_id = tenant AND user_id = member;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    -- Here, so that nobody forgets in silence.
    INSERT INTO audit_log (guild_id, actor, action, cause)
    VALUES (tenant, 'operator', 'member.erased', format('a member was forgotten, with %s role(s) left at Discord', left_behind));
    RETURN forgotten;
END $$;
REVOKE EXECUTE ON FUNCTION forget_member(BIGINT, BOOLEAN) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_member(BIGINT, BOOLEAN) TO nexrole_operator;
-- Unlinking ends what the link gave.
GRANT UPDATE (state, evidence, changed_at) ON access_sources TO nexrole_operator;
