//! `portcullis api-key list`.

use serde_json::{Value, json};

use super::for_programs;
use crate::cli::ApiKeyListArgs;
use crate::exit::{Exit, Failure};
use crate::store::{Error, Handle, Session, Status, Store, StoredApiKey};
use crate::terminal::{Terminal, visible};
use crate::time;

/// A key, and what it is worth now.
struct Row {
    key: StoredApiKey,
    status: &'static str,
    /// The owner's address; their id where they have none.
    owner: String,
}

/// Prints a page of keys.
///
/// # Errors
/// There is no such user, or the store cannot be read.
pub fn run(args: &ApiKeyListArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (limit, offset) = (i64::from(args.per_page), i64::from(args.page - 1) * i64::from(args.per_page));
    let mut store = Store::open(args.store.location()?)?;
    let (rows, total) = store.read(async |session| {
        let owner = match &args.owner {
            Some(handle) => Some(session.find(handle).await?.slot),
            None => None,
        };
        let (keys, total) = session.list_api_keys(owner, limit, offset).await?;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            rows.push(row(session, key).await?);
        }
        Ok((rows, total))
    })?;
    let pages = (total.saturating_add(limit - 1) / limit).max(1);
    if args.json {
        let keys: Vec<_> = rows.iter().map(with_status).collect();
        terminal.json(&json!({
            "page": args.page, "per_page": args.per_page, "pages": pages, "total": total, "keys": keys,
        }))?;
    } else if terminal.out_width.is_some() {
        table(&rows, terminal)?;
        terminal.say(format_args!("page {} of {pages}, {total} key{}", args.page, if total == 1 { "" } else { "s" }));
    } else {
        for row in &rows {
            terminal.line(columns(row).join("\t"))?;
        }
    }
    Ok(Exit::Good)
}

async fn row(session: &mut Session<'_>, key: StoredApiKey) -> Result<Row, Error> {
    let owner = session.find(&Handle::Id(key.owner)).await?;
    let status = match (key.revoked_at, owner.status) {
        (Some(_), _) => "revoked",
        (None, _) if !key.is_good(session.now) => "expired",
        (None, Status::Active) => "active",
        (None, Status::Disabled) => "owner disabled",
        (None, Status::Erased) => "owner erased",
    };
    let name = owner.details.as_ref().map_or_else(|| owner.id.to_string(), |details| visible(&details.email));
    Ok(Row { key, status, owner: name })
}

fn with_status(row: &Row) -> Value {
    let mut object = for_programs(&row.key);
    if let Value::Object(members) = &mut object {
        members.insert("status".to_owned(), row.status.into());
    }
    object
}

const HEADS: [&str; 7] = ["id", "status", "owner", "roles", "from", "issued", "until"];

/// What [`HEADS`] says.
fn columns(row: &Row) -> [String; 7] {
    let key = &row.key;
    let moment = |at: Option<i64>| at.and_then(time::rfc3339).unwrap_or_default();
    [
        key.id.clone(),
        row.status.to_owned(),
        row.owner.clone(),
        key.roles.as_ref().map_or("the owner's".to_owned(), ToString::to_string),
        if key.networks.is_empty() { "anywhere".to_owned() } else { key.networks.join(",") },
        moment(Some(key.created_at)),
        moment(key.revoked_at.or(key.expires_at)),
    ]
}

fn table(rows: &[Row], terminal: &mut Terminal) -> Result<(), Failure> {
    let rows: Vec<_> = rows.iter().map(columns).collect();
    let widths: Vec<usize> = HEADS
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([head.len()]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    terminal.line(terminal.out_palette.bold(&line(&HEADS.map(str::to_owned))))?;
    for row in &rows {
        terminal.line(line(row))?;
    }
    Ok(())
}
