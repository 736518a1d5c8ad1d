-- Members are sent to Stripe's own pages: to that of the open invoice, to pay it, and to the login page of the customer portal, to manage
-- or cancel what they pay for. Both come from reads that may only read; an owner may paste the second.
LOCK TABLE stripe_cursors, stripe_connections, subscriptions IN ACCESS EXCLUSIVE MODE;

ALTER TABLE subscriptions
    -- The latest invoice, while it is open, has a page, and paying it would bring the subscription back; NULL: it is not so, or it was last
    -- read by a release that did not look.
    ADD COLUMN open_invoice_id      TEXT,
    ADD COLUMN open_invoice_url     TEXT,                 -- where that is paid; whoever has it sees the invoice, so it is in no log
    ADD COLUMN open_invoice_read_at TIMESTAMPTZ;          -- when Stripe answered that address: it does not work for ever

ALTER TABLE stripe_connections
    ADD COLUMN portal_url TEXT;                           -- the portal's login page as the owner pasted it; NULL: they did not

ALTER TABLE stripe_cursors
    -- When the portal's configuration is read next; moved on by whoever takes it: its lease.
    ADD COLUMN portal_next_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- What it said last; NULL: it was not read yet.
    ADD COLUMN portal_read      TEXT CHECK (portal_read IN ('page', 'disabled', 'missing', 'refused')),
    ADD COLUMN portal_login_url TEXT;                     -- its login page, if it has one

GRANT INSERT (open_invoice_id, open_invoice_url, open_invoice_read_at), UPDATE (open_invoice_id, open_invoice_url, open_invoice_read_at)
    ON subscriptions TO nexrole_gateway;
GRANT UPDATE (portal_next_at, portal_read, portal_login_url) ON stripe_cursors TO nexrole_gateway;
GRANT SELECT (portal_next_at), UPDATE (portal_next_at) ON stripe_cursors TO nexrole_ingest;
-- What a notice says. The rest of the two tables the bot reads already.
GRANT SELECT (portal_url) ON stripe_connections TO nexrole_bot;
-- `nexrole portal`; and `nexrole connect`, since another key may read what the last one may not.
GRANT UPDATE (portal_url) ON stripe_connections TO nexrole_owner;
GRANT SELECT (portal_next_at), UPDATE (portal_next_at) ON stripe_cursors TO nexrole_owner;
-- `nexrole connections`.
GRANT SELECT (portal_read, portal_login_url) ON stripe_cursors TO nexrole_operator;
