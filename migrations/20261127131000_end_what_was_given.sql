-- What was given for a while ends when its time is over: the bot finds it across tenants, and ends it in each tenant's transaction. What
-- was bought has its time too, and is read again then; only what is read ends it.
LOCK TABLE access_sources IN ACCESS EXCLUSIVE MODE;

-- "What is over?"
CREATE INDEX access_sources_over ON access_sources (valid_until)
    WHERE state = 'live' AND kind <> 'stripe' AND valid_until IS NOT NULL;

GRANT SELECT (valid_until) ON access_sources TO nexrole_worker;
GRANT UPDATE (state, evidence, changed_at) ON access_sources TO nexrole_bot;
-- The bot ends what is over and was not bought, and nothing else; it begins nothing.
CREATE POLICY bot_ends_what_is_over ON access_sources AS RESTRICTIVE FOR UPDATE
    USING (CASE current_user WHEN 'nexrole_bot' THEN state = 'live' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_bot' THEN state = 'live' OR kind <> 'stripe' AND valid_until <= now() ELSE true END);
