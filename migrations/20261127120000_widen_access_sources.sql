-- A member may have a role for more reasons than a subscription: by somebody's word, by what was before us, by a seat of somebody
-- else's plan, and for a while only. And a Stripe object may be good until a time, and be read again then.
LOCK TABLE access_sources, stripe_sync IN ACCESS EXCLUSIVE MODE;

ALTER TABLE access_sources
    DROP CONSTRAINT access_sources_kind_check,
    ADD CONSTRAINT access_sources_kind_check CHECK (kind IN ('stripe', 'manual', 'import', 'seat')),
    -- When it ends by itself; NULL: it does not.
    ADD COLUMN valid_until TIMESTAMPTZ,
    -- Why it was given, in the words of whoever gave it; NULL: it was bought.
    ADD COLUMN reason TEXT,
    -- The Discord user who gave it; NULL: it was bought, or a person without one did.
    ADD COLUMN given_by BIGINT,
    -- What source_id is at Stripe; NULL: nothing. The default is for the release that knows subscriptions alone.
    ADD COLUMN stripe_object TEXT DEFAULT 'subscription' CHECK (stripe_object IN ('subscription'));

-- "Is there such a source?": what ON CONFLICT names. One key for sources with and without a connection, of the columns that the
-- primary key had, so that the release before this one finds it.
CREATE UNIQUE INDEX access_sources_key
    ON access_sources (guild_id, user_id, role_id, kind, connection_id, source_id) NULLS NOT DISTINCT;
ALTER TABLE access_sources
    DROP CONSTRAINT access_sources_pkey,
    ALTER COLUMN connection_id DROP NOT NULL,
    ADD CONSTRAINT access_sources_of_stripe
        CHECK ((kind = 'stripe') = (connection_id IS NOT NULL) AND (kind = 'stripe') = (stripe_object IS NOT NULL));

GRANT INSERT (stripe_object) ON access_sources TO nexrole_gateway;

-- dirty_seq is 0 as long as no hint is unanswered, so that next_at in the future may say "good until then".
GRANT SELECT (dirty_seq) ON stripe_sync TO nexrole_worker;

-- What a person gave to others stays, without the giver.
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
    UPDATE access_sources SET given_by = NULL WHERE guild_id = tenant AND given_by = member;
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
