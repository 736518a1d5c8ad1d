-- Discord lets a bot give every role below its own, also one that administers the server. So the bot reads a server's roles, and
-- gives none that it does not know to be harmless: which are, must outlive a restart, and be known where roles are mapped.

-- When the roles of a server were read, and whether that still holds. No row: never, and nobody asked.
CREATE TABLE role_reads (
    guild_id  BIGINT PRIMARY KEY REFERENCES guilds,
    read_at   TIMESTAMPTZ,                       -- what guild_roles says was so at this time; NULL: nothing was read yet
    hinted_at TIMESTAMPTZ,                       -- something about roles changed, heard at this time: what is older does not hold
    look_at   TIMESTAMPTZ                        -- when to read again, also if nobody is to get a role; NULL: no need
);
-- "Which server's roles are to be read?"
CREATE INDEX role_reads_due ON role_reads (look_at) WHERE look_at IS NOT NULL;

-- Every role of a server, as last read.
CREATE TABLE guild_roles (
    guild_id BIGINT NOT NULL REFERENCES guilds,
    role_id  BIGINT NOT NULL,
    danger   TEXT,                               -- why it must not be given, in words for people; NULL: it may be given
    PRIMARY KEY (guild_id, role_id)
);

ALTER TABLE role_reads  ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE guild_roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON role_reads  USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);
CREATE POLICY of_the_tenant ON guild_roles USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- The bot reads roles, for one tenant.
GRANT SELECT, INSERT (guild_id, read_at, hinted_at, look_at), UPDATE (read_at, hinted_at, look_at) ON role_reads TO nexrole_bot;
GRANT SELECT, INSERT (guild_id, role_id, danger), UPDATE (danger), DELETE ON guild_roles TO nexrole_bot;
-- `nexrole map …` and `nexrole why` say what was found.
GRANT SELECT ON guild_roles, role_reads TO nexrole_operator;
-- The worker finds servers whose roles are to be read.
GRANT SELECT (guild_id, look_at), UPDATE (look_at) ON role_reads TO nexrole_worker;
CREATE POLICY worker_takes_hinted ON role_reads TO nexrole_worker USING (true);
