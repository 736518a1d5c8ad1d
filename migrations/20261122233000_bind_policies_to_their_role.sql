-- A policy `TO role` is also for whoever inherits from the role, as the login that migrates may: it owns the tables, and as a
-- member of every role it saw every row, FORCE or not. So a policy that crosses tenants says whose session it is for.
--
-- CASE, and not `current_user = '…'`: of that Postgres guesses that it is true for one row of 200, and plans for it.

-- All at once, and in the order in which a turn locks them: see README.md.
LOCK TABLE guild_gates, role_jobs, role_grants, mapped_roles, role_health, access_sources,
           role_reads, stripe_sync, stripe_events, stripe_cursors, stripe_connections IN ACCESS EXCLUSIVE MODE;

DO $$
DECLARE
    p RECORD;
BEGIN
    FOR p IN SELECT policyname, tablename, roles[1] AS role FROM pg_policies
              WHERE schemaname = 'public' AND permissive = 'PERMISSIVE' AND qual = 'true' AND roles::text LIKE '{nexrole\_%}'
    LOOP
        EXECUTE format('ALTER POLICY %I ON %I USING (CASE current_user WHEN %L THEN true ELSE false END)',
                       p.policyname, p.tablename, p.role);
    END LOOP;
END $$;

ALTER POLICY operator_without_a_tenant ON stripe_connections
    USING (CASE current_user WHEN 'nexrole_operator' THEN nullif(current_setting('nexrole.guild', true), '') IS NULL
                             ELSE false END);

-- The other way round: what binds the role must not bind the owner.
ALTER POLICY retention_only_forgets ON stripe_events
    USING (CASE current_user WHEN 'nexrole_retention'
                             THEN state <> 'recorded' AND received_at < now() - interval '90 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
ALTER POLICY retention_only_forgets ON role_jobs
    USING (CASE current_user WHEN 'nexrole_retention' THEN finished_at < now() - interval '90 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
ALTER POLICY retention_only_forgets ON access_sources
    USING (CASE current_user WHEN 'nexrole_retention'
                             THEN state = 'ended' AND changed_at < now() - interval '90 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
