//! `nexrole follow`: whether a role that a person gave to who pays is to follow the payment. Without an answer: what is asked. Text on
//! stdout.

use anyhow::{Context, bail};
use shared::{
    actions::follow_payment::{Answer, Whom, follow_payment},
    db::{authorized::Authorized, pool::Pool},
    domain::activity::Activity,
    ids::{GuildId, RoleId, UserId},
    store::follow_questions,
    views::{
        follow_questions::{answered, document},
        terminal,
    },
};

use super::{
    activity::write_down,
    guild::{failed, known},
    text::say,
};

/// About whom, and the answer.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The role's id
    #[arg(long, requires = "answer")]
    role: Option<RoleId>,
    /// The member's user id
    #[arg(long, visible_alias = "user", requires = "answer", conflicts_with = "everyone")]
    member: Option<UserId>,
    /// All about whom it is asked, if they are so many: the list says how many
    #[arg(long, value_name = "COUNT", requires = "answer")]
    everyone: Option<usize>,
    /// yes: the role ends with the payment; no: it stays
    answer: Option<YesOrNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum YesOrNo {
    Yes,
    No,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, role, member, everyone, answer } = *arguments;
    let Some(answer) = answer else {
        let mut tenant = known(pool, guild).await?;
        let open = follow_questions::open(&mut tenant).await?;
        write_down(tenant, Activity::PreviewRead, None).await?;
        println!("{}", terminal::render(&document(guild, &open)));
        return Ok(());
    };
    let whom = match (member, everyone) {
        (Some(member), None) => Whom::Member(member),
        (None, Some(counted)) => Whom::Everyone { counted },
        _ => bail!("give either --member or --everyone"),
    };
    let role = role.context("give --role, too")?;
    let answer = Answer { whom, role, follows: answer == YesOrNo::Yes };
    let by = Authorized::operator(pool, guild)?;
    let outcome = follow_payment(pool, &by, answer).await.map_err(|error| failed(guild, error))?;
    say(answered(guild, &answer, &outcome))
}
