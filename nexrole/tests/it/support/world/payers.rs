//! Many who pay, and how many of them have the role. In: how many. Out: them, each with their subscription.

use shared::{
    actions::{approve::approve, held::held},
    db::{authorized::Authorized, pg_roles::Login},
    domain::job::JobState,
    ids::GuildId,
};

use super::{Member, World};

/// A member who pays for VIP, and has it.
pub(crate) struct Payer {
    pub(crate) member: Member,
    pub(crate) subscription: String,
}

impl World {
    pub(crate) async fn payers(&self, count: usize) -> Vec<Payer> {
        let mut payers = Vec::with_capacity(count);
        for _ in 0..count {
            let member = self.member().await;
            let subscription = self.subscribes(&member).await;
            payers.push(Payer { member, subscription });
        }
        let given = async || self.grants_where(|grant| !grant.is_ending).await;
        self.until("all of them have the role", async || given().await >= count).await;
        self.heard().await;
        assert_eq!(self.with_vip(&payers).await, count);
        payers
    }

    /// How many of them have VIP at Discord.
    pub(crate) async fn with_vip(&self, payers: &[Payer]) -> usize {
        let mut with = 0;
        for payer in payers {
            with += usize::from(self.has(&payer.member, self.vip).await);
        }
        with
    }

    /// The owner says what a state of what is sold is worth to VIP.
    pub(crate) async fn sets_policy(&self, rule: &str) {
        let role = self.vip.to_string();
        let said = self.of_guild(&["map", "policy", "--price", &self.price, "--role", &role, rule]).await;
        assert!(said.as_ref().is_ok_and(|said| said.contains("Set.")), "{said:?}");
    }

    /// From how many it is not taken until the owner answers.
    pub(crate) async fn held(&self) -> usize {
        self.jobs(JobState::Held).await
    }

    /// The owner has all taken that is held: of a story in which more end within a day than may.
    pub(crate) async fn owner_approves(&self) {
        self.settle().await;
        let pool = self.login(Login::Operator);
        let guild = GuildId::from_u64(self.guild).expect("a snowflake");
        let by = Authorized::operator(&pool, guild).expect("the operator's login");
        for held in held(&pool, &by, None, None).await.expect("the database answers") {
            approve(&pool, &by, held.role, &held.all()).await.expect("the database answers");
        }
        pool.close().await;
        self.settle().await;
    }

    pub(crate) async fn until_held(&self, jobs: usize) {
        self.until("so many are held", async || self.held().await == jobs).await;
        self.settle().await;
    }
}
