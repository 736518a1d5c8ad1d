//! Whether roles follow payments yet. In: who holds a role when it is first looked at. Out: an [`Enforcement`].

/// What may be done with a mapped role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Enforcement {
    /// Discord was not asked yet who holds it: nothing is changed.
    Unseen,
    /// It had holders when it was mapped: access is computed and shown, nothing is changed.
    Observe,
    /// Roles follow payments.
    On,
}

impl Enforcement {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Observe => "observe",
            Self::On => "on",
        }
    }
}

/// First contact changes nothing: `holders` have the role, `ours` of them because of us. With anybody else's holders it
/// is for the owner to turn it on.
pub fn first_look(holders: i64, ours: i64) -> Enforcement {
    if holders > ours { Enforcement::Observe } else { Enforcement::On }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_with_somebody_elses_holders_is_only_observed() {
        for (holders, ours, expected) in [
            (0, 0, Enforcement::On),
            (1, 0, Enforcement::Observe),
            (3, 3, Enforcement::On),
            (4, 3, Enforcement::Observe),
            // Intentions that came to nothing.
            (2, 3, Enforcement::On),
        ] {
            assert_eq!(first_look(holders, ours), expected, "{holders} hold it, {ours} by us");
        }
    }
}
