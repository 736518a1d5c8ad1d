//! A Stripe-Signature header, and the body under it; see `webhook_gateway::stripe::fuzz::signature_header`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| webhook_gateway::stripe::fuzz::signature_header(data));
