-- A role may be given by an owner's word: to one member, with a reason and perhaps an end, or to all on a list of who had it before us.

-- What was given is a source beside what was bought: an owner ends and changes either, and makes none of a subscription.
GRANT INSERT (guild_id, user_id, role_id, kind, source_id, state, evidence, valid_until, reason, stripe_object),
      UPDATE (valid_until, reason)
    ON access_sources TO nexrole_owner;
CREATE POLICY owner_sells_nothing ON access_sources AS RESTRICTIVE FOR INSERT
    WITH CHECK (CASE current_user WHEN 'nexrole_owner' THEN kind IN ('manual', 'import') ELSE true END);
