-- What one service asks of the other. The gateway holds no bot token and the bot no Stripe key; where a page of the one needs what
-- only the other may read, it asks here. Arguments and answer are sealed with ENCRYPTION_KEYS, for this row alone. A question
-- waits two seconds, and is answered at most once; after a day its row goes.

CREATE TABLE service_requests (
    guild_id    BIGINT NOT NULL,
    request_id  UUID NOT NULL,
    asked_by    TEXT NOT NULL CHECK (asked_by IN ('gateway', 'bot')),   -- the other one answers
    kind        TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),    -- no list: a newer release may ask what this one does not know
    arguments   BYTEA NOT NULL,                                         -- sealed JSON
    state       TEXT NOT NULL DEFAULT 'asked'
                CHECK (state IN ('asked', 'taken', 'answered', 'not_known', 'failed', 'expired')),
    answer      BYTEA CHECK ((answer IS NOT NULL) = (state = 'answered')), -- sealed JSON
    asked_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at  TIMESTAMPTZ NOT NULL,                                   -- no answer is taken from then on
    answered_at TIMESTAMPTZ,
    PRIMARY KEY (guild_id, request_id)
);
-- "Which question has time left?" and "which are a day old?"
CREATE INDEX service_requests_by_expiry ON service_requests (expires_at);

ALTER TABLE service_requests ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON service_requests
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- A service asks in its own name, ...
CREATE POLICY asks_as_itself ON service_requests AS RESTRICTIVE FOR INSERT
    WITH CHECK (CASE current_user WHEN 'nexrole_gateway' THEN asked_by = 'gateway'
                                  WHEN 'nexrole_bot' THEN asked_by = 'bot' ELSE true END);
-- ... answers what the other asked, or lets its own expire; and what has ended stays as it is.
CREATE POLICY ends_once ON service_requests AS RESTRICTIVE FOR UPDATE
    USING (CASE WHEN current_user IN ('nexrole_gateway', 'nexrole_bot') THEN state IN ('asked', 'taken') ELSE true END)
    WITH CHECK (CASE
        WHEN state IN ('asked', 'taken') THEN true
        WHEN current_user = 'nexrole_gateway' THEN (asked_by = 'gateway') = (state = 'expired')
        WHEN current_user = 'nexrole_bot' THEN (asked_by = 'bot') = (state = 'expired')
        ELSE true END);
GRANT SELECT, INSERT (guild_id, request_id, asked_by, kind, arguments, expires_at), UPDATE (state, answer, answered_at)
    ON service_requests TO nexrole_gateway, nexrole_bot;

-- Across tenants each service takes what the other asked, and sees neither arguments nor answer.
GRANT SELECT (guild_id, request_id, asked_by, state, expires_at), UPDATE (state)
    ON service_requests TO nexrole_ingest, nexrole_worker;
CREATE POLICY ingest_takes ON service_requests TO nexrole_ingest
    USING (CASE current_user WHEN 'nexrole_ingest' THEN asked_by = 'bot' AND state IN ('asked', 'taken') ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_ingest' THEN asked_by = 'bot' AND state = 'taken' ELSE false END);
CREATE POLICY worker_takes ON service_requests TO nexrole_worker
    USING (CASE current_user WHEN 'nexrole_worker' THEN asked_by = 'gateway' AND state IN ('asked', 'taken') ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_worker' THEN asked_by = 'gateway' AND state = 'taken' ELSE false END);

-- A day: shared/src/store/retention.rs.
GRANT SELECT (ctid, expires_at), UPDATE (expires_at), DELETE ON service_requests TO nexrole_retention;
CREATE POLICY retention_sweeps ON service_requests TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON service_requests AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN expires_at < now() - interval '1 day' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
