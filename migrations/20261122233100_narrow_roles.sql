-- What a role may write is what its statements write, and no more.

-- All at once, and in the order in which a turn locks them: see README.md.
LOCK TABLE guild_gates, role_jobs, audit_log, mapped_roles, access_sources, stripe_connections IN ACCESS EXCLUSIVE MODE;

-- Nobody writes history in another's name. Who may write any is in the grants.
CREATE POLICY nobody_signs_for_another ON audit_log AS RESTRICTIVE FOR INSERT
    WITH CHECK (CASE current_user WHEN 'nexrole_gateway' THEN actor IN ('stripe', 'environment')
                                  WHEN 'nexrole_bot' THEN actor = 'bot'
                                  WHEN 'nexrole_operator' THEN actor = 'operator' ELSE true END);

-- Across tenants the worker makes parked jobs pending, and new ones that look again. It neither ends a job nor grants a role.
DROP POLICY worker_walks_and_sweeps ON role_jobs;
CREATE POLICY worker_walks ON role_jobs FOR SELECT TO nexrole_worker
    USING (CASE current_user WHEN 'nexrole_worker' THEN true ELSE false END);
CREATE POLICY worker_releases ON role_jobs FOR UPDATE TO nexrole_worker
    USING (CASE current_user WHEN 'nexrole_worker' THEN state = 'parked' ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN state = 'pending' ELSE false END);
CREATE POLICY worker_sweeps ON role_jobs FOR INSERT TO nexrole_worker
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN action = 'resync' ELSE false END);

-- It leases a guild, and does not close it: the longest lease is a day.
ALTER POLICY worker_leases ON guild_gates
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN open_at <= now() + interval '25 hours' ELSE false END);
ALTER POLICY worker_takes_unseen ON mapped_roles
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN look_at <= now() + interval '25 hours' ELSE false END);
ALTER POLICY worker_sweeps ON access_sources
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN looked_at <= now() ELSE false END);

-- Only the operator seals. The look at sealed values works in each tenant's own transaction.
REVOKE UPDATE (api_key, webhook_secrets) ON stripe_connections FROM nexrole_gateway;
REVOKE SELECT (api_key) ON stripe_connections FROM nexrole_ingest;
