-- Subscribers log in at Discord, on the gateway's pages. A login and a session belong to a Discord user (or to nobody yet) and to no
-- server: neither has a guild, and no tenant's role sees them. What the browser's cookies hold is stored as hashes; the username opens
-- with the cookie alone. A day after they are over the rows go: shared/src/store/retention.rs.

-- Logins that were begun: the browser is at Discord.
CREATE TABLE logins (
    secret_hash TEXT PRIMARY KEY CHECK (length(secret_hash) = 43),       -- SHA-256 of the cookie's secret, base64url
    destination TEXT NOT NULL CHECK (length(destination) <= 400),        -- one of our own pages
    began_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
-- "Which are over?"
CREATE INDEX logins_by_beginning ON logins (began_at);

CREATE TABLE sessions (
    session_hash  TEXT PRIMARY KEY CHECK (length(session_hash) = 43),    -- of the half of the cookie that stays
    current_hash  TEXT NOT NULL CHECK (length(current_hash) = 43),       -- of the half that is replaced
    previous_hash TEXT CHECK (length(previous_hash) = 43),               -- of the one before
    user_id       BIGINT NOT NULL,                                       -- who it is at Discord
    username      TEXT NOT NULL CHECK (length(username) <= 600),         -- sealed by the half that stays
    began_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    replaced_at   TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
-- "All sessions of somebody", to end them.
CREATE INDEX sessions_by_user ON sessions (user_id);
-- "Which are over?"
CREATE INDEX sessions_by_replacement ON sessions (replaced_at);

ALTER TABLE logins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- The gateway's sessions, which work for no tenant.
GRANT SELECT, INSERT (secret_hash, destination), DELETE ON logins TO nexrole_ingest;
GRANT SELECT, INSERT (session_hash, current_hash, user_id, username), UPDATE (current_hash, previous_hash, replaced_at), DELETE
    ON sessions TO nexrole_ingest;
CREATE POLICY ingest_logs_in ON logins TO nexrole_ingest
    USING (CASE current_user WHEN 'nexrole_ingest' THEN true ELSE false END);
CREATE POLICY ingest_logs_in ON sessions TO nexrole_ingest
    USING (CASE current_user WHEN 'nexrole_ingest' THEN true ELSE false END);

GRANT SELECT (ctid, began_at), UPDATE (began_at), DELETE ON logins TO nexrole_retention;
CREATE POLICY retention_sweeps ON logins TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN began_at < now() - interval '1 day' ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE false END);
GRANT SELECT (ctid, replaced_at), UPDATE (replaced_at), DELETE ON sessions TO nexrole_retention;
CREATE POLICY retention_sweeps ON sessions TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN replaced_at < now() - interval '1 day' ELSE false END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE false END);
