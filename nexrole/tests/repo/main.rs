//! What holds of the repository itself: no Postgres, no process, a second or two.

mod advisories;
mod ci;
mod controls;
mod fuzz;
mod module_graph;
mod policy;
mod stripe_events;
mod tidy;
