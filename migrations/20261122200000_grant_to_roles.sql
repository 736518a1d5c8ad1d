-- What each database role may do. `nexrole migrate` makes the roles first: they belong to the cluster, not to this
-- database. Nobody else gets anything, and no role owns a table, so none can switch a trigger or a policy off.
-- nexrole/tests/it/privileges.txt is the whole list as Postgres has it.
--
-- INSERT is granted by column: ids, and the times of what is recorded, come from Postgres alone.

DO $$
BEGIN
    IF to_regrole('nexrole_retention') IS NULL THEN
        RAISE EXCEPTION 'the database roles are missing: migrate with `nexrole migrate`, which makes them';
    END IF;
END $$;

-- A database that was made before Postgres 15 lets everybody make tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public
    TO nexrole_gateway, nexrole_ingest, nexrole_bot, nexrole_worker, nexrole_operator, nexrole_retention;
-- "Is the schema up to date?"
GRANT SELECT ON _sqlx_migrations
    TO nexrole_gateway, nexrole_ingest, nexrole_bot, nexrole_worker, nexrole_operator, nexrole_retention;

-- Whoever introduces a guild makes its gate with it.
GRANT SELECT, INSERT (guild_id) ON guilds TO nexrole_gateway, nexrole_bot, nexrole_operator;
GRANT INSERT (guild_id) ON guild_gates TO nexrole_gateway, nexrole_bot, nexrole_operator;

-- Append-only, for everybody.
GRANT INSERT (guild_id, actor, action, user_id, role_id, cause) ON audit_log
    TO nexrole_gateway, nexrole_bot, nexrole_operator;
GRANT SELECT ON audit_log TO nexrole_operator;

-- The gateway, for one tenant: applies what it read from Stripe.
GRANT SELECT, INSERT (guild_id, label, livemode, endpoint_id, metadata_links), 
      UPDATE (metadata_links, state, api_key, webhook_secrets)
    ON stripe_connections TO nexrole_gateway;
GRANT SELECT, UPDATE (state) ON stripe_events TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, connection_id, object_kind, object_id, next_at),
      UPDATE (dirty_seq, next_at, lease_owner, lease_until, attempts, missing, last_error, synced_at)
    ON stripe_sync TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, connection_id), UPDATE (last_event_id, listed_at, next_poll_at, last_error)
    ON stripe_cursors TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, connection_id, customer_id, deleted), UPDATE (deleted, synced_at)
    ON customers TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, connection_id, subscription_id, customer_id, status, price_ids, product_ids,
                      current_period_end, cancel_at_period_end),
      UPDATE (customer_id, status, price_ids, product_ids, current_period_end, cancel_at_period_end, synced_at)
    ON subscriptions TO nexrole_gateway;
GRANT SELECT, INSERT, DELETE ON prices, payment_links TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, connection_id, customer_id, user_id, proof) ON member_links TO nexrole_gateway;
GRANT SELECT ON role_mappings TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence),
      UPDATE (state, evidence, changed_at)
    ON access_sources TO nexrole_gateway;
GRANT INSERT (guild_id, user_id, role_id, action, cause) ON role_jobs TO nexrole_gateway;

-- The bot, for one tenant: a turn with a guild, what the Gateway tells, and commands. It never sees a secret of Stripe's.
GRANT SELECT, UPDATE (open_at, owner, away, invited) ON guild_gates TO nexrole_bot;
GRANT SELECT, INSERT (guild_id, user_id, role_id, action, cause, due_at),
      UPDATE (state, outcome, attempts, due_at, finished_at)
    ON role_jobs TO nexrole_bot;
GRANT SELECT, INSERT (guild_id, user_id, role_id, state), UPDATE (state, confirmed_at), DELETE
    ON role_grants TO nexrole_bot;
GRANT SELECT, INSERT (guild_id, role_id, reason, next_probe_at), UPDATE (reason, next_probe_at), DELETE
    ON role_health TO nexrole_bot;
GRANT SELECT, UPDATE (enforcement, holders, look_at) ON mapped_roles TO nexrole_bot;
GRANT SELECT, UPDATE (looked_at) ON access_sources TO nexrole_bot;
-- What `/status` counts.
GRANT SELECT (guild_id, connection_id, state) ON stripe_connections TO nexrole_bot;
GRANT SELECT ON role_mappings, subscriptions, member_links, stripe_sync, stripe_cursors TO nexrole_bot;

-- The operator's commands.
GRANT SELECT, UPDATE (api_key, webhook_secrets) ON stripe_connections TO nexrole_operator;
GRANT SELECT, INSERT (guild_id, connection_id, object_kind, object_id), UPDATE (dirty_seq, next_at)
    ON stripe_sync TO nexrole_operator;
GRANT SELECT, INSERT (guild_id, source_kind, source_id, role_id) ON role_mappings TO nexrole_operator;
GRANT SELECT, INSERT (guild_id, role_id), UPDATE (enforcement) ON mapped_roles TO nexrole_operator;
GRANT SELECT, INSERT (guild_id, connection_id, customer_id, user_id, proof), DELETE ON member_links TO nexrole_operator;
GRANT SELECT, INSERT (guild_id, user_id, role_id, action, cause) ON role_jobs TO nexrole_operator;
GRANT SELECT ON customers, subscriptions, access_sources, role_grants, role_health, prices, payment_links
    TO nexrole_operator;

-- Until the rows are guarded too, the services do across tenants as these roles what the next files give to
-- nexrole_ingest and nexrole_worker.
GRANT INSERT (guild_id, connection_id, event_id, type, object_id, created, livemode, api_version, state)
    ON stripe_events TO nexrole_gateway;
GRANT SELECT ON role_jobs, guild_gates TO nexrole_gateway;
