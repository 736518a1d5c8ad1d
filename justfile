# What a developer types. `just` lists it; without `just`, type what stands under the name.

_list:
    @just --list --unsorted

# Every few minutes: format, lints, unit tests, and what holds of the repository
fast:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo test -q --workspace --locked --lib --test repo

# Everything that must hold before a change lands
all:
    .ci/run

# End to end, on a Postgres of its own: `just it dangerous_roles::`
it *FILTERS:
    cargo test --test it -- {{FILTERS}}

# Gateway, bot and Postgres killed, at random and at named points: `just crash points::`
crash FILTER="":
    cargo test --test it -- crash::{{FILTER}}

# A subscriber's way in a real browser, with a picture of each page in target/screenshots
browser FILTER="":
    eval "$(.ci/browser)" && NEXROLE_BROWSER=required NEXROLE_SCREENSHOTS="$PWD/target/screenshots" cargo test --test it -- browser::{{FILTER}}

# The demo: the real services against sandboxes of Stripe and Discord
demo:
    cargo run -- demo --once

# Events, turns and idle memory, on a release build
bench:
    cargo bench --bench pipeline

# After a migration: writes the list of what each database role may do, for a person to read
privileges:
    NEXROLE_WRITE_PRIVILEGES=1 cargo test --test it -- tenancy::every_grant
    git diff nexrole/tests/it/privileges.txt

# Licences, bans, sources and advisories of what we build on; needs cargo-deny
deny:
    cargo deny check
