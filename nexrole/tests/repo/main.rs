//! What holds of the repository itself: no Postgres, no process, a second or two.

mod ci;
mod controls;
mod fuzz;
mod policy;
mod tidy;
