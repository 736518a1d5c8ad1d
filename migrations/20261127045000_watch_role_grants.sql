-- What Discord says may be false for a moment. A grant is believed to be over when Discord showed it twice, or at a last look a
-- minute after it was taken; until then the row stays, and says when it is to be looked at.
LOCK TABLE role_jobs, role_grants, access_sources IN ACCESS EXCLUSIVE MODE;

-- 'ending': taken, or found gone; one more look is to show that it stays away.
ALTER TABLE role_grants DROP CONSTRAINT role_grants_state_check,
    ADD CONSTRAINT role_grants_state_check CHECK (state IN ('intended', 'confirmed', 'ending')),
    ADD COLUMN absent_since TIMESTAMPTZ,                 -- Discord showed then that member or role is not there, and nothing else since
    ADD COLUMN look_at      TIMESTAMPTZ,                 -- to be looked at again; before, nothing ending is taken, nothing given unasked
    ADD COLUMN unseen       BOOLEAN NOT NULL DEFAULT false, -- no look has shown it since our call, which may be repeated once
    ADD COLUMN taken_at     TIMESTAMPTZ;                 -- found gone then, though the member had not left and we had not taken it

-- "Which rows are to be looked at?"
CREATE INDEX role_grants_look ON role_grants (look_at) WHERE look_at IS NOT NULL;

GRANT INSERT (intended_at, confirmed_at, absent_since, look_at, unseen, taken_at),
      UPDATE (intended_at, absent_since, look_at, unseen, taken_at) ON role_grants TO nexrole_bot;
GRANT SELECT (user_id, state, look_at) ON role_grants TO nexrole_worker;

-- Rows that nothing explains any more are looked at once.
ALTER TABLE role_grants NO FORCE ROW LEVEL SECURITY;
ALTER TABLE access_sources NO FORCE ROW LEVEL SECURITY;
ALTER TABLE role_jobs NO FORCE ROW LEVEL SECURITY;
UPDATE role_grants g SET look_at = now()
 WHERE NOT EXISTS (SELECT FROM access_sources s
                    WHERE (s.guild_id, s.user_id, s.role_id) = (g.guild_id, g.user_id, g.role_id) AND s.state = 'live')
   AND NOT EXISTS (SELECT FROM role_jobs j
                    WHERE (j.guild_id, j.user_id, j.role_id) = (g.guild_id, g.user_id, g.role_id) AND j.finished_at IS NULL);
ALTER TABLE role_jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE access_sources FORCE ROW LEVEL SECURITY;
ALTER TABLE role_grants FORCE ROW LEVEL SECURITY;

-- A role that was taken ties nobody: the last look at it is only to make sure.
CREATE OR REPLACE FUNCTION forget_member(member BIGINT, anyway BOOLEAN) RETURNS BIGINT
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
