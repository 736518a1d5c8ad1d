//! `nexrole export`: a server's audit log, as JSON lines or CSV (RFC 4180) on stdout.

use std::io::Write;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::json;
use shared::{
    db::{pool::Pool, tenant},
    domain::activity::Activity,
    ids::GuildId,
    store::export::{self, Line},
};
use time::format_description::well_known::Rfc3339;

use crate::out::written;

use super::{activity::write_down, guild::known};

/// How to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line
    Jsonl,
    /// Comma-separated, with a header line
    Csv,
}

/// Writes the whole log.
pub(super) async fn run(pool: &Pool, guild: GuildId, format: Format) -> anyhow::Result<()> {
    write_down(known(pool, guild).await?, Activity::AuditExported, None).await?;
    let mut out = std::io::stdout().lock();
    if format == Format::Csv {
        written(write!(out, "audit_id,at,actor,action,user_id,role_id,cause,address,change\r\n"));
    }
    let mut after = 0;
    loop {
        // A transaction for each page: whoever reads stdout may take their time.
        let mut tenant = tenant::begin(pool, guild).await.context("the database cannot be reached")?;
        let page = export::page(&mut tenant, after).await?;
        drop(tenant);
        let Some(last) = page.last() else { return Ok(()) };
        after = last.audit_id;
        for line in &page {
            match format {
                Format::Jsonl => written(writeln!(out, "{}", object(line)?)),
                Format::Csv => written(write!(out, "{}\r\n", row(line)?)),
            }
        }
    }
}

/// Ids as text: JavaScript's numbers are too small for them.
fn object(line: &Line) -> anyhow::Result<serde_json::Value> {
    Ok(json!({
        "audit_id": line.audit_id, "at": line.at.format(&Rfc3339)?, "actor": line.actor, "action": line.action,
        "user_id": line.user_id.map(|id| id.to_string()), "role_id": line.role_id.map(|id| id.to_string()),
        "cause": line.cause, "address": line.address, "change": line.change,
    }))
}

fn row(line: &Line) -> anyhow::Result<String> {
    let id = Option::unwrap_or_default;
    let cells = [
        line.audit_id.to_string(),
        line.at.format(&Rfc3339)?,
        line.actor.clone(),
        line.action.clone(),
        id(line.user_id.map(|id| id.to_string())),
        id(line.role_id.map(|id| id.to_string())),
        line.cause.clone(),
        id(line.address.clone()),
        id(line.change.as_ref().map(ToString::to_string)),
    ];
    Ok(cells.map(|text| cell(&text)).join(","))
}

/// Quoted where RFC 4180 says so. A cell that a spreadsheet would take for a formula begins with an apostrophe
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn cell(text: &str) -> String {
    // Full-width forms too: some spreadsheets read them as their ASCII ones.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1),x", "\"'@SUM(A1),x\""),
            ("-2", "'-2"),
            ("＝1+1", "'＝1+1"),
            ("\n=1+1", "\"'\n=1+1\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }
}
