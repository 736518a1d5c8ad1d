-- What an owner looks for before and after a move from another service: of whose payments a platform takes a part, and under which
-- metadata keys somebody wrote Discord ids. Of metadata only the names of such keys are kept, never a value.
LOCK TABLE customers, subscriptions, purchases IN ACCESS EXCLUSIVE MODE;

ALTER TABLE subscriptions
    -- The part of each payment that a platform takes, as Stripe says it; NULL: none, or it was last read by a release that did not look.
    ADD COLUMN application_fee_percent DOUBLE PRECISION,
    -- Keys of its metadata whose values look like Discord ids; NULL: it was last read by a release that did not look.
    ADD COLUMN id_keys TEXT[];
ALTER TABLE customers ADD COLUMN id_keys TEXT[];         -- the same; NULL also where Stripe showed no more than its id
ALTER TABLE purchases ADD COLUMN id_keys TEXT[];         -- the same, of the checkout session

GRANT INSERT (application_fee_percent, id_keys), UPDATE (application_fee_percent, id_keys) ON subscriptions TO nexrole_gateway;
GRANT INSERT (id_keys), UPDATE (id_keys) ON customers, purchases TO nexrole_gateway;
