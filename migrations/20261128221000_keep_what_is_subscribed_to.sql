-- Which amounts are subscribed to, for reports: prices, quantities and discounts as Stripe says, and what a one-time purchase came to.
-- What somebody paid for an invoice is not read. An amount that is not known is left out, never 0.

ALTER TABLE subscriptions
    -- [{"price", "product", "quantity", "unit_amount", "currency", "interval", "interval_count", "discounts"}]; NULL: not all are known
    ADD COLUMN items     JSONB,
    -- [{"percent_off" or "amount_off" and "currency", "ends_at"}], on the whole subscription; NULL: unknown
    ADD COLUMN discounts JSONB;

ALTER TABLE purchases
    ADD COLUMN amount_total BIGINT,                      -- in the smallest unit of the currency; NULL: unknown
    ADD COLUMN currency     TEXT;                        -- three lower-case letters; NULL: unknown

GRANT INSERT (items, discounts), UPDATE (items, discounts) ON subscriptions TO nexrole_gateway;
GRANT INSERT (amount_total, currency), UPDATE (amount_total, currency) ON purchases TO nexrole_gateway;
