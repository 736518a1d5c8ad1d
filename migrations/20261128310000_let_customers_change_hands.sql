-- A member moves what they paid for to another Discord account of theirs, or gives it up. So that a role is not passed round from friend to
-- friend, a customer that changed hands stays where it is for a week. The link alone does not tell that: it is gone when it was given up.
-- The release before knows none of it: what it links rests for nobody.
LOCK TABLE member_links IN ACCESS EXCLUSIVE MODE;

ALTER TABLE member_links DROP CONSTRAINT member_links_proof_check;
ALTER TABLE member_links ADD CONSTRAINT member_links_proof_check
    CHECK (proof IN ('metadata', 'owner', 'checkout', 'email', 'reference', 'moved'));
-- Who has a customer gives it up, or to their other account.
GRANT DELETE ON member_links TO nexrole_gateway;

-- In whose hands a customer is, or was last, by a member's own word; no row: whose it is says `member_links`, since it was linked.
CREATE TABLE customer_hands (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    customer_id   TEXT NOT NULL,
    user_id       BIGINT NOT NULL,                       -- who has it, or had it last
    since         TIMESTAMPTZ NOT NULL,                  -- when it came into their hands
    was_moved     BOOLEAN NOT NULL,                      -- from somebody else's: then there is no mistake to mend at once
    PRIMARY KEY (guild_id, connection_id, customer_id),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections
);
-- "Which have rested long enough?"
CREATE INDEX customer_hands_by_since ON customer_hands (since);

ALTER TABLE customer_hands ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON customer_hands
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

GRANT SELECT, INSERT, UPDATE (user_id, since, was_moved) ON customer_hands TO nexrole_gateway;
-- The owner moves at any time, and has a member forgotten.
GRANT SELECT, DELETE ON customer_hands TO nexrole_owner;

GRANT SELECT (ctid, since), UPDATE (since), DELETE ON customer_hands TO nexrole_retention;
CREATE POLICY retention_sweeps ON customer_hands TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON customer_hands AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN since < now() - interval '7 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
