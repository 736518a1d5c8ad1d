//! Who is to have which role, by what they pay for: sources of access, what each is worth, and what changes.

pub mod bought;
pub mod diff;
pub mod ended_by;
pub mod evaluate;
pub mod facts;
pub mod given;
pub mod mapping;
pub mod member_list;
pub mod policy;
pub mod source;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod purchase_laws;
