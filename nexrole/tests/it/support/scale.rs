//! How much is tried. `NEXROLE_TEST_SCALE=full` multiplies what is generated.

use shared::config::Env;
use uuid::Uuid;

pub(crate) fn is_full() -> bool {
    Env::from_process().get("NEXROLE_TEST_SCALE").as_deref() == Some("full")
}

pub(crate) fn scaled(normal: usize, full: usize) -> usize {
    if is_full() { full } else { normal }
}

/// Where generators begin: `NEXROLE_TEST_SEED`, to see again what failed, or another number each time. It is printed.
pub(crate) fn seed() -> u64 {
    let said = Env::from_process().get("NEXROLE_TEST_SEED");
    let seed = said.map_or_else(
        || Uuid::new_v4().as_u64_pair().0,
        |seed| seed.parse().expect("NEXROLE_TEST_SEED is a number"),
    );
    println!("NEXROLE_TEST_SEED={seed}");
    seed
}
