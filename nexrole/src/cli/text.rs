//! Lines that several commands print.

use shared::{
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
};

pub(super) fn lines<T>(items: &[T], none: &str, line: impl Fn(&T) -> String) {
    if items.is_empty() {
        println!("  {none}");
    }
    for item in items {
        println!("  {}", line(item));
    }
}

/// There is no such mapping.
pub(super) fn not_mapped(guild: GuildId, sold: &Sold, role: RoleId) -> String {
    format!("{sold} does not give role {role}; `nexrole map list --guild {guild}` shows what gives which")
}
