//! Lines that several commands print.

pub(super) use shared::views::terminal::time as when;

pub(super) fn lines<T>(items: &[T], none: &str, line: impl Fn(&T) -> String) {
    if items.is_empty() {
        println!("  {none}");
    }
    for item in items {
        println!("  {}", line(item));
    }
}
