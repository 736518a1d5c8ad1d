-- What a state of a subscription is worth is the owner's choice, for each mapping; and a payment that failed is waited for, but not
-- for ever.
LOCK TABLE subscriptions, role_mappings IN ACCESS EXCLUSIVE MODE;

ALTER TABLE role_mappings
    -- The states whose rule is not the default's, as shared::domain::entitlement::policy has them; NULL: none.
    ADD COLUMN policy JSONB;
ALTER TABLE subscriptions
    -- Since when a payment is due, by Stripe's clock if it said, else when we saw it first; NULL: none is. It never moves on while
    -- the payment is due.
    ADD COLUMN unpaid_since TIMESTAMPTZ,
    -- When it ends by itself; NULL: it does not.
    ADD COLUMN ends_at TIMESTAMPTZ,
    -- Why it is paused, in Stripe's word; NULL: it is not, or Stripe did not say.
    ADD COLUMN pause_cause TEXT;

GRANT INSERT (unpaid_since, ends_at, pause_cause), UPDATE (unpaid_since, ends_at, pause_cause) ON subscriptions TO nexrole_gateway;
GRANT INSERT (valid_until), UPDATE (valid_until) ON access_sources TO nexrole_gateway;
GRANT UPDATE (policy) ON role_mappings TO nexrole_owner;
