//! What the operator's commands do and say.

mod doctor;
mod erase;
mod export;
mod keys;
mod pipes;
