//! What the demo shows. Each step makes something happen at Stripe or Discord, and checks what came of it.

use futures::future::LocalBoxFuture;

use super::setup::Setup;

mod delivery;
mod discord_side;
mod grace;
mod held;
mod paying;
mod purchases;

pub(super) struct Step {
    /// In `--json`.
    pub(super) name: &'static str,
    /// On a terminal.
    pub(super) title: &'static str,
    /// Runs it; the answer says what was checked.
    pub(super) run: for<'a> fn(&'a Setup) -> LocalBoxFuture<'a, anyhow::Result<String>>,
}

macro_rules! steps {
    ($($name:literal $title:literal $run:path;)*) => {
        &[$(Step { name: $name, title: $title, run: |setup| Box::pin($run(setup)) },)*]
    };
}

pub(super) const STEPS: &[Step] = steps! {
    "paid" "Ana pays, claims it, and gets her role" paying::paid;
    "duplicate" "Stripe sends Ben's event 100 times at once" delivery::duplicate;
    "forged" "Somebody forges an event" delivery::forged;
    "out-of-order" "Events arrive in the wrong order" delivery::out_of_order;
    "webhook-lost" "Pam pays, and Stripe's webhook is lost" delivery::webhook_lost;
    "card-fails" "Dora's card fails, and recovers" paying::card_fails;
    "paused-at-once" "Nia's card fails, and the account pauses at that" grace::paused_at_once;
    "another-role" "Oz's card fails where another role stands in" grace::another_role;
    "stripe-down" "Stripe's API fails while an event is being read" delivery::stripe_down;
    "cancelled" "Eve cancels" paying::cancelled;
    "two-subscriptions" "Fay has two subscriptions and cancels one" paying::two_subscriptions;
    "bought-once" "Kim buys for ever, and her bank is slow" purchases::bought_once;
    "refunded" "Lou gets his money back, and then he does not" purchases::refunded;
    "disputed" "Mia disputes her payment, twice" purchases::disputed;
    "wrong-rule" "A wrong rule would cost five a role at once" held::wrong_rule;
    "humans-role" "Gus got his role from a moderator" discord_side::humans_role;
    "rate-limit" "Discord says: too many requests" discord_side::rate_limit;
    "rejoin" "Ida leaves the server, and comes back" discord_side::rejoin;
    "not-joined" "Jo pays before joining the server" discord_side::not_joined;
    "role-order" "The role is above the bot's own" discord_side::role_order;
    "crash" "The bot is killed after Discord acted, before it heard so" discord_side::crash;
    "status" "The owner asks /status" discord_side::status;
    "why" "The operator asks why Ana has her role" paying::why;
};
