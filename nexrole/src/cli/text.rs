//! Lines that several commands print.

pub(super) fn lines<T>(items: &[T], none: &str, line: impl Fn(&T) -> String) {
    if items.is_empty() {
        println!("  {none}");
    }
    for item in items {
        println!("  {}", line(item));
    }
}
