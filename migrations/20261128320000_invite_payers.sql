-- Who pays and is linked to nobody is told by mail how to claim: once, and reminded once at most, at the owner's word. Who wants no such mail says
-- so by the link in it, and that is kept as long as the connection. No address is stored: the gateway asks Stripe for it when the mail's
-- turn comes, and until then the mail waits for days, sealed. stripe_connections, since the table refers to it.
LOCK TABLE mails, stripe_connections IN ACCESS EXCLUSIVE MODE;

ALTER TABLE mails DROP CONSTRAINT mails_kind_check;
ALTER TABLE mails ADD CONSTRAINT mails_kind_check CHECK (kind IN ('claim_code', 'invitation'));

CREATE TABLE claim_invitations (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    customer_id   TEXT NOT NULL,                        -- cus_…: who pays
    invitation_id UUID NOT NULL,                        -- what the link in the mail is about
    invited_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    reminded_at   TIMESTAMPTZ,                          -- NULL: they were not
    stopped_at    TIMESTAMPTZ,                          -- since when they want no such mail
    PRIMARY KEY (guild_id, connection_id, customer_id),
    -- "Who wants no more?"
    UNIQUE (guild_id, invitation_id),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections
);

ALTER TABLE claim_invitations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON claim_invitations
    USING (guild_id = nullif(current_setting('nexrole.guild', true), '')::bigint);

-- The owner has them written to; the gateway writes, and hears who wants no more.
GRANT SELECT, INSERT (guild_id, connection_id, customer_id, invitation_id), UPDATE (reminded_at) ON claim_invitations TO nexrole_owner;
GRANT INSERT (guild_id, mail_id, kind, recipient, arguments, next_at, expires_at) ON mails TO nexrole_owner;
GRANT SELECT, UPDATE (stopped_at) ON claim_invitations TO nexrole_gateway;
GRANT INSERT (next_at) ON mails TO nexrole_gateway;

-- Who pays by somebody's personal link is one of them.
GRANT SELECT (state, connection_id, customer_id) ON link_tokens TO nexrole_owner;

-- Codes are sent before invitations, however many wait: they are over in minutes.
GRANT SELECT (expires_at) ON mails TO nexrole_ingest;
