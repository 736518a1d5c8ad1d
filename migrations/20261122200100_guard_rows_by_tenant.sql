-- A second wall between tenants: whoever forgets a guild in a statement, or is made to name another's, gets nothing.
-- A transaction names its tenant (`SET LOCAL nexrole.guild`); without one, no row is there. FORCE: for the owner too.
-- What must work across tenants has a role of its own, never used for a tenant's work, and a policy for each table it
-- needs; the columns are granted one by one.

-- A tenant's row never belongs to another tenant's connection. Not on the hot tables: see README.md.
ALTER TABLE stripe_cursors ADD FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections;
ALTER TABLE customers      ADD FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections;
ALTER TABLE subscriptions  ADD FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections;
ALTER TABLE prices         ADD FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections;
ALTER TABLE payment_links  ADD FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections;
ALTER TABLE member_links   ADD FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections;

DO $$
DECLARE
    guarded TEXT;
BEGIN
    FOREACH guarded IN ARRAY ARRAY[
        'guilds', 'stripe_connections', 'stripe_events', 'stripe_sync', 'stripe_cursors', 'customers', 'subscriptions',
        'prices', 'payment_links', 'role_mappings', 'mapped_roles', 'member_links', 'access_sources', 'role_jobs',
        'guild_gates', 'role_health', 'role_grants', 'audit_log']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I
                            USING (guild_id = nullif(current_setting(''nexrole.guild'', true), '''')::bigint)', guarded);
    END LOOP;
END $$;

-- Ingest: record a batch of events, mark their objects dirty, and lease dirty objects.
REVOKE INSERT (guild_id, connection_id, event_id, type, object_id, created, livemode, api_version, state)
    ON stripe_events FROM nexrole_gateway;
REVOKE SELECT ON role_jobs, guild_gates FROM nexrole_gateway;
GRANT SELECT (guild_id, connection_id, event_id),
      INSERT (guild_id, connection_id, event_id, type, object_id, created, livemode, api_version, state)
    ON stripe_events TO nexrole_ingest;
CREATE POLICY ingest_records ON stripe_events TO nexrole_ingest USING (true);
GRANT SELECT (guild_id, connection_id, object_kind, object_id, dirty_seq, next_at, lease_until, attempts, missing),
      INSERT (guild_id, connection_id, object_kind, object_id), UPDATE (dirty_seq, next_at, lease_owner, lease_until)
    ON stripe_sync TO nexrole_ingest;
CREATE POLICY ingest_marks_and_leases ON stripe_sync TO nexrole_ingest USING (true);
-- Ingest: whose is this webhook address, and who signs for it? Which connection's poll is due?
GRANT SELECT (guild_id, connection_id, endpoint_id, livemode, webhook_secrets, state)
    ON stripe_connections TO nexrole_ingest;
CREATE POLICY ingest_finds_endpoints ON stripe_connections FOR SELECT TO nexrole_ingest USING (true);
GRANT SELECT (guild_id, connection_id, next_poll_at, last_event_id, listed_at), UPDATE (next_poll_at)
    ON stripe_cursors TO nexrole_ingest;
CREATE POLICY ingest_takes_polls ON stripe_cursors TO nexrole_ingest USING (true);

-- The worker: lease guilds with due jobs, release parked jobs, sweep, take newly mapped roles.
GRANT SELECT (guild_id, job_id, user_id, role_id, state, due_at),
      INSERT (guild_id, user_id, role_id, action, cause, due_at), UPDATE (state)
    ON role_jobs TO nexrole_worker;
CREATE POLICY worker_walks_and_sweeps ON role_jobs TO nexrole_worker USING (true);
GRANT SELECT (guild_id, open_at, away), UPDATE (open_at, owner, invited) ON guild_gates TO nexrole_worker;
CREATE POLICY worker_leases ON guild_gates TO nexrole_worker USING (true);
GRANT SELECT (guild_id, role_id, next_probe_at), DELETE ON role_health TO nexrole_worker;
CREATE POLICY worker_forgets ON role_health TO nexrole_worker USING (true);
GRANT SELECT (guild_id, user_id, role_id, kind, connection_id, source_id, state, looked_at), UPDATE (looked_at)
    ON access_sources TO nexrole_worker;
CREATE POLICY worker_sweeps ON access_sources TO nexrole_worker USING (true);
GRANT SELECT (guild_id, role_id, enforcement, look_at), UPDATE (look_at) ON mapped_roles TO nexrole_worker;
CREATE POLICY worker_takes_unseen ON mapped_roles TO nexrole_worker USING (true);
GRANT SELECT (guild_id, role_id) ON role_grants TO nexrole_worker;
CREATE POLICY worker_counts ON role_grants FOR SELECT TO nexrole_worker USING (true);

-- `/metrics` of both services: how long are the queues?
GRANT SELECT (guild_id, state, due_at) ON role_jobs TO nexrole_ingest;
CREATE POLICY ingest_counts ON role_jobs FOR SELECT TO nexrole_ingest USING (true);
GRANT SELECT (guild_id, away) ON guild_gates TO nexrole_ingest;
CREATE POLICY ingest_counts ON guild_gates FOR SELECT TO nexrole_ingest USING (true);
GRANT SELECT (next_at) ON stripe_sync TO nexrole_worker;
CREATE POLICY worker_counts ON stripe_sync FOR SELECT TO nexrole_worker USING (true);

-- The operator lists all connections and seals their secrets anew; never in a transaction that is about one tenant.
CREATE POLICY operator_without_a_tenant ON stripe_connections TO nexrole_operator
    USING (nullif(current_setting('nexrole.guild', true), '') IS NULL);
