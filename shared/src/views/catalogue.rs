//! What a server's owner sells at Stripe, and which roles it gives. In: prices, by product, and payment links. Out: a list.

use super::document::{Document, Line, Message, Section, Value, message};
use crate::{
    domain::{billing::catalogue::in_words, roles::enforcement::Enforcement},
    ids::GuildId,
    store::{
        catalogue::{Link, Offer},
        health_facts::Unsold,
    },
};

/// Prices of one product follow each other.
pub fn document(offers: &[Offer], links: &[Link]) -> Document {
    if offers.is_empty() {
        let lines = vec![message("catalogue-none").into(), message("catalogue-none-fix").into()];
        return Document { sections: vec![Section::untitled(lines)], ..Document::default() };
    }
    let products = offers.chunk_by(|one, next| one.product_id == next.product_id).filter_map(product);
    let mut sections = vec![Section::untitled(products.collect::<Vec<_>>())];
    if !links.is_empty() {
        let details = links.iter().map(link).collect();
        let line = Line { details, ..Line::from(message("catalogue-links")) };
        sections.push(Section::untitled(vec![line]));
    }
    Document { sections, ..Document::default() }
}

/// A role that members pay for, of which nothing is sold any more.
pub fn unsold(guild: GuildId, unsold: &Unsold) -> Line {
    let Unsold { role_id, sold, members } = unsold;
    let said = message("finding-unsold")
        .with("guild", guild)
        .with("sold", Value::List(sold.iter().map(Value::code).collect()))
        .with("role", *role_id)
        .with("members", *members);
    let fix =
        message("finding-unsold-fix").with("guild", guild.to_string()).with("role", role_id.to_string());
    Line::from(said).fix(fix)
}

fn product(offers: &[Offer]) -> Option<Line> {
    let Offer { product_id, product_name, .. } = offers.first()?;
    let name = match product_name {
        Some(name) => Value::code(name),
        None => message("catalogue-no-name").into(),
    };
    let text = message("catalogue-product").with("product", Value::code(product_id)).with("name", name);
    Some(Line { details: offers.iter().map(price).collect(), ..Line::from(text) })
}

fn price(offer: &Offer) -> Message {
    let amount = in_words(
        offer.currency.as_deref(),
        offer.unit_amount,
        offer.interval.as_deref(),
        offer.interval_count,
    );
    let gives = match (offer.role_id, offer.enforcement) {
        (None, _) => message("catalogue-gives-no-role"),
        (Some(role), Some(Enforcement::Observe)) => message("catalogue-gives-observed").with("role", role),
        (Some(role), _) => message("catalogue-gives").with("role", role),
    };
    message("catalogue-price")
        .with("price", Value::code(&offer.price_id))
        .with("amount", amount)
        .with("gives", gives)
}

fn link(link: &Link) -> Message {
    let prices = match &link.price_ids[..] {
        [] => message("catalogue-prices-unknown").into(),
        ids => Value::List(ids.iter().map(Value::code).collect()),
    };
    let after = match &link.redirect_url {
        Some(url) => Value::from(&**url),
        None => message("catalogue-after-at-stripe").into(),
    };
    message("catalogue-link").with("url", &*link.url).with("prices", prices).with("after", after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::RoleId, views::terminal};

    fn offer(product: &str, price: &str) -> Offer {
        Offer {
            product_id: product.to_owned(),
            product_name: None,
            price_id: price.to_owned(),
            currency: Some("usd".to_owned()),
            unit_amount: Some(900),
            interval: Some("month".to_owned()),
            interval_count: Some(1),
            role_id: None,
            enforcement: None,
        }
    }

    fn said(offers: &[Offer], links: &[Link]) -> String {
        terminal::render(&document(offers, links))
    }

    #[test]
    fn prices_stand_under_their_product_and_links_after_all() {
        let gives = |price, enforcement| Offer {
            product_name: Some("VIP".to_owned()),
            role_id: RoleId::from_u64(5),
            enforcement: Some(enforcement),
            ..offer("prod_1", price)
        };
        let offers = [
            gives("price_1", Enforcement::On),
            gives("price_2", Enforcement::Observe),
            offer("prod_2", "price_3"),
        ];
        insta::assert_snapshot!(said(&offers[..1], &[]), @r"
        prod_1  VIP
            price_1  9.00 USD every month  gives role 5
        ");
        let link = |price_ids: &[&str], redirect_url: Option<&str>| Link {
            url: "https://buy.stripe.com/a".to_owned(),
            price_ids: price_ids.iter().map(|id| (*id).to_owned()).collect(),
            redirect_url: redirect_url.map(str::to_owned),
        };
        let links = [link(&["price_1", "price_2"], None), link(&[], Some("https://example.com"))];
        insta::assert_snapshot!(said(&offers, &links), @r"
        prod_1  VIP
            price_1  9.00 USD every month  gives role 5
            price_2  9.00 USD every month  gives role 5, which is only observed
        prod_2  (no name)
            price_3  9.00 USD every month  gives no role

        Payment links
            https://buy.stripe.com/a  sells price_1, price_2  then Stripe's own page
            https://buy.stripe.com/a  sells what Stripe did not say  then https://example.com
        ");
    }

    #[test]
    fn nothing_is_known_to_be_sold() {
        insta::assert_snapshot!(said(&[], &[]), @r"
        No active price is known. It is read from Stripe at first contact; the key needs Read on Prices,
        Products and Payment Links for it. Any price can be mapped by its id: nexrole map add --price price_…
        ");
    }
}
