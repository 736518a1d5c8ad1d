//! Mail, over a real SMTP server on loopback.

mod claim_codes;
mod invitations;
mod server;
