//! An answer of Discord's, or of a proxy in between; see `bot::discord::fuzz::answer`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bot::discord::fuzz::answer(data));
