-- What an owner's act may write: mappings, links, connections, whom to forget. One role for all who may act for an owner, whatever
-- they came through: today the operator's commands. nexrole_operator keeps what it has: the release before writes with it.

DO $$
BEGIN
    IF to_regrole('nexrole_owner') IS NULL THEN
        RAISE EXCEPTION 'the database role nexrole_owner is missing: migrate with `nexrole migrate`, which makes it';
    END IF;
END $$;

-- All at once, and in the order in which a turn locks them: see README.md.
LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE;

GRANT USAGE ON SCHEMA public TO nexrole_owner;
-- "Is the schema up to date?"
GRANT SELECT ON _sqlx_migrations TO nexrole_owner;

-- Whoever introduces a guild makes its gate with it.
GRANT SELECT, INSERT (guild_id) ON guilds TO nexrole_owner;
GRANT INSERT (guild_id) ON guild_gates TO nexrole_owner;

-- What gives which role.
GRANT SELECT, INSERT (guild_id, source_kind, source_id, role_id), DELETE ON role_mappings TO nexrole_owner;
GRANT SELECT, INSERT (guild_id, role_id), UPDATE (enforcement, holders, look_at), DELETE ON mapped_roles TO nexrole_owner;
-- May it be given, and is it there?
GRANT SELECT ON guild_roles, role_reads TO nexrole_owner;

-- Who is whom.
GRANT SELECT, INSERT (guild_id, connection_id, customer_id, user_id, proof), DELETE ON member_links TO nexrole_owner;
GRANT SELECT, UPDATE (named_user_id) ON customers TO nexrole_owner;
GRANT SELECT, UPDATE (user_id) ON subscriptions TO nexrole_owner;

-- What follows from either: what Stripe has is read again, access ends, the bot is woken.
GRANT SELECT, INSERT (guild_id, connection_id, object_kind, object_id, next_at, origin), UPDATE (dirty_seq, next_at, origin)
    ON stripe_sync TO nexrole_owner;
GRANT SELECT, UPDATE (state, evidence, changed_at) ON access_sources TO nexrole_owner;
GRANT SELECT ON role_grants TO nexrole_owner;
GRANT SELECT, INSERT (guild_id, user_id, role_id, action, origin, cause) ON role_jobs TO nexrole_owner;

-- Stripe accounts.
GRANT SELECT, INSERT (guild_id, label, livemode, endpoint_id, metadata_links),
      UPDATE (api_key, webhook_secrets, metadata_links, state)
    ON stripe_connections TO nexrole_owner;
GRANT INSERT (guild_id, connection_id) ON stripe_cursors TO nexrole_owner;

-- Append-only; it need not read it. Nobody writes history in another's name.
GRANT INSERT (guild_id, actor, action, user_id, role_id, cause, address, change) ON audit_log TO nexrole_owner;
GRANT EXECUTE ON FUNCTION forget_member(BIGINT, BOOLEAN) TO nexrole_owner;
ALTER POLICY nobody_signs_for_another ON audit_log
    WITH CHECK (CASE current_user WHEN 'nexrole_gateway' THEN actor IN ('stripe', 'environment')
                                  WHEN 'nexrole_bot' THEN actor = 'bot'
                                  WHEN 'nexrole_operator' THEN actor = 'operator'
                                  WHEN 'nexrole_owner' THEN actor = 'operator' ELSE true END);
