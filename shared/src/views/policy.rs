//! What each state of a subscription or a purchase is worth. In: a mapping's policy. Out: a list of all states, with the words that set them.

use super::{
    document::{Document, Line, Message, Section, Value, message},
    mapping_changes::not_mapped_by,
};
use crate::{
    actions::set_policy::PolicySet,
    domain::entitlement::{mapping::Sold, policy::Policy},
    ids::{GuildId, RoleId},
};

/// Of a state's word.
const WIDTH: usize = 30;

pub fn document(sold: &Sold, role: RoleId, policy: Policy) -> Document {
    let rules = policy.words().into_iter().zip(Policy::DEFAULT.words());
    let lines = rules.map(|((state, rule), (_, default))| {
        let line = message("policy-rule")
            .with("state", Value::Cell(state.to_owned(), WIDTH))
            .with("rule", rule.to_string());
        let note = if rule == default {
            message("policy-default")
        } else {
            message("policy-not-default").with("default", default.to_string())
        };
        Line::from(line).note(note)
    });
    let title = message("policy-of").with("sold", Value::code(sold)).with("role", role);
    Document { sections: vec![Section::titled(title, lines.collect())], ..Document::default() }
}

/// The policy after it was set, and what follows.
pub fn set(guild: GuildId, sold: &Sold, role: RoleId, outcome: &PolicySet) -> Result<Document, Message> {
    let (policy, said) = match outcome {
        PolicySet::NotMapped => return Err(not_mapped_by(guild, sold, role)),
        PolicySet::AlreadySo(policy) => (*policy, message("policy-unchanged")),
        PolicySet::Set(policy, concerned) => (*policy, message("policy-set").with("concerned", *concerned)),
        PolicySet::SetByHand(policy, members) => {
            (*policy, message("policy-set-by-hand").with("members", *members))
        }
    };
    let mut document = document(sold, role, policy);
    document.sections.push(Section::untitled(vec![said.into()]));
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::entitlement::policy::Rule, views::terminal};

    #[test]
    fn every_state_has_a_line_that_says_whether_it_is_the_default() {
        let sold = Sold::parse("price", "price_1").unwrap();
        let policy = Policy { past_due: Rule::KeepDays(7), trialing: Rule::Remove, ..Policy::DEFAULT };
        insta::assert_snapshot!(terminal::render(&document(&sold, RoleId::from_u64(7).unwrap(), policy)), @r"
        price price_1 gives role 7 while what was bought is
          trialing                        remove  (the default is keep)
          active                          keep  (default)
          past_due                        7d  (the default is 14d)
          past_due_after_trial            1d  (default)
          paused_by_final_failure         remove  (default)
          paused_without_payment_method   remove  (default)
          pause_requested                 remove  (default)
          paused_by_system                remove  (default)
          unpaid                          remove  (default)
          incomplete                      remove  (default)
          incomplete_expired              remove  (default)
          canceled                        remove  (default)
          collection_as_draft             keep  (default)
          collection_uncollectible        keep  (default)
          collection_void                 keep  (default)
          quantity_zero                   remove  (default)
          paid_for                        keep  (default)
          invoice_refunded                keep  (default)
          invoice_refunded_managed        remove  (default)
          one_time                        keep  (default)
          refund_full                     remove  (default)
          refund_partial                  keep  (default)
          dispute_open                    remove  (default)
          dispute_lost                    remove  (default)
          given_by_hand                   ask  (default)
        ");
    }
}
