-- `/join/{guild}`: who allows it at Discord is added to the server by the bot. Their token waits for their click with their session, for
-- ten minutes at most; the gateway hands it to the bot as the argument of a question, which is forgotten when the question has ended.
-- The release before knows neither column, and leaves arguments to retention.
LOCK TABLE service_requests, sessions IN ACCESS EXCLUSIVE MODE;

ALTER TABLE sessions
    ADD COLUMN join_token    TEXT CHECK (length(join_token) <= 16384),  -- of Discord's; sealed by the half of the cookie that stays, for one server
    ADD COLUMN join_token_at TIMESTAMPTZ,                               -- since when it waits
    ADD COLUMN join_taken_at TIMESTAMPTZ;                               -- when somebody clicked: nobody else uses it for some seconds
-- "Which tokens are too old?"
CREATE INDEX sessions_by_join_token ON sessions (join_token_at) WHERE join_token_at IS NOT NULL;
GRANT INSERT (join_token, join_token_at), UPDATE (join_token, join_token_at, join_taken_at) ON sessions TO nexrole_ingest;

-- What has ended keeps no argument, nor what expired without anybody to say so.
GRANT UPDATE (arguments) ON service_requests TO nexrole_gateway, nexrole_bot, nexrole_ingest, nexrole_worker;
ALTER POLICY ingest_takes ON service_requests
    USING (CASE current_user WHEN 'nexrole_ingest' THEN asked_by = 'bot' AND state IN ('asked', 'taken', 'expired') ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_ingest' THEN asked_by = 'bot' AND state IN ('taken', 'expired') ELSE false END);
ALTER POLICY worker_takes ON service_requests
    USING (CASE current_user WHEN 'nexrole_worker' THEN asked_by = 'gateway' AND state IN ('asked', 'taken', 'expired') ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN asked_by = 'gateway' AND state IN ('taken', 'expired') ELSE false END);
