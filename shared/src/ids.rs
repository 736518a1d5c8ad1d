//! A newtype for every id, so that a role never stands where a member should.
//!
//! Discord ids are snowflakes (<https://discord.com/developers/docs/reference#snowflakes>): positive, below 2^63.
//! Stripe's own ids are ASCII words of up to 255 characters (<https://docs.stripe.com/upgrades>). Prices (which were plans),
//! products and customers of old accounts have whatever their owner made up: `vip/monthly`, `lena@example.com`, `5 $ + VAT`.
//! So an id is encoded wherever it enters a path or a query, and nothing is split at a character that an id may have.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// A Discord id is 1 to 19 digits, above zero and below 2^63.
    #[error("a Discord id is a positive number of at most 19 digits (Discord: Developer Mode, then Copy ID)")]
    Snowflake,
    /// An id that Stripe makes is 1 to 255 of `A–Z a–z 0–9 _ -`.
    #[error("a Stripe id is 1 to 255 letters, digits, '_' or '-'")]
    Stripe,
    /// An id that an owner may have made up is 1 to 255 bytes without control characters.
    #[error("a Stripe id is 1 to 255 bytes, none of them a control character")]
    MadeUp,
}

/// Of Stripe's own making.
fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Control characters are no text: Postgres takes no NUL, and terminals obey the others.
fn is_text(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

macro_rules! snowflake {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Takes the number that Discord's libraries use; `None` if it does not fit Postgres' BIGINT or is 0.
            pub fn from_u64(id: u64) -> Option<Self> {
                i64::try_from(id).ok().filter(|id| *id > 0).map(Self)
            }
            pub fn to_i64(self) -> i64 {
                self.0
            }
            /// The number that Discord's libraries use.
            pub fn get(self) -> u64 {
                self.0.unsigned_abs()
            }
            /// When Discord made it: the upper 42 bits are milliseconds since 2015.
            pub fn created_at(self) -> Timestamp {
                Timestamp::UNIX_EPOCH + time::Duration::milliseconds((self.0 >> 22) + 1_420_070_400_000)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
                text.parse().ok().filter(|id: &i64| digits && *id > 0).map(Self).ok_or(InvalidId::Snowflake)
            }
        }
    )*};
}

macro_rules! stripe_id {
    ($is:ident, $otherwise:ident: $($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as Stripe writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = $is(text) && (1..=255).contains(&text.len());
                if fits { Ok(Self(text.to_owned())) } else { Err(InvalidId::$otherwise) }
            }
        }
    )*};
}

snowflake! {
    /// A Discord server: the tenant.
    GuildId;
    UserId;
    RoleId;
    /// A row of `stripe_connections`.
    ConnectionId;
    /// A row of `role_jobs`.
    JobId;
    /// A row of `member_notices`.
    NoticeId;
}

stripe_id! {
    is_word, Stripe:
    /// `evt_…`
    EventId;
    /// `sub_…`
    SubscriptionId;
    /// `in_…`
    InvoiceId;
    /// `cs_…`
    CheckoutSessionId;
    /// `pi_…`
    PaymentIntentId;
    /// `ch_…`
    ChargeId;
    /// `re_…`
    RefundId;
    /// `dp_…`
    DisputeId;
    /// `plink_…`
    PaymentLinkId;
}

stripe_id! {
    is_text, MadeUp:
    /// `cus_…`, or what an importer chose.
    CustomerId;
    /// `price_…`, or what a plan was called.
    PriceId;
    /// `prod_…`, or what an owner chose.
    ProductId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snowflake_is_positive_digits_that_fit_bigint() {
        for bad in ["", "0", "-1", "+5", "1e3", " 1", "9223372036854775808", "12345678901234567890", "abc"] {
            assert_eq!(bad.parse::<GuildId>(), Err(InvalidId::Snowflake), "{bad:?}");
        }
        assert_eq!("9223372036854775807".parse::<GuildId>().unwrap().get(), i64::MAX.unsigned_abs());
        assert_eq!(GuildId::from_u64(u64::MAX), None);
        assert_eq!(GuildId::from_u64(0), None);
    }

    #[test]
    fn an_id_of_stripes_making_is_a_word() {
        for bad in ["", "sub/../x", "sub_\0", "sub 1", "süb", "a?b", "a%2f", &"x".repeat(256)] {
            assert_eq!(bad.parse::<SubscriptionId>(), Err(InvalidId::Stripe), "{bad:?}");
        }
        assert_eq!("sub_1Abc-9".parse::<SubscriptionId>().unwrap().as_str(), "sub_1Abc-9");
    }

    #[test]
    fn an_id_that_somebody_made_up_is_any_text() {
        let long = "x".repeat(256);
        for bad in ["", "a\0", "a\tb", "a\nb", "\u{1b}[31m", "a\u{7f}", "a\u{9b}b", long.as_str()] {
            assert_eq!(bad.parse::<PriceId>(), Err(InvalidId::MadeUp), "{bad:?}");
        }
        for good in
            ["vip/monthly", "5 $ + VAT", "a?b#c%2f", "..", "süb", "lena@example.com", &"x".repeat(255)]
        {
            assert_eq!(good.parse::<ProductId>().unwrap().as_str(), good);
            assert_eq!(good.parse::<CustomerId>().unwrap().to_string(), good);
        }
    }
}
