-- What was bought once gives a role, too; and what goes back of a payment, by a refund or a dispute, may take it.
-- stripe_connections, since the new tables refer to it.
LOCK TABLE access_sources, stripe_sync, stripe_connections, subscriptions IN ACCESS EXCLUSIVE MODE;

ALTER TABLE access_sources DROP CONSTRAINT access_sources_stripe_object_check;
ALTER TABLE access_sources ADD CONSTRAINT access_sources_stripe_object_check
    CHECK (stripe_object IN ('subscription', 'checkout_session'));

-- A refund or a dispute names a payment, and only reading tells what was bought with it.
ALTER TABLE stripe_sync DROP CONSTRAINT stripe_sync_object_kind_check;
ALTER TABLE stripe_sync ADD CONSTRAINT stripe_sync_object_kind_check
    CHECK (object_kind IN ('catalogue', 'charge', 'checkout_session', 'customer', 'dispute', 'invoice', 'payment_intent', 'refund',
                           'subscription'));

-- Mirror of one-time purchases: checkout sessions that are no subscription's.
CREATE TABLE purchases (
    guild_id      BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    session_id    TEXT NOT NULL,
    customer_id   TEXT,                                  -- NULL: a guest, of whom Stripe keeps no customer
    status        TEXT NOT NULL,                         -- paid, not_paid, or Stripe's words that we do not know yet
    price_ids     TEXT[] NOT NULL,
    product_ids   TEXT[] NOT NULL,
    paid_at       TIMESTAMPTZ,                           -- NULL: it is not, or Stripe did not say
    user_id       BIGINT,                                -- whom its own metadata named last; NULL: nobody, so the customer's link counts
    missing_since TIMESTAMPTZ,                           -- the connected account has none such; NULL: it has
    synced_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, connection_id, session_id),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections
);
-- "Which purchases does a new link, or a changed customer, concern?"
CREATE INDEX purchases_of_customer ON purchases (guild_id, connection_id, customer_id);
-- "Which purchases are this member's by their own?"
CREATE INDEX purchases_of_user ON purchases (guild_id, user_id) WHERE user_id IS NOT NULL;

-- What went back of the payments of subscriptions, as last read: a row for each payment of which Stripe ever told such a thing.
CREATE TABLE payment_reversals (
    guild_id          BIGINT NOT NULL,
    connection_id     BIGINT NOT NULL,
    payment_intent_id TEXT NOT NULL,
    invoice_id        TEXT NOT NULL,                     -- what it paid
    subscription_id   TEXT NOT NULL,                     -- whose invoice that is
    invoiced_at       TIMESTAMPTZ NOT NULL,              -- when Stripe made the invoice
    refund            TEXT NOT NULL CHECK (refund IN ('none', 'partial', 'full', 'unknown')),
    dispute           TEXT NOT NULL CHECK (dispute IN ('none', 'open', 'lost', 'unknown')),
    is_managed        BOOLEAN NOT NULL,                  -- Stripe sells in its own name
    synced_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, connection_id, payment_intent_id, invoice_id),
    FOREIGN KEY (guild_id, connection_id) REFERENCES stripe_connections
);
-- "What went back of what this subscription paid?"
CREATE INDEX payment_reversals_of_subscription ON payment_reversals (guild_id, connection_id, subscription_id);

ALTER TABLE subscriptions
    -- When the latest invoice was made that was seen paid, with money; NULL: none was. What went back of an earlier one is over.
    ADD COLUMN paid_invoice_at TIMESTAMPTZ;

DO $$
DECLARE
    guarded TEXT;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['purchases', 'payment_reversals']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I
                            USING (guild_id = nullif(current_setting(''nexrole.guild'', true), '''')::bigint)', guarded);
    END LOOP;
END $$;

GRANT SELECT, INSERT (guild_id, connection_id, session_id, customer_id, status, price_ids, product_ids, paid_at, user_id),
      UPDATE (customer_id, status, price_ids, product_ids, paid_at, user_id, missing_since, synced_at)
    ON purchases TO nexrole_gateway;
GRANT SELECT, INSERT (guild_id, connection_id, payment_intent_id, invoice_id, subscription_id, invoiced_at, refund, dispute, is_managed),
      UPDATE (subscription_id, invoiced_at, refund, dispute, is_managed, synced_at)
    ON payment_reversals TO nexrole_gateway;
GRANT INSERT (paid_invoice_at), UPDATE (paid_invoice_at) ON subscriptions TO nexrole_gateway;
-- Mappings, links and erasure concern purchases as they do subscriptions.
GRANT SELECT, UPDATE (user_id) ON purchases TO nexrole_owner;
-- `nexrole why` and `map preview`; `/status`.
GRANT SELECT ON purchases TO nexrole_operator, nexrole_bot;
