-- A second trial by the same Discord member is said. A trial of Stripe's stays on its subscription; one of a trial offer is gone from
-- its item when it is over. So each is remembered, with the subscription that had it.

ALTER TABLE subscriptions
    ADD COLUMN trial_began_at   TIMESTAMPTZ,             -- when it was first in a trial, as far as it was read; NULL: in none
    ADD COLUMN trial_ends_at    TIMESTAMPTZ,             -- when the trial that was read last ends, or ended; NULL: there was none, or Stripe did not say
    ADD COLUMN repeats_trial_of TEXT;                    -- the subscription of the same member that had the first one; NULL: nothing was said

GRANT INSERT (trial_began_at, trial_ends_at), UPDATE (trial_began_at, trial_ends_at, repeats_trial_of) ON subscriptions TO nexrole_gateway;
