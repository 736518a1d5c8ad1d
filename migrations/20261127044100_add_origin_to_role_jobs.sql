-- New buyers must not wait behind a bulk: each job says where it comes from, and what one member asked for goes first.

-- In the order in which a turn and a read lock them: see README.md.
LOCK TABLE role_jobs, stripe_sync IN ACCESS EXCLUSIVE MODE;

ALTER TABLE role_jobs
    -- What made the job. The default is for the previous release, which names none; what it made for one member is in the majority.
    ADD COLUMN origin TEXT NOT NULL DEFAULT 'purchase'
        CHECK (origin IN ('purchase', 'join', 'command', 'bulk', 'sweep', 'recheck'));

ALTER TABLE stripe_sync
    -- Why the object is to be read: what the jobs that come of the read say. The default is an event's.
    ADD COLUMN origin TEXT NOT NULL DEFAULT 'purchase' CHECK (origin IN ('purchase', 'command', 'bulk'));

-- "Which jobs that one member asked for are due in this guild?" and "which guilds have such?": both without reading the others.
CREATE INDEX role_jobs_urgent ON role_jobs (guild_id, due_at, job_id)
    WHERE state = 'pending' AND origin IN ('purchase', 'join', 'command');

-- "All pending jobs of this member", as before. The member comes first, so that no walk from guild to guild, for which it has no
-- order, is ever planned with it.
CREATE INDEX role_jobs_of_member ON role_jobs (user_id, guild_id) WHERE state = 'pending';
DROP INDEX role_jobs_member;

GRANT INSERT (origin) ON role_jobs TO nexrole_gateway, nexrole_bot, nexrole_operator, nexrole_worker;
-- It walks from guild to guild by it, and makes a mere look of what nobody asked for any more.
GRANT SELECT (origin), UPDATE (origin) ON role_jobs TO nexrole_worker;
GRANT INSERT (origin), UPDATE (origin) ON stripe_sync TO nexrole_gateway, nexrole_operator;
-- A new mapping has many objects read, one after another.
GRANT INSERT (next_at) ON stripe_sync TO nexrole_operator;
GRANT SELECT (origin), UPDATE (origin) ON stripe_sync TO nexrole_ingest;
