-- The row of a mapped role outlives its last mapping while somebody has the role, for it says whether they lose it. Nobody removed
-- it once they had lost it, and /status counted it. Retention does now.
LOCK TABLE role_mappings, role_grants, mapped_roles, access_sources IN ACCESS EXCLUSIVE MODE;

GRANT SELECT (guild_id, role_id) ON role_mappings TO nexrole_retention;
CREATE POLICY retention_looks ON role_mappings FOR SELECT TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
GRANT SELECT (guild_id, role_id) ON role_grants TO nexrole_retention;
CREATE POLICY retention_looks ON role_grants FOR SELECT TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);

-- Its policy let it see old reasons only, and one that is live counts here. What it may remove, and lock, stays the same.
GRANT SELECT (guild_id, role_id) ON access_sources TO nexrole_retention;
DROP POLICY retention_only_forgets ON access_sources;
CREATE POLICY retention_only_forgets ON access_sources AS RESTRICTIVE FOR DELETE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN state = 'ended' AND changed_at < now() - interval '90 days' ELSE true END);
CREATE POLICY retention_only_locks ON access_sources AS RESTRICTIVE FOR UPDATE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN state = 'ended' AND changed_at < now() - interval '90 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);

-- To lock a row takes the right to change it; the check lets none be changed.
GRANT SELECT (ctid, guild_id, role_id, enforcement), UPDATE (look_at), DELETE ON mapped_roles TO nexrole_retention;
CREATE POLICY retention_sweeps ON mapped_roles TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
-- Unseen: it may have been mapped again in this moment.
CREATE POLICY retention_only_forgets ON mapped_roles AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention'
           THEN enforcement <> 'unseen'
                AND NOT EXISTS (SELECT FROM role_mappings m WHERE (m.guild_id, m.role_id) = (mapped_roles.guild_id, mapped_roles.role_id))
                AND NOT EXISTS (SELECT FROM role_grants g WHERE (g.guild_id, g.role_id) = (mapped_roles.guild_id, mapped_roles.role_id))
                AND NOT EXISTS (SELECT FROM access_sources s WHERE s.guild_id = mapped_roles.guild_id AND s.role_id = mapped_roles.role_id
                                                               AND s.state = 'live')
           ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
