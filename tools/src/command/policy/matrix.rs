//! `portcullis policy matrix`: who may do what, as the engine decides it.

mod html;

use std::ops::Range;
use std::path::Path;

use portcullis_engine::{AllowReason, Caller, Decided, DenyReason, OTHER_METHODS, Policy, RouteView, Survey};
use serde_json::{Value, json};

use crate::cli::MatrixArgs;
use crate::document::Document;
use crate::exit::{Exit, Failure};
use crate::file::Replacement;
use crate::terminal::{Palette, Terminal, visible};

#[cfg(test)]
mod tests;

/// Prints who may do what.
///
/// # Errors
/// The policy cannot be read or is not valid, or the page cannot be written.
pub fn run(args: &MatrixArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let document = Document::read(&args.file)?;
    let policy = document.policy(terminal)?;
    let matrix = Matrix::new(&policy);
    if let Some(out) = &args.html {
        write_page(out, &html::page(&matrix, &document.name))?;
        terminal.note(format_args!("wrote the matrix to `{}`", out.display()));
    }
    if args.json {
        terminal.json(&matrix.for_programs())?;
    } else if args.html.is_none() {
        matrix.print(terminal)?;
    }
    Ok(Exit::Good)
}

/// A report replaces the one before it.
fn write_page(path: &Path, text: &str) -> Result<(), Failure> {
    Replacement::begin(path)?.commit(text)
}

/// What a caller may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// The route is public.
    Public,
    /// Any caller with a token may.
    Authenticated,
    Allowed,
    /// Only with its own.
    Own,
    Denied,
}

impl Cell {
    const ALL: [Self; 5] = [Self::Public, Self::Authenticated, Self::Allowed, Self::Own, Self::Denied];

    const fn of(right: Result<AllowReason, DenyReason>) -> Self {
        match right {
            Ok(AllowReason::Public | AllowReason::CorsPreflight) => Self::Public,
            Ok(AllowReason::Authenticated) => Self::Authenticated,
            Ok(AllowReason::RoleAllowed) => Self::Allowed,
            Ok(AllowReason::OwnerAllowed | AllowReason::OwnerUpstream) => Self::Own,
            Err(_) => Self::Denied,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Authenticated => "any caller",
            Self::Allowed => "allowed",
            Self::Own => "own only",
            Self::Denied => "denied",
        }
    }

    /// For programs.
    const fn code(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Authenticated => "authenticated",
            Self::Allowed => "allowed",
            Self::Own => "own",
            Self::Denied => "denied",
        }
    }

    /// For tables that would not fit otherwise.
    const fn short(self) -> &'static str {
        match self {
            Self::Public => "pub",
            Self::Authenticated => "any",
            Self::Allowed => "yes",
            Self::Own => "own",
            Self::Denied => "-",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Public => "anyone may, with or without a token",
            Self::Authenticated => "every caller with a good token may",
            Self::Allowed => "the role may",
            Self::Own => "the role may with what is the caller's own",
            Self::Denied => "refused",
        }
    }

    fn paint(self, text: &str, palette: Palette) -> String {
        match self {
            Self::Public => palette.cyan(text),
            Self::Authenticated | Self::Allowed => palette.green(text),
            Self::Own => palette.yellow(text),
            Self::Denied => palette.dim(text),
        }
    }
}

/// Methods of a route that it treats alike.
struct Row {
    methods: Vec<String>,
    cells: Vec<Cell>,
}

/// A route and who may use it.
struct Entry {
    name: String,
    path: String,
    hosts: Vec<String>,
    access: String,
    /// Conditions on what stands in the cells, and what else is worth a note.
    addresses: Option<String>,
    conditions: Vec<String>,
    step_up: Option<String>,
    owner: Option<String>,
    dry_run: bool,
    rows: Vec<Row>,
    /// Methods that a more specific route takes, and its name.
    elsewhere: Vec<(String, String)>,
}

/// Who may do what.
struct Matrix {
    digest: String,
    dry_run: bool,
    roles: Vec<String>,
    entries: Vec<Entry>,
}

/// The columns before those of the roles.
const OUTSIDERS: [&str; 2] = ["anyone", "any caller"];

impl Matrix {
    fn new(policy: &Policy) -> Self {
        let survey = Survey::new(policy);
        let roles = policy.known_roles().to_vec();
        let entries = policy.routes().map(|view| Entry::new(view, &survey.decided(view), &roles)).collect();
        Self { digest: policy.digest().to_owned(), dry_run: policy.is_dry_run(), roles, entries }
    }

    fn columns(&self) -> impl Iterator<Item = &str> {
        OUTSIDERS.into_iter().chain(self.roles.iter().map(String::as_str))
    }

    fn for_programs(&self) -> Value {
        let row = |row: &Row| {
            let roles: serde_json::Map<String, Value> =
                self.roles.iter().cloned().zip(row.cells.iter().skip(2).map(|cell| cell.code().into())).collect();
            let outsider = |index: usize| row.cells.get(index).map(|cell| cell.code());
            json!({"methods": row.methods, "anyone": outsider(0), "any_caller": outsider(1), "roles": roles})
        };
        let entry = |entry: &Entry| {
            let elsewhere: Vec<Value> =
                entry.elsewhere.iter().map(|(method, route)| json!({"method": method, "route": route})).collect();
            json!({
                "route": entry.name,
                "path": entry.path,
                "hosts": entry.hosts,
                "access": entry.access,
                "rows": entry.rows.iter().map(row).collect::<Vec<_>>(),
                "elsewhere": elsewhere,
                "own": entry.owner,
                "ip": entry.addresses,
                "when": entry.conditions,
                "step_up": entry.step_up,
                "dry_run": entry.dry_run,
            })
        };
        let routes: Vec<Value> = self.entries.iter().map(entry).collect();
        json!({"digest": self.digest, "dry_run": self.dry_run, "roles": self.roles, "routes": routes})
    }

    fn print(&self, terminal: &mut Terminal) -> Result<(), Failure> {
        let (palette, width) = (terminal.out_palette, terminal.out_width.unwrap_or(usize::MAX));
        let all = self.columns().count();
        let fits = |short, columns| self.lines(short, columns, Palette::PLAIN).0 <= width;
        let short = !fits(false, 0..all);
        // What does not fit even so stands below, in tables of its own.
        let (mut from, mut to) = (0, all);
        while from < all {
            while short && to > from + 1 && !fits(true, from..to) {
                to -= 1;
            }
            if from > 0 {
                terminal.line("")?;
            }
            for line in self.lines(short, from..to, palette).1 {
                terminal.line(line)?;
            }
            (from, to) = (to, all);
        }
        if short {
            let legend: Vec<String> =
                Cell::ALL.iter().map(|cell| format!("{} = {}", cell.short(), cell.word())).collect();
            terminal.note(legend.join(", "));
        }
        if self.dry_run {
            terminal.note("the whole policy is a dry run: nobody is refused");
        }
        Ok(())
    }

    /// The lines of the table and how wide its widest is, the notes below a route aside.
    fn lines(&self, short: bool, columns: Range<usize>, palette: Palette) -> (usize, Vec<String>) {
        let text = |cell: Cell| if short { cell.short() } else { cell.word() };
        let (skipped, taken) = (columns.start, columns.len());
        let columns: Vec<&str> = self.columns().skip(skipped).take(taken).collect();
        let path_width =
            if short { 0 } else { self.entries.iter().map(|entry| chars(&entry.title())).max().unwrap_or(0) };
        let rows = || self.entries.iter().flat_map(|entry| &entry.rows);
        let method_width = rows().map(|row| chars(&row.methods.join(" "))).max().unwrap_or(0).max("method".len());
        let column_width =
            |index: usize| columns.get(index).map_or(0, |name| chars(name)).max(if short { 3 } else { 10 });
        let mut lines = Vec::new();
        let mut head = if short { String::new() } else { format!("{:<path_width$}  ", "path") };
        head.push_str(&format!("{}{:<method_width$}", if short { "  " } else { "" }, "method"));
        for (index, name) in columns.iter().enumerate() {
            head.push_str(&format!("  {:<1$}", visible(name), column_width(index)));
        }
        let widest = chars(&head);
        lines.push(palette.bold(head.trim_end()));
        for entry in &self.entries {
            if short {
                lines.push(entry.title());
            }
            for (index, row) in entry.rows.iter().enumerate() {
                let title = if index == 0 && !short { entry.title() } else { String::new() };
                let mut line = if short { "  ".to_owned() } else { format!("{title:<path_width$}  ") };
                line.push_str(&format!("{:<method_width$}", visible(&row.methods.join(" "))));
                for (index, cell) in row.cells.iter().skip(skipped).take(taken).enumerate() {
                    let last = index + 1 == taken;
                    let padding = if last { 0 } else { column_width(index).saturating_sub(text(*cell).len()) };
                    line.push_str(&format!("  {}{:padding$}", cell.paint(text(*cell), palette), ""));
                }
                lines.push(line);
            }
            if entry.rows.is_empty() && !short {
                lines.push(entry.title());
            }
            lines.extend(entry.notes().iter().map(|note| palette.dim(&format!("  {}", visible(note)))));
        }
        (widest, lines)
    }
}

impl Entry {
    fn new(view: RouteView<'_>, decided: &Decided<'_>, roles: &[String]) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for methods in decided.here.iter().filter(|methods| !methods.is_empty()) {
            // Any of them would do: they are told apart by what reads, what writes, and the rest.
            let method = methods.first().copied().unwrap_or_default();
            let callers = [Caller::Anyone, Caller::WithToken].into_iter();
            let callers = callers.chain(roles.iter().map(|role| Caller::Role(role)));
            let cells: Vec<Cell> = callers.map(|caller| Cell::of(view.right(caller, method))).collect();
            let methods = methods.iter().map(|method| method_name(method).to_owned());
            match rows.last_mut() {
                Some(row) if row.cells == cells => row.methods.extend(methods),
                _ => rows.push(Row { methods: methods.collect(), cells }),
            }
        }
        // Nobody told them apart, so that one word says it.
        if let ([row], true, true) = (rows.as_mut_slice(), view.methods().is_empty(), decided.elsewhere.is_empty()) {
            row.methods = vec!["any".to_owned()];
        }
        Self {
            name: view.name().to_owned(),
            path: view.path().to_owned(),
            hosts: view.hosts(),
            access: view.access(),
            addresses: view.addresses(),
            conditions: view.conditions(),
            step_up: view.step_up(),
            owner: view.owner(),
            dry_run: view.is_dry_run(),
            rows,
            elsewhere: decided
                .elsewhere
                .iter()
                .map(|(method, route)| (method_name(method).to_owned(), route.name().to_owned()))
                .collect(),
        }
    }

    fn title(&self) -> String {
        let hosts = if self.hosts.is_empty() { String::new() } else { format!(" ({})", self.hosts.join(", ")) };
        let marks: String = self.marks().iter().map(|mark| format!(" [{mark}]")).collect();
        visible(&format!("{}{hosts}{marks}", self.path))
    }

    /// What limits the cells, in a word each.
    fn marks(&self) -> Vec<&'static str> {
        let marks = [
            ("ip", self.addresses.is_some()),
            ("when", !self.conditions.is_empty()),
            ("step-up", self.step_up.is_some()),
            ("dry run", self.dry_run),
        ];
        marks.into_iter().filter(|(_, there)| *there).map(|(mark, _)| mark).collect()
    }

    /// What limits the cells, in full.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        let has_own = self.rows.iter().any(|row| row.cells.contains(&Cell::Own));
        notes.extend(self.owner.clone().filter(|_| has_own));
        notes.extend(self.addresses.as_ref().map(|rule| format!("ip: {rule}")));
        notes.extend(self.conditions.iter().map(|condition| format!("when: {condition}")));
        notes.extend(self.step_up.as_ref().map(|step_up| format!("step-up: {step_up}")));
        if self.dry_run {
            notes.push("dry run: refuses nobody, and records whom it would".to_owned());
        }
        let mut routes: Vec<&str> = self.elsewhere.iter().map(|(_, route)| route.as_str()).collect();
        routes.dedup();
        for route in routes {
            let methods = self.elsewhere.iter().filter(|(_, taker)| taker == route).map(|(method, _)| method.as_str());
            notes.push(format!("{}: decided by `{route}`", methods.collect::<Vec<_>>().join(" ")));
        }
        notes
    }
}

/// A method as people read it.
pub(super) fn method_name(method: &str) -> &str {
    if method == OTHER_METHODS { "others" } else { method }
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
