//! What Discord answers and does, and what the bot makes of it.

mod breaker;
mod dangerous_roles;
mod deleted_roles;
mod enforcement;
mod false_answers;
mod gateway;
mod given_by_hand;
mod job_priority;
mod mistakes;
mod refusals;
mod responses;
mod retries;
mod wait_reasons;
