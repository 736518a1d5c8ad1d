-- The row of a mapped role outlives its last mapping while somebody has the role, for it says whether they lose it. Nobody removed
-- it once they had lost it, and /status counted it. Retention does now.
LOCK TABLE role_mappings, role_grants, mapped_roles IN ACCESS EXCLUSIVE MODE;

GRANT SELECT (guild_id, role_id) ON role_mappings TO nexrole_retention;
CREATE POLICY retention_looks ON role_mappings FOR SELECT TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
GRANT SELECT (guild_id, role_id) ON role_grants TO nexrole_retention;
CREATE POLICY retention_looks ON role_grants FOR SELECT TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);

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
           ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
