//! Lines that several commands print.

pub(super) use shared::views::terminal::time as when;

/// What became of a role, and what to do about it.
pub(super) const DELETED: &str = "was deleted in Discord: nobody can be given it. Map another role to what it was sold by (`nexrole map add`)";

pub(super) fn lines<T>(items: &[T], none: &str, line: impl Fn(&T) -> String) {
    if items.is_empty() {
        println!("  {none}");
    }
    for item in items {
        println!("  {}", line(item));
    }
}
