-- One answer that says that the bot is not in a server may be a mistake. It is believed for a minute, and for longer each time it is
-- repeated; so how often it was, and what Discord said, is kept, and shown.

LOCK TABLE guild_gates, role_health, role_reads IN ACCESS EXCLUSIVE MODE;

ALTER TABLE guild_gates
    ADD COLUMN refusals     INTEGER NOT NULL DEFAULT 0,  -- how often in a row Discord refused the guild as a whole; 3: as sure as its own word
    ADD COLUMN refused_code INTEGER;                     -- Discord's code, if the gate is closed for it; NULL: it is not, or the Gateway said so

ALTER TABLE role_health
    ADD COLUMN code INTEGER;                             -- Discord's code, by which what helps is chosen; NULL: parked by an earlier release

ALTER TABLE role_reads
    ADD COLUMN refusals     INTEGER NOT NULL DEFAULT 0,  -- how often in a row Discord refused to show the guild's roles
    ADD COLUMN refused_code INTEGER;                     -- with this code, the last time; NULL: it does not refuse

GRANT UPDATE (refusals, refused_code) ON guild_gates TO nexrole_bot;
GRANT INSERT (code), UPDATE (code) ON role_health TO nexrole_bot;
GRANT INSERT (refusals, refused_code), UPDATE (refusals, refused_code) ON role_reads TO nexrole_bot;
-- `nexrole why` says why nothing is done.
GRANT SELECT ON guild_gates TO nexrole_operator;
