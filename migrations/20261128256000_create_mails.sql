-- The gateway sends mail: what is to be sent waits here, sealed, for ten minutes at most. A subscriber who names an address is sent a code
-- there, if a customer of Stripe's has that address, and shows by it that they are that customer. Of the address nothing is kept but a
-- keyed hash, for a day, by which limits count.

CREATE TABLE mails (
    guild_id    BIGINT NOT NULL,
    mail_id     UUID NOT NULL,                          -- also in the mail's Message-ID
    kind        TEXT NOT NULL CHECK (kind IN ('claim_code')),
    recipient   BYTEA,                                  -- sealed: the address; NULL: it is over
    arguments   BYTEA,                                  -- sealed JSON: what stands in it; NULL: it is over
    state       TEXT NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'sent', 'unsure', 'refused', 'nobody', 'expired', 'cancelled')),
    next_at     TIMESTAMPTZ DEFAULT now(),              -- when to try; moved on by whoever takes it: its lease. NULL: it is over
    attempts    INTEGER NOT NULL DEFAULT 0,             -- that failed
    tried_at    TIMESTAMPTZ,                            -- since when the mail server may have it
    expires_at  TIMESTAMPTZ NOT NULL,                   -- it is not sent any more from then on
    outcome     TEXT,                                   -- why it was not sent, or not yet; in words without personal data
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at TIMESTAMPTZ,
    PRIMARY KEY (guild_id, mail_id),
    CHECK ((state = 'pending') = (next_at IS NOT NULL) AND (state = 'pending') = (finished_at IS NULL)
           AND (state = 'pending') = (recipient IS NOT NULL) AND (state = 'pending') = (arguments IS NOT NULL))
);
-- "What is to be sent now?"
CREATE INDEX mails_due ON mails (next_at) WHERE state = 'pending';
-- "Which have been over for a day?"
CREATE INDEX mails_by_expiry ON mails (expires_at);

CREATE TABLE claim_codes (
    guild_id       BIGINT NOT NULL,
    code_id        UUID NOT NULL,                       -- also its mail's
    user_id        BIGINT NOT NULL,                     -- who asked for it, and may use it
    address_hash   TEXT NOT NULL CHECK (length(address_hash) = 43), -- HMAC-SHA256 of the address, base64url
    code_hash      TEXT NOT NULL CHECK (length(code_hash) = 43),    -- HMAC-SHA256 of the row's id and the code, base64url
    state          TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'used', 'superseded', 'locked')),
    tries          INTEGER NOT NULL DEFAULT 0,          -- that were wrong
    connection_ids BIGINT[] NOT NULL DEFAULT '{}',      -- of each customer that had the address when the code was sent: the connection, ...
    customer_ids   TEXT[] NOT NULL DEFAULT '{}',        -- ... and the customer
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at     TIMESTAMPTZ NOT NULL,
    ended_at       TIMESTAMPTZ,                         -- when it was used, superseded or locked
    PRIMARY KEY (guild_id, code_id),
    CHECK (cardinality(connection_ids) = cardinality(customer_ids)),
    CHECK ((state = 'open') = (ended_at IS NULL))
);
-- "How many did they ask for lately, and how many went to that address?"
CREATE INDEX claim_codes_lately ON claim_codes (guild_id, created_at);
-- "Which are a day old?"
CREATE INDEX claim_codes_by_age ON claim_codes (created_at);

ALTER TABLE mails ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE claim_codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON mails
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);
CREATE POLICY of_the_tenant ON claim_codes
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- The gateway asks for mails, and sends them. Across tenants it finds what is due, and sees nobody.
GRANT SELECT, INSERT (guild_id, mail_id, kind, recipient, arguments, expires_at),
      UPDATE (recipient, arguments, state, next_at, attempts, tried_at, outcome, finished_at)
    ON mails TO nexrole_gateway;
GRANT SELECT (guild_id, mail_id, state, next_at), UPDATE (next_at) ON mails TO nexrole_ingest;
CREATE POLICY ingest_takes_due ON mails TO nexrole_ingest
    USING (CASE current_user WHEN 'nexrole_ingest' THEN state = 'pending' ELSE false END);
GRANT SELECT, INSERT (guild_id, code_id, user_id, address_hash, code_hash, expires_at),
      UPDATE (state, tries, connection_ids, customer_ids, ended_at)
    ON claim_codes TO nexrole_gateway;

-- Who uses a code is linked in their own name, and tells of a lock.
GRANT INSERT (guild_id, actor, action, user_id, detail) ON activity_log TO nexrole_gateway;
ALTER POLICY nobody_signs_for_another ON activity_log
    WITH CHECK (CASE current_user WHEN 'nexrole_bot' THEN actor IN ('bot', 'member')
                                  WHEN 'nexrole_gateway' THEN actor = 'member'
                                  WHEN 'nexrole_operator' THEN actor = 'operator' ELSE true END);

-- `nexrole doctor`: how many wait or were refused, and why; no address.
GRANT SELECT (guild_id, state, attempts, outcome) ON mails TO nexrole_operator;

-- Who is forgotten is sent nothing any more.
GRANT SELECT (guild_id, mail_id), DELETE ON mails TO nexrole_owner;
GRANT SELECT (guild_id, code_id, user_id), DELETE ON claim_codes TO nexrole_owner;

-- A day: shared/src/store/retention.rs. Also what nobody sent, for no mail server is set any more.
GRANT SELECT (ctid, expires_at), UPDATE (expires_at), DELETE ON mails TO nexrole_retention;
CREATE POLICY retention_sweeps ON mails TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON mails AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN expires_at < now() - interval '1 day' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
GRANT SELECT (ctid, created_at), UPDATE (created_at), DELETE ON claim_codes TO nexrole_retention;
CREATE POLICY retention_sweeps ON claim_codes TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON claim_codes AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN created_at < now() - interval '1 day' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
