-- A role that a person gave to somebody who pays stays that person's, and does not end with the payment. Whether it is to, the
-- server's owner is asked once for each member and role; what a mapping says of it (`role_mappings.policy`, given_by_hand) spares that.

CREATE TABLE follow_questions (
    guild_id    BIGINT NOT NULL,
    user_id     BIGINT NOT NULL,
    role_id     BIGINT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'follow', 'keep')), -- open, or the answer
    asked_at    TIMESTAMPTZ NOT NULL DEFAULT now(),      -- when it was found so
    answered_at TIMESTAMPTZ CHECK ((answered_at IS NULL) = (state = 'open')),
    PRIMARY KEY (guild_id, user_id, role_id)
);
-- "What is to be answered, of all roles or of one?"
CREATE INDEX follow_questions_open ON follow_questions (guild_id, role_id, user_id) WHERE state = 'open';

ALTER TABLE follow_questions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON follow_questions
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- The bot asks, and takes back what nobody answered; an answer is not its to give or to forget. A row is locked while its role
-- becomes ours, for which a column must be its to write: it writes none.
GRANT SELECT, INSERT (guild_id, user_id, role_id), UPDATE (asked_at), DELETE ON follow_questions TO nexrole_bot;
CREATE POLICY bot_takes_back_no_answer ON follow_questions AS RESTRICTIVE FOR DELETE
    USING (CASE current_user WHEN 'nexrole_bot' THEN state = 'open' ELSE true END);
-- The owner answers, and has a member forgotten.
GRANT SELECT, UPDATE (state, answered_at), DELETE ON follow_questions TO nexrole_owner;
-- `nexrole follow`, `nexrole why`.
GRANT SELECT ON follow_questions TO nexrole_operator;
