-- Whoever has a member forgotten signs for it: until now the function itself wrote who that was, whatever it was called by.

CREATE FUNCTION forget_member(member BIGINT, anyway BOOLEAN, signed_by TEXT) RETURNS BIGINT
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
    UPDATE audit_log SET user_id = NULL, address = NULL, change = NULL, cause = 'erased'
     WHERE guild_id = tenant AND user_id = member;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    -- Here, so that nobody forgets in silence.
    INSERT INTO audit_log (guild_id, actor, action, cause)
    VALUES (tenant, signed_by, 'member.erased', format('a member was forgotten, with %s role(s) left at Discord', left_behind));
    RETURN forgotten;
END $$;
REVOKE EXECUTE ON FUNCTION forget_member(BIGINT, BOOLEAN, TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_member(BIGINT, BOOLEAN, TEXT) TO nexrole_owner;

-- The release before calls this one, and is the operator's commands. To be dropped with the next release.
CREATE OR REPLACE FUNCTION forget_member(member BIGINT, anyway BOOLEAN) RETURNS BIGINT
LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT forget_member(member, anyway, 'operator') $$;
