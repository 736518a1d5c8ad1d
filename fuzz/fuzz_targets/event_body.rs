//! A signed body; see `webhook_gateway::stripe::fuzz::event_body`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| webhook_gateway::stripe::fuzz::event_body(data));
