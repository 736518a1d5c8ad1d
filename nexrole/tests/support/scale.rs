//! How much is tried. `NEXROLE_TEST_SCALE=full` multiplies what is generated.

use shared::config::Env;

pub(crate) fn is_full() -> bool {
    Env::from_process().get("NEXROLE_TEST_SCALE").as_deref() == Some("full")
}

pub(crate) fn scaled(normal: usize, full: usize) -> usize {
    if is_full() { full } else { normal }
}
