//! `portcullis user list`.

use serde_json::json;

use super::{for_programs, moment, open, status};
use crate::cli::{ListedRole, ListedStatus, UserListArgs};
use crate::exit::{Exit, Failure};
use crate::store::{Error, Filter, Listed, Role, Session, Status, User};
use crate::terminal::{Terminal, visible};

/// How many users are read at once where all are.
const CHUNK: i64 = 1_000;

/// Prints a page of users.
///
/// # Errors
/// The store cannot be read.
pub fn run(args: &UserListArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let filter = Filter {
        status: args.status.map(|status| match status {
            ListedStatus::Active => Status::Active,
            ListedStatus::Disabled => Status::Disabled,
            ListedStatus::Erased => Status::Erased,
        }),
        role: args.role.map(|role| match role {
            ListedRole::Admin => Role::Admin,
            ListedRole::Editor => Role::Editor,
            ListedRole::Viewer => Role::Viewer,
        }),
    };
    let (limit, offset) = (i64::from(args.per_page), i64::from(args.page - 1) * i64::from(args.per_page));
    let mut store = open(&args.store)?;
    let listed = match &args.search {
        None => store.read(async |session| session.list(filter, limit, offset).await)?,
        Some(text) => {
            let text = text.to_lowercase();
            let mut progress = terminal.bar("looking at");
            store.read(async |session| {
                progress.begin(session.count().await?.unsigned_abs());
                search(session, filter, &text, limit, offset, &mut |done| progress.at(done)).await
            })?
        }
    };
    let pages = (listed.total.saturating_add(limit - 1) / limit).max(1);
    if args.json {
        let users: Vec<_> = listed.users.iter().map(for_programs).collect();
        terminal.json(&json!({
            "page": args.page, "per_page": args.per_page, "pages": pages, "total": listed.total, "users": users,
        }))?;
    } else if terminal.out_width.is_some() {
        table(&listed.users, terminal)?;
        let total = listed.total;
        terminal.say(format_args!("page {} of {pages}, {total} user{}", args.page, if total == 1 { "" } else { "s" }));
    } else {
        for user in &listed.users {
            terminal.line(columns(user).join("\t"))?;
        }
    }
    Ok(Exit::Good)
}

/// Those users, of all, whose personal data contain a text.
async fn search(
    session: &mut Session<'_>,
    filter: Filter,
    text: &str,
    limit: i64,
    offset: i64,
    progress: &mut dyn FnMut(u64),
) -> Result<Listed, Error> {
    let mut listed = Listed { users: Vec::new(), total: 0 };
    let (mut slot, mut done) = (-1, 0_u64);
    loop {
        let users = session.after(slot, CHUNK).await?;
        let Some(last) = users.last() else { return Ok(listed) };
        slot = i64::from(last.slot);
        done = done.saturating_add(users.len() as u64);
        progress(done);
        for user in users {
            let fits = filter.status.is_none_or(|status| user.status == status)
                && filter.role.is_none_or(|role| user.roles.iter().any(|has| has == role));
            if fits && has_text(&user, text) {
                let on_page = listed.total >= offset && listed.total < offset.saturating_add(limit);
                listed.total = listed.total.saturating_add(1);
                if on_page {
                    listed.users.push(user);
                }
            }
        }
    }
}

fn has_text(user: &User, text: &str) -> bool {
    user.details.as_ref().is_some_and(|details| {
        let all = [Some(&details.email), details.name.as_ref(), details.notes.as_ref()];
        all.into_iter().flatten().any(|has| has.to_lowercase().contains(text))
    })
}

/// Id, address, roles, status, last sign-in, name.
fn columns(user: &User) -> [String; 6] {
    let details = user.details.as_ref();
    [
        user.id.to_string(),
        details.map(|details| visible(&details.email)).unwrap_or_default(),
        user.roles.to_string(),
        user.status.name().to_owned(),
        user.last_login_at.and_then(moment).unwrap_or_default(),
        details.and_then(|details| details.name.as_deref()).map(visible).unwrap_or_default(),
    ]
}

fn table(users: &[User], terminal: &mut Terminal) -> Result<(), Failure> {
    const HEADS: [&str; 6] = ["id", "e-mail", "roles", "status", "signed in", "name"];
    let rows: Vec<_> = users.iter().map(columns).collect();
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
    let head = terminal.out_palette.bold(&line(&HEADS.map(str::to_owned)));
    terminal.line(head)?;
    for (user, row) in users.iter().zip(&rows) {
        let plain = line(row);
        // Colour last, so that it does not count as width.
        let padded = format!("  {:<width$}", user.status.name(), width = widths.get(3).copied().unwrap_or_default());
        let coloured = padded.replacen(user.status.name(), &status(user, terminal), 1);
        terminal.line(plain.replacen(&padded, &coloured, 1))?;
    }
    Ok(())
}
