//! What operating Nexrole meets: its own Postgres, logins and TLS, lost connections, secrets, metrics.

mod embedded_postgres;
mod metrics;
mod postgres_logins;
mod postgres_tls;
mod secrets;
mod security_promises;
mod service_requests;
mod silent_connections;
mod up;
