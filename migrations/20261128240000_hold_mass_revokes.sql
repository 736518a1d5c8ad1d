-- A wrong bulk (a mapping that vanished, a wrong policy, a bug) must not take a role from everybody who has it. What is taken within a
-- day is counted for each role; beyond a limit jobs are held until the owner approves or discards them. How much may be taken depends on
-- why access ended, so that is written down with the source.

-- In the order in which a turn takes them: see README.md.
LOCK TABLE role_jobs, access_sources IN ACCESS EXCLUSIVE MODE;

ALTER TABLE access_sources
    -- Why it ended: 'read' (what was read of that very subscription or purchase says so), 'owner' (an owner's act), 'time' (it was given
    -- for a while), 'unmapped' (nothing is mapped to the role any more, and no owner removed that). NULL: it has not ended, or something
    -- else ended it, or the release before did.
    ADD COLUMN ended_by TEXT CHECK (ended_by IN ('read', 'owner', 'time', 'unmapped'));

-- "What is held of this member and role?" and "of this guild?"
CREATE INDEX role_jobs_held ON role_jobs (guild_id, user_id, role_id) WHERE state = 'held';

-- From whom a role is taken, written before Discord is asked to take it: kept for two days.
CREATE TABLE role_revokes (
    guild_id     BIGINT NOT NULL REFERENCES guilds,
    role_id      BIGINT NOT NULL,
    user_id      BIGINT NOT NULL,
    is_confirmed BOOLEAN NOT NULL,                         -- the end of access was confirmed by a read of Stripe, or by its time
    at           TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), -- of the last try
    PRIMARY KEY (guild_id, role_id, user_id, is_confirmed)
);
-- "What is old?"
CREATE INDEX role_revokes_at ON role_revokes (at);

-- A role of which jobs are held, and when its owner is reminded of it.
CREATE TABLE role_holds (
    guild_id  BIGINT NOT NULL REFERENCES guilds,
    role_id   BIGINT NOT NULL,
    since     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), -- when the first was held
    reminders INTEGER NOT NULL DEFAULT 0,                  -- how many were made: after a day, three, seven
    remind_at TIMESTAMPTZ,                                 -- the next; NULL: none any more
    PRIMARY KEY (guild_id, role_id)
);
-- "Whom is to be reminded?"
CREATE INDEX role_holds_remind_at ON role_holds (remind_at) WHERE remind_at IS NOT NULL;

ALTER TABLE role_revokes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE role_holds   ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON role_revokes USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);
CREATE POLICY of_the_tenant ON role_holds   USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- Who ends a source says why.
GRANT INSERT (ended_by), UPDATE (ended_by) ON access_sources TO nexrole_gateway, nexrole_owner;
GRANT UPDATE (ended_by) ON access_sources TO nexrole_bot;

-- The bot counts, holds and reminds, for one tenant.
GRANT SELECT, INSERT (guild_id, role_id, user_id, is_confirmed), UPDATE (at) ON role_revokes TO nexrole_bot;
GRANT SELECT, INSERT (guild_id, role_id, remind_at), UPDATE (since, reminders, remind_at), DELETE ON role_holds TO nexrole_bot;
-- The worker finds whom to remind.
GRANT SELECT (guild_id, remind_at) ON role_holds TO nexrole_worker;
CREATE POLICY worker_finds_reminders ON role_holds FOR SELECT TO nexrole_worker
    USING (CASE current_user WHEN 'nexrole_worker' THEN true ELSE false END);

-- An owner approves or discards what is held, and changes no other job; the worker, which releases what waits, leaves it.
GRANT SELECT, DELETE ON role_holds TO nexrole_owner;
GRANT UPDATE (state, origin, outcome, due_at, finished_at) ON role_jobs TO nexrole_owner;
CREATE POLICY owner_answers_what_is_held ON role_jobs AS RESTRICTIVE FOR UPDATE
    USING (CASE current_user WHEN 'nexrole_owner' THEN state = 'held' WHEN 'nexrole_worker' THEN state <> 'held' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_owner' THEN state IN ('held', 'pending', 'discarded') ELSE true END);
-- A member is forgotten here too.
GRANT SELECT, DELETE ON role_revokes TO nexrole_owner;

-- Two days: shared/src/store/retention.rs.
GRANT SELECT (ctid, at), UPDATE (at), DELETE ON role_revokes TO nexrole_retention;
CREATE POLICY retention_sweeps ON role_revokes TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN true ELSE false END);
CREATE POLICY retention_only_forgets ON role_revokes AS RESTRICTIVE TO nexrole_retention
    USING (CASE current_user WHEN 'nexrole_retention' THEN at < now() - interval '2 days' ELSE true END)
    WITH CHECK (CASE current_user WHEN 'nexrole_retention' THEN false ELSE true END);
