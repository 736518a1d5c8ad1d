//! Role jobs in, role changes out. A turn with one guild passes five stages, a file each, and data goes forward only:
//! `claim` → `observe` → `plan` → `execute` → `settle`. Each member goes from observe to execute by itself: nobody's roles
//! are changed on what was seen before another member's calls, and an intention is durable right before its call. What would take a
//! role from too many is held before it (`breaker`).

pub mod adding;
mod breaker;
mod claim;
mod context;
pub mod deadlines;
mod execute;
mod observe;
mod plan;
mod progress;
pub mod reminders;
pub mod role_intake;
mod role_safety;
pub mod run;
mod settle;
mod stopping;
mod turn;
