//! What people ask of Nexrole: the operator by its own commands, a manager by `/status`. In: arguments. Out: what it says.

use std::{
    collections::BTreeMap,
    process::{Output, Stdio},
};

use serde_json::Value;
use shared::{
    actions::map::{Mapped, map},
    db::{authorized::Authorized, pg_roles::Login},
    domain::entitlement::{mapping::Sold, policy::Policy},
    ids::{GuildId, RoleId},
};
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{Member, World};

impl World {
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexrole"));
        command.args(arguments).env("DATABASE_URL", self.database_url()).current_dir(std::env::temp_dir());
        // Nobody is there to be asked, whoever runs the tests.
        command.stdin(Stdio::null()).output().await.expect("nexrole starts")
    }

    /// What one of nexrole's own commands says on stdout, whatever it comes to.
    pub(crate) async fn nexrole_says(&self, arguments: &[&str]) -> String {
        text(self.run(arguments).await.stdout)
    }

    /// Runs one of nexrole's own commands; stdout, or stderr of a failure.
    pub(crate) async fn nexrole(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.run(arguments).await;
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The same of a command about the world's server that reads stdin: `--guild` is added.
    pub(crate) async fn of_guild_reading(&self, arguments: &[&str], stdin: String) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexrole"));
        command.args(arguments).args(["--guild", &self.guild.to_string()]).current_dir(std::env::temp_dir());
        command.env("DATABASE_URL", self.database_url());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nexrole starts");
        let mut pipe = child.stdin.take().expect("it is piped");
        // It may refuse its arguments, and not read at all.
        let fed = tokio::spawn(async move { drop(pipe.write_all(stdin.as_bytes()).await) });
        let output = child.wait_with_output().await.expect("nexrole ends");
        fed.await.expect("no panic");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// A command about the world's server: `--guild` is added.
    pub(crate) async fn of_guild(&self, arguments: &[&str]) -> Result<String, String> {
        let guild = self.guild.to_string();
        self.nexrole(&[arguments, &["--guild", guild.as_str()][..]].concat()).await
    }

    pub(crate) async fn map(&self, kind: &str, sold: &str, role: u64) {
        let sold = match kind {
            "price" => Sold::Price(sold.parse().expect("a price")),
            "product" => Sold::Product(sold.parse().expect("a product")),
            other => panic!("a {other} is not sold"),
        };
        let guild = GuildId::from_u64(self.guild).expect("a snowflake");
        let role = RoleId::from_u64(role).expect("a snowflake");
        let pool = self.login(Login::Operator);
        let by = Authorized::operator(&pool, guild).expect("the operator's login");
        let mapped = map(&pool, &by, &sold, role, Policy::DEFAULT).await.expect("the database answers");
        assert!(matches!(mapped, Mapped::Added(_) | Mapped::AlreadySo), "it is mapped: {mapped:?}");
        pool.close().await;
    }

    pub(crate) async fn map_list(&self) -> String {
        self.of_guild(&["map", "list"]).await.expect("they are listed")
    }

    /// Why a member has or lacks roles.
    pub(crate) async fn why(&self, member: &Member) -> String {
        let member = member.user.to_string();
        self.of_guild(&["why", "--member", &member]).await.expect("it is explained")
    }

    /// What `/status` answers to a manager.
    pub(crate) async fn status(&self) -> String {
        let owner = self.discord.join(self.guild, "owner").await.expect("joins");
        self.status_for(owner).await
    }

    /// What `/status` answers to this manager.
    pub(crate) async fn status_for(&self, manager: u64) -> String {
        self.discord.interact(self.guild, manager, "status").await.expect("an answer").text()
    }

    /// What `nexrole doctor` finds, without the services' variables: by check, the last finding.
    pub(crate) async fn doctor(&self) -> BTreeMap<String, Value> {
        let said = self.nexrole_says(&["doctor", "--json"]).await;
        let findings = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
        findings.map(|finding| (finding["check"].as_str().expect("a name").to_owned(), finding)).collect()
    }

    /// What it finds with the services' variables, line by line, whatever its exit code.
    pub(crate) async fn doctor_with_variables(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexrole"));
        command.args(["doctor", "--json"]).envs(self.variables()).current_dir(std::env::temp_dir());
        text(command.output().await.expect("nexrole starts").stdout)
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("it speaks UTF-8")
}
