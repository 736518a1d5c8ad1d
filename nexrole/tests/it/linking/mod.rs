//! Whose a purchase is.

mod member_links;
mod moving;
mod references;
