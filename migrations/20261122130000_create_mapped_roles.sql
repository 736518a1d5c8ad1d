-- First contact changes nothing: a role that members hold already when it is first mapped is only observed, until the
-- owner turns it on. One row per guild and mapped role, since several prices may give the same role.
CREATE TABLE mapped_roles (
    guild_id    BIGINT NOT NULL REFERENCES guilds,
    role_id     BIGINT NOT NULL,
    enforcement TEXT NOT NULL DEFAULT 'unseen' CHECK (enforcement IN
                ('unseen',                               -- Discord was not asked yet who holds it; nothing is changed
                 'observe',                              -- it had holders: access is computed, nothing is changed
                 'on')),                                 -- roles follow payments
    holders     BIGINT,                                  -- how many had it, not by us, when we first looked; NULL: unseen
    look_at     TIMESTAMPTZ NOT NULL DEFAULT now(),      -- unseen: when to ask Discord
    PRIMARY KEY (guild_id, role_id)
);
-- "Which roles are to be looked at?"; empty when all were.
CREATE INDEX mapped_roles_unseen ON mapped_roles (look_at) WHERE enforcement = 'unseen';

-- What was mapped before this release is in force already.
INSERT INTO mapped_roles (guild_id, role_id, enforcement) SELECT DISTINCT guild_id, role_id, 'on' FROM role_mappings;
