//! The matrix as one page that needs nothing else.

use std::fmt::Write as _;

use super::{Cell, Entry, Matrix, OUTSIDERS};
use crate::html::text;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(matrix: &Matrix, source: &str) -> String {
    let mut body = String::new();
    let title = format!("Who may do what: {}", text(source));
    let mut columns = String::new();
    for (index, name) in matrix.columns().enumerate() {
        let class = if index < OUTSIDERS.len() { " class=\"outsider\"" } else { "" };
        let _infallible = write!(columns, "<th scope=\"col\"{class}>{}</th>", text(name));
    }
    for entry in &matrix.entries {
        body.push_str(&group(entry, matrix.columns().count()));
    }
    let legend: String = Cell::ALL
        .iter()
        .map(|cell| format!("<div><dt class=\"{}\">{}</dt><dd>{}</dd></div>", cell.code(), cell.word(), cell.meaning()))
        .collect();
    let trial = if matrix.dry_run {
        "<p class=\"trial\"><strong>Dry run:</strong> the whole policy is on trial, and nobody is refused.</p>"
    } else {
        ""
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>Who may do what</h1>\n\
         <p class=\"source\"><code>{source}</code>, {count} routes, digest <code>{digest}</code></p>\n{trial}\n\
         <dl>{legend}</dl>\n\
         <p class=\"filter\" hidden><label for=\"filter\">Filter</label> \
         <input id=\"filter\" type=\"search\" placeholder=\"path, route, method or note\" autocomplete=\"off\"> \
         <output for=\"filter\"></output></p>\n\
         <div class=\"scroll\" role=\"region\" aria-labelledby=\"caption\" tabindex=\"0\">\n<table>\n\
         <caption id=\"caption\">Routes and methods by role. The most specific route decides. A caller with several roles \
         may what any of them may.</caption>\n\
         <thead><tr><th scope=\"col\">route</th><th scope=\"col\">method</th>{columns}</tr></thead>\n{body}</table>\n</div>\n\
         </main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        source = text(source),
        count = matrix.entries.len(),
        digest = text(&matrix.digest),
    )
}

/// A route: a group of rows with one header.
fn group(entry: &Entry, columns: usize) -> String {
    let mut head =
        format!("<code class=\"path\">{}</code> <span class=\"name\">{}</span>", text(&entry.path), text(&entry.name));
    if !entry.hosts.is_empty() {
        let _infallible = write!(head, " <span class=\"hosts\">on {}</span>", text(&entry.hosts.join(", ")));
    }
    for mark in entry.marks() {
        let _infallible = write!(head, " <span class=\"mark\">{mark}</span>");
    }
    let notes: String = entry.notes().iter().map(|note| format!("<li>{}</li>", text(note))).collect();
    if !notes.is_empty() {
        let _infallible = write!(head, "<ul>{notes}</ul>");
    }
    let mut rows = String::new();
    for (index, row) in entry.rows.iter().enumerate() {
        rows.push_str("<tr>");
        if index == 0 {
            let _infallible =
                write!(rows, "<th scope=\"rowgroup\" class=\"route\" rowspan=\"{}\">{head}</th>", entry.rows.len());
        }
        let _infallible = write!(rows, "<th scope=\"row\" class=\"method\">{}</th>", text(&row.methods.join(" ")));
        for cell in &row.cells {
            let _infallible = write!(rows, "<td class=\"{}\">{}</td>", cell.code(), cell.word());
        }
        rows.push_str("</tr>\n");
    }
    if entry.rows.is_empty() {
        let _infallible = writeln!(
            rows,
            "<tr><th scope=\"rowgroup\" class=\"route\">{head}</th><td colspan=\"{}\">other routes decide</td></tr>",
            columns + 1
        );
    }
    format!("<tbody>\n{rows}</tbody>\n")
}
