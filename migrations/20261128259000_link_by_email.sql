-- A code that was sent by e-mail proves whose a customer is. The proofs, and who signs for what, are said here whole, with what earlier files say.
LOCK TABLE audit_log, member_links IN ACCESS EXCLUSIVE MODE;

ALTER TABLE member_links DROP CONSTRAINT member_links_proof_check;
ALTER TABLE member_links ADD CONSTRAINT member_links_proof_check CHECK (proof IN ('metadata', 'owner', 'checkout', 'email', 'reference'));

ALTER POLICY nobody_signs_for_another ON audit_log
    WITH CHECK (CASE current_user WHEN 'nexrole_gateway' THEN actor IN ('stripe', 'environment', 'member')
                                  WHEN 'nexrole_bot' THEN actor = 'bot'
                                  WHEN 'nexrole_operator' THEN actor = 'operator'
                                  WHEN 'nexrole_owner' THEN actor = 'operator' ELSE true END);
