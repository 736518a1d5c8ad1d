//! `nexrole catalogue`: what a server's owner sells at Stripe, and which roles it gives. Text on stdout.

use shared::db::pool::Pool;
use shared::{
    domain::{activity::Activity, billing::catalogue::in_words, roles::enforcement::Enforcement},
    ids::GuildId,
    store::catalogue::{self, Offer},
};

use super::{activity::write_down, guild::known};

/// Prints the catalogue.
pub(super) async fn show(pool: &Pool, guild: GuildId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let offers = catalogue::offers(&mut tenant).await?;
    let links = catalogue::links(&mut tenant).await?;
    write_down(tenant, Activity::CatalogueRead, None).await?;
    if offers.is_empty() {
        println!(
            "No active price is known. It is read from Stripe at first contact; the key needs Read on Prices,"
        );
        println!(
            "Products and Payment Links for it. Any price can be mapped by its id: nexrole map add --price price_…"
        );
        return Ok(());
    }
    let mut product = None;
    for offer in &offers {
        if product != Some(&offer.product_id) {
            println!("{}  {}", offer.product_id, offer.product_name.as_deref().unwrap_or("(no name)"));
            product = Some(&offer.product_id);
        }
        println!("    {}  {}  {}", offer.price_id, price(offer), gives(offer));
    }
    if !links.is_empty() {
        println!("\nPayment links");
    }
    for link in links {
        let after = link.redirect_url.unwrap_or_else(|| "Stripe's own page".to_owned());
        println!("    {}  sells {}  then {after}", link.url, list(&link.price_ids));
    }
    Ok(())
}

fn price(offer: &Offer) -> String {
    in_words(offer.currency.as_deref(), offer.unit_amount, offer.interval.as_deref(), offer.interval_count)
}

fn gives(offer: &Offer) -> String {
    match (offer.role_id, offer.enforcement) {
        (None, _) => "gives no role".to_owned(),
        (Some(role), Some(Enforcement::Observe)) => format!("gives role {role}, which is only observed"),
        (Some(role), _) => format!("gives role {role}"),
    }
}

fn list(prices: &[String]) -> String {
    if prices.is_empty() { "what Stripe did not say".to_owned() } else { prices.join(", ") }
}
