-- Personal links: a member's own Payment Link carries a token as its `client_reference_id`. What is bought by it is kept from everybody else,
-- and is theirs as soon as they show that they bought it. The release before takes every reference of ours for somebody else's, as this
-- one takes those that it does not know.

CREATE TABLE link_tokens (
    guild_id      BIGINT NOT NULL,
    prefix        TEXT NOT NULL CHECK (length(prefix) = 15), -- nx_ref_ and 8 letters of it, by which it is found
    hash          BYTEA NOT NULL CHECK (length(hash) = 32),  -- HMAC-SHA256 of the whole token
    user_id       BIGINT NOT NULL,                        -- for whom it was made
    state         TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'pending', 'used')),
    connection_id BIGINT,                                 -- of the latest completed purchase that carries it, or of the one that used it up: ...
    session_id    TEXT,                                   -- ... the checkout session, ...
    customer_id   TEXT,                                   -- ... and who paid
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at    TIMESTAMPTZ NOT NULL,                   -- opened later, the link is late: its purchase waits all the same
    ended_at      TIMESTAMPTZ,                            -- when it was used up
    PRIMARY KEY (guild_id, prefix),
    CHECK ((state = 'open') = (connection_id IS NULL) AND (state = 'open') = (session_id IS NULL)
           AND (state = 'open') = (customer_id IS NULL) AND (state = 'used') = (ended_at IS NOT NULL))
);
-- "How many did they have made lately?", "Does a purchase wait for them?"
CREATE INDEX link_tokens_by_user ON link_tokens (guild_id, user_id, created_at);
-- "By whose link did this customer pay?"
CREATE INDEX link_tokens_pending ON link_tokens (guild_id, connection_id, customer_id) WHERE state = 'pending';
-- "Which are 35 days old?"
CREATE INDEX link_tokens_by_age ON link_tokens (created_at);

ALTER TABLE link_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON link_tokens
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

GRANT SELECT, INSERT (guild_id, prefix, hash, user_id, expires_at),
      UPDATE (state, connection_id, session_id, customer_id, ended_at)
    ON link_tokens TO nexrole_gateway;

-- `nexrole members --unlinked`: by whose link a stranger paid. No hash.
GRANT SELECT (guild_id, user_id, state, connection_id, customer_id) ON link_tokens TO nexrole_operator;

-- Who is forgotten has no link any more.
GRANT SELECT (guild_id, user_id), DELETE ON link_tokens TO nexrole_owner;

-- 35 days: shared/src/store/retention.rs.
GRANT SELECT (ctid, created_at), UPDATE (created_at), DELETE ON link_tokens TO nexrole_retention;
CREATE POLICY retention_sweeps ON link_tokens TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON link_tokens AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN created_at < now() - interval '35 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
