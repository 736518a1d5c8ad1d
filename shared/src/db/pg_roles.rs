//! The database roles: what each part of Nexrole may do in Postgres. In: the login that migrates. Out: every role is there, and
//! the login may become each of them.
//!
//! Roles belong to the whole cluster, so they are not made by migrations: another database may have made them already.
//! What each may do with a table is granted by the migrations, and listed in `nexrole/tests/it/privileges.txt`.

use sqlx::{AssertSqlSafe, PgConnection};

/// Who connects. Each begins its sessions as one role, and does a tenant's work as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// `webhook-gateway`.
    Gateway,
    /// `bot`.
    Bot,
    /// `nexrole`'s own commands.
    Operator,
    /// What drops old data.
    Retention,
}

impl Login {
    /// The role of a session, across tenants: it may do what no tenant's role can, and nothing else.
    pub(crate) fn across_tenants(self) -> &'static str {
        match self {
            Self::Gateway => "nexrole_ingest",
            Self::Bot => "nexrole_worker",
            Self::Operator => "nexrole_operator",
            Self::Retention => "nexrole_retention",
        }
    }

    /// The role of a transaction for one tenant.
    pub(crate) fn for_one_tenant(self) -> &'static str {
        match self {
            Self::Gateway => "nexrole_gateway",
            Self::Bot => "nexrole_bot",
            Self::Operator => "nexrole_operator",
            Self::Retention => "nexrole_retention",
        }
    }

    /// Every role that a service with this login takes. The gateway also forgets what is old.
    pub(crate) fn all(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &["nexrole_ingest", "nexrole_gateway", "nexrole_retention"],
            Self::Bot => &["nexrole_worker", "nexrole_bot"],
            Self::Operator => &["nexrole_operator", OWNER],
            Self::Retention => &["nexrole_retention"],
        }
    }
}

/// The role of a transaction that acts for a guild's owner, whoever's login it is.
pub(crate) const OWNER: &str = "nexrole_owner";

/// Every role. None may log in, own anything, or pass by row-level security.
pub const ROLES: [&str; 7] = [
    "nexrole_gateway",
    "nexrole_ingest",
    "nexrole_bot",
    "nexrole_worker",
    "nexrole_operator",
    OWNER,
    "nexrole_retention",
];

/// Two who make the same role at once: one of them is refused, and checks again.
const TRIES: u32 = 10;

/// Why the roles are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    /// An administrator has to act, once per cluster.
    #[error(
        "this login may not make Nexrole's database roles, or not become them ({why}). An administrator runs once, on any \
         database of the cluster:\n{by_hand}"
    )]
    NotAllowed {
        /// What Postgres said.
        why: String,
        by_hand: String,
    },
    /// Somebody gave a role more than it may have.
    #[error(
        "the role {0} may log in, or pass by row-level security: ALTER ROLE {0} NOLOGIN NOSUPERUSER NOBYPASSRLS"
    )]
    OverPrivileged(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What an administrator runs where the migrating login lacks CREATEROLE, or the right to give a role to itself.
pub async fn by_hand(db: &mut PgConnection) -> Result<String, sqlx::Error> {
    let (login, there): (String, Vec<String>) = sqlx::query_as(
        "SELECT quote_ident(session_user),
                ARRAY (SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1))",
    )
    .bind(ROLES.as_slice())
    .fetch_one(&mut *db)
    .await?;
    let missing = ROLES.iter().filter(|role| !there.iter().any(|there| there == *role));
    let mut lines: Vec<_> = missing.map(|role| format!("CREATE ROLE {role} NOLOGIN;")).collect();
    lines.push(format!("GRANT {} TO {login}{};", ROLES.join(", "), to_become(db).await?));
    Ok(lines.join("\n"))
}

/// To become a role, not to have what it has. Before 16 Postgres knows no such difference; since then a grant that is there already
/// keeps its options unless they are named.
async fn to_become(db: &mut PgConnection) -> Result<&'static str, sqlx::Error> {
    let named: bool = sqlx::query_scalar("SELECT current_setting('server_version_num')::integer >= 160000")
        .fetch_one(db)
        .await?;
    Ok(if named { " WITH INHERIT FALSE, SET TRUE" } else { "" })
}

/// Makes the roles that are missing, and lets this login become each. Any number of callers may do so at once, on any
/// databases of the cluster.
pub async fn ensure(db: &mut PgConnection) -> Result<(), RolesError> {
    for role in ROLES {
        let mut tries = 1;
        while let Err(error) = ensure_one(db, role).await {
            let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
            match &*code {
                // 42710, 23505, XX000: made or granted by somebody else in this moment.
                "42710" | "23505" | "XX000" if tries < TRIES => tries += 1,
                "42501" => {
                    let why = error.as_database_error().map_or_else(String::new, |e| e.message().to_owned());
                    return Err(RolesError::NotAllowed { why, by_hand: by_hand(db).await? });
                }
                _ => return Err(error.into()),
            }
        }
    }
    let over_privileged: Option<String> = sqlx::query_scalar(
        "SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) AND (rolcanlogin OR rolsuper OR rolbypassrls)",
    )
    .bind(ROLES.as_slice())
    .fetch_optional(db)
    .await?;
    over_privileged.map_or(Ok(()), |role| Err(RolesError::OverPrivileged(role)))
}

/// How a session's login stands to roles that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It may become each.
    Fine,
    /// Some do not exist: nothing was ever migrated on this cluster.
    Missing,
    /// It may not become these.
    Lacks(Vec<String>),
}

/// Checks, whatever role the session has now.
pub(crate) async fn standing(db: &mut PgConnection, roles: &[&str]) -> Result<Standing, sqlx::Error> {
    // Since Postgres 16 to be a member is not enough.
    let unattainable: Vec<(String, bool)> = sqlx::query_as(
        "SELECT needed, r.oid IS NOT NULL
           FROM unnest($1::text[]) WITH ORDINALITY AS n (needed, nth) LEFT JOIN pg_roles r ON r.rolname = needed
          WHERE r.oid IS NULL
             OR NOT pg_has_role(session_user, r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                                          THEN 'SET' ELSE 'MEMBER' END)
          ORDER BY nth",
    )
    .bind(roles)
    .fetch_all(db)
    .await?;
    Ok(match unattainable {
        none if none.is_empty() => Standing::Fine,
        some if some.iter().any(|(_, exists)| !exists) => Standing::Missing,
        all => Standing::Lacks(all.into_iter().map(|(role, _)| role).collect()),
    })
}

/// Who may open the database.
#[derive(sqlx::FromRow)]
struct Access {
    open: bool,
    /// Its owner is this login.
    ours: bool,
    name: String,
    login: String,
}

/// Roles belong to the cluster, and so do logins: those of another installation beside this one may become the same roles, and
/// would open this database too. So only logins that are named may connect to it. `false`: everybody may, and it is not ours.
pub(crate) async fn close_database(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mut tries = 1;
    loop {
        let Access { open, ours, name, login } = sqlx::query_as(
            "SELECT has_database_privilege('public', oid, 'CONNECT') AS open,
                    pg_has_role(session_user, datdba, 'USAGE') AS ours,
                    quote_ident(datname) AS name, quote_ident(session_user) AS login
               FROM pg_database WHERE datname = current_database()",
        )
        .fetch_one(&mut *db)
        .await?;
        if !open || !ours {
            return Ok(!open);
        }
        let close = format!(
            "GRANT CONNECT ON DATABASE {name} TO {login}; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
        );
        match run(db, &close).await {
            // XX000: somebody else does the same in this moment.
            Err(error)
                if tries < TRIES
                    && error.as_database_error().and_then(|e| e.code()).as_deref() == Some("XX000") =>
            {
                tries += 1;
            }
            closed => {
                closed?;
                tracing::info!(
                    database = name,
                    "only logins that are granted CONNECT may open this database now"
                );
                return Ok(true);
            }
        }
    }
}

/// Whether the migrations' grants are there. A restore into a cluster without the roles loses them.
pub(crate) async fn are_granted(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT bool_and(has_table_privilege(r, '_sqlx_migrations', 'SELECT')) FROM unnest($1::text[]) r",
    )
    .bind(ROLES.as_slice())
    .fetch_one(db)
    .await
}

/// Becoming a role is the test: since Postgres 16, to be a member, or to have made it, is not enough.
async fn become_and_return(db: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    run(db, &format!("SET ROLE {role}; RESET ROLE")).await
}

async fn ensure_one(db: &mut PgConnection, role: &'static str) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *db)
        .await?;
    if !there {
        run(db, &format!("CREATE ROLE {role} NOLOGIN")).await?;
    }
    // Becoming it is the test: since Postgres 16, to be a member, or to have made it, is not enough.
    match become_and_return(db, role).await {
        Err(error) if error.as_database_error().and_then(|e| e.code()).as_deref() == Some("42501") => {
            let how = to_become(db).await?;
            run(db, &format!("GRANT {role} TO CURRENT_USER{how}")).await?;
            become_and_return(db, role).await
        }
        became => became,
    }
}

async fn run(db: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await?;
    Ok(())
}
