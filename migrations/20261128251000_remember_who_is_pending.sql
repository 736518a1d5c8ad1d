-- A member who has not accepted a server's rules yet sees nothing of what a role opens: who asks why is told so. The Gateway says it when
-- they join, and when they have accepted.

CREATE TABLE pending_members (
    guild_id BIGINT NOT NULL,
    user_id  BIGINT NOT NULL,
    heard_at TIMESTAMPTZ NOT NULL DEFAULT now(),         -- when they were heard to join; until they accept, leave, or a session begins
    PRIMARY KEY (guild_id, user_id)
);

ALTER TABLE pending_members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON pending_members
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

GRANT SELECT, INSERT (guild_id, user_id), UPDATE (heard_at), DELETE ON pending_members TO nexrole_bot;
-- `nexrole why`.
GRANT SELECT ON pending_members TO nexrole_operator;
-- The owner has a member forgotten.
GRANT SELECT, DELETE ON pending_members TO nexrole_owner;
