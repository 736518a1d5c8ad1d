//! Pages for subscribers, as browsers see them: logging in, staying so, and claiming what was bought.

mod browser;
mod claim;
mod claim_code;
mod join;
mod login;
mod moving;
mod references;
mod sessions;
mod subscribe;
