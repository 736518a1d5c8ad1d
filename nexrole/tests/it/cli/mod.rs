//! What the operator's commands do and say.

mod doctor;
mod erase;
mod export;
mod failed;
mod keys;
mod pipes;
