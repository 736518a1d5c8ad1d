-- Who paid by Stripe Checkout proves it by the session's id, logged in at Discord: the gateway links them, in the member's own name,
-- and shows them how far their role is.
LOCK TABLE audit_log, member_links IN ACCESS EXCLUSIVE MODE;

ALTER TABLE member_links DROP CONSTRAINT member_links_proof_check;
ALTER TABLE member_links ADD CONSTRAINT member_links_proof_check CHECK (proof IN ('metadata', 'owner', 'checkout'));

ALTER POLICY nobody_signs_for_another ON audit_log
    WITH CHECK (CASE current_user WHEN 'nexrole_gateway' THEN actor IN ('stripe', 'environment', 'member')
                                  WHEN 'nexrole_bot' THEN actor = 'bot'
                                  WHEN 'nexrole_operator' THEN actor = 'operator'
                                  WHEN 'nexrole_owner' THEN actor = 'operator' ELSE true END);

-- What became of a claim: which roles are turned on, which of them are theirs because of us or on their way, whether they have rules to
-- accept.
GRANT SELECT (guild_id, role_id, enforcement) ON mapped_roles TO nexrole_gateway;
GRANT SELECT (role_id, state) ON role_grants TO nexrole_gateway;
GRANT SELECT (guild_id, user_id, role_id, state) ON role_jobs TO nexrole_gateway;
GRANT SELECT (guild_id, user_id) ON pending_members TO nexrole_gateway;
