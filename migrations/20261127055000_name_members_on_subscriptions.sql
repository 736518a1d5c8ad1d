-- A subscription whose own metadata names a member gives its roles to that member, whoever its customer is linked to: one
-- customer may pay for several people.

LOCK TABLE subscriptions IN ACCESS EXCLUSIVE MODE;

ALTER TABLE subscriptions
    ADD COLUMN user_id BIGINT;                           -- whom its own metadata named last; NULL: nobody, so the customer's link counts
-- "Which purchases are this member's by their own?"
CREATE INDEX subscriptions_of_user ON subscriptions (guild_id, user_id) WHERE user_id IS NOT NULL;

GRANT INSERT (user_id), UPDATE (user_id) ON subscriptions TO nexrole_gateway;
-- `nexrole link remove` and `nexrole erase` forget it.
GRANT UPDATE (user_id) ON subscriptions TO nexrole_operator;
