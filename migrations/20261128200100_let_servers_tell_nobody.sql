-- A server's owner may have its members told nothing of payments that failed.
LOCK TABLE guilds IN ACCESS EXCLUSIVE MODE;

ALTER TABLE guilds
    ADD COLUMN tells_members BOOLEAN NOT NULL DEFAULT true; -- members are told when a payment of theirs failed, and what follows
GRANT UPDATE (tells_members) ON guilds TO nexrole_owner;
