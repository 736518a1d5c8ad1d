-- What `nexrole connect`, the look at sealed secrets and the retention sweep need of the roles.

-- `nexrole connect`, for one tenant.
GRANT INSERT (guild_id, label, livemode, endpoint_id, metadata_links), UPDATE (metadata_links, state)
    ON stripe_connections TO nexrole_operator;
GRANT INSERT (guild_id, connection_id) ON stripe_cursors TO nexrole_operator;

-- Does every sealed value open? Asked once, when the gateway starts.
GRANT SELECT (api_key) ON stripe_connections TO nexrole_ingest;

-- Retention removes what is old and finished, of all tenants, and nothing else: the second policy holds even where another
-- would let it through. To lock a row Postgres asks for UPDATE on some column; WITH CHECK (false) refuses every new version.
-- 90 days: shared/src/store/retention.rs.
GRANT SELECT (ctid, state, received_at), UPDATE (received_at), DELETE ON stripe_events TO nexrole_retention;
CREATE POLICY retention_sweeps ON stripe_events TO nexrole_retention USING (true);
CREATE POLICY retention_only_forgets ON stripe_events AS RESTRICTIVE TO nexrole_retention
    USING (state <> 'recorded' AND received_at < now() - interval '90 days') WITH CHECK (false);
GRANT SELECT (ctid, finished_at), UPDATE (finished_at), DELETE ON role_jobs TO nexrole_retention;
CREATE POLICY retention_sweeps ON role_jobs TO nexrole_retention USING (true);
CREATE POLICY retention_only_forgets ON role_jobs AS RESTRICTIVE TO nexrole_retention
    USING (finished_at < now() - interval '90 days') WITH CHECK (false);
GRANT SELECT (ctid, state, changed_at), UPDATE (changed_at), DELETE ON access_sources TO nexrole_retention;
CREATE POLICY retention_sweeps ON access_sources TO nexrole_retention USING (true);
CREATE POLICY retention_only_forgets ON access_sources AS RESTRICTIVE TO nexrole_retention
    USING (state = 'ended' AND changed_at < now() - interval '90 days') WITH CHECK (false);
