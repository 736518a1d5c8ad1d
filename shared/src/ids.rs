//! A newtype for every id, so that a role never stands where a member should.
//!
//! Discord ids are snowflakes (<https://discord.com/developers/docs/reference#snowflakes>): positive, below 2^63.
//! Stripe ids are opaque ASCII words; Stripe reserves up to 255 characters (<https://docs.stripe.com/upgrades>).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// A Discord id is 1 to 19 digits, above zero and below 2^63.
    #[error("a Discord id is a positive number of at most 19 digits (Discord: Developer Mode, then Copy ID)")]
    Snowflake,
    /// A Stripe id is 1 to 255 of `A–Z a–z 0–9 _ -`.
    #[error("a Stripe id is 1 to 255 letters, digits, '_' or '-'")]
    Stripe,
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
            /// As stored.
            pub fn to_i64(self) -> i64 {
                self.0
            }
            /// The number that Discord's libraries use.
            pub fn get(self) -> u64 {
                self.0.unsigned_abs()
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
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
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
            // The alphabet matters: ids become parts of URL paths and of SQL text values.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                if word && (1..=255).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(InvalidId::Stripe) }
            }
        }
    )*};
}

snowflake! {
    /// A Discord server: the tenant.
    GuildId;
    /// A Discord user.
    UserId;
    /// A Discord role.
    RoleId;
    /// A row of `stripe_connections`.
    ConnectionId;
    /// A row of `role_jobs`.
    JobId;
}

stripe_id! {
    /// `evt_…`
    EventId;
    /// `cus_…`
    CustomerId;
    /// `sub_…`
    SubscriptionId;
    /// `price_…`
    PriceId;
    /// `prod_…`
    ProductId;
    /// `plink_…`
    PaymentLinkId;
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
    fn a_stripe_id_cannot_leave_its_path_segment() {
        for bad in ["", "sub/../x", "sub_\0", "sub 1", "süb", "a?b", "a%2f", &"x".repeat(256)] {
            assert_eq!(bad.parse::<SubscriptionId>(), Err(InvalidId::Stripe), "{bad:?}");
        }
        assert_eq!("sub_1Abc-9".parse::<SubscriptionId>().unwrap().as_str(), "sub_1Abc-9");
    }
}
