//! The figures as one page that needs nothing else: no script, nothing from elsewhere, and a policy of its own that says so.

use std::fmt::Write as _;

use super::Tally;
use crate::html;
use crate::time;

const STYLE: &str = include_str!("page.css");

/// How many columns the chart has at most.
const COLUMNS: usize = 120;
const CHART_HEIGHT: u64 = 120;
/// The width of a bar that stands for the largest count.
const BAR_WIDTH: u64 = 240;

/// The page, of these files.
#[must_use]
pub fn page(tally: &Tally, files: &[String], top: usize) -> String {
    let mut body = String::new();
    for (name, count) in &tally.decisions {
        let _infallible = write!(body, "<div><dt>{}</dt><dd>{count}</dd></div>", html::text(name));
    }
    let range = match (&tally.first, &tally.last) {
        (Some(first), Some(last)) => format!("{} to {}", html::text(first), html::text(last)),
        _ => "no records".to_owned(),
    };
    let lists: String = tally
        .lists()
        .into_iter()
        .map(|(_, title, counter)| {
            let rows = counter.top(top);
            let most = rows.first().map_or(1, |row| row.1).max(1);
            let rows: String = rows.into_iter().map(|(value, count)| row(value, count, most)).collect();
            let rows = if rows.is_empty() { "<tr><td>none</td></tr>\n".to_owned() } else { rows };
            format!("<section>\n<h2>{title}</h2>\n<table>\n{rows}</table>\n</section>\n")
        })
        .collect();
    html::page(
        "Audit figures",
        STYLE,
        &format!(
            "<h1>Audit figures</h1>\n<p class=\"source\">{files}: {range}, {requests} requests, {refused} refused</p>\n\
             <dl>{body}</dl>\n{chart}<div class=\"lists\">\n{lists}</div>\n",
            files = html::text(&files.join(", ")),
            requests = tally.requests,
            refused = tally.refused(),
            chart = chart(tally),
        ),
    )
}

fn row(value: &str, count: u64, most: u64) -> String {
    let width = count.saturating_mul(BAR_WIDTH).div_ceil(most);
    format!(
        "<tr><th scope=\"row\">{}</th><td>{count}</td><td><svg width=\"{BAR_WIDTH}\" height=\"12\" aria-hidden=\"true\">\
         <rect class=\"bar\" width=\"{width}\" height=\"12\"/></svg></td></tr>\n",
        html::text(value)
    )
}

/// Everything over time, and within it what was refused.
fn chart(tally: &Tally) -> String {
    let (width, columns) = tally.timeline.columns(COLUMNS);
    let most = columns.iter().map(|(_, bucket)| bucket.all).max().unwrap_or_default().max(1);
    let mut bars = String::new();
    for (index, (at, bucket)) in columns.iter().enumerate() {
        let x = index.saturating_mul(8);
        for (class, count) in [("all", bucket.all), ("refused", bucket.refused)] {
            let height = count.saturating_mul(CHART_HEIGHT).div_ceil(most);
            let y = CHART_HEIGHT.saturating_sub(height);
            let _infallible =
                write!(bars, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"7\" height=\"{height}\">");
            let when = time::rfc3339(*at).unwrap_or_default();
            let _infallible =
                write!(bars, "<title>{when}: {} requests, {} refused</title></rect>", bucket.all, bucket.refused);
        }
    }
    if bars.is_empty() {
        return String::new();
    }
    let right = columns.len().saturating_mul(8);
    format!(
        "<figure>\n<svg viewBox=\"0 0 {right} {CHART_HEIGHT}\" role=\"img\" aria-label=\"requests over time, and those that were refused\">\n\
         {bars}\n</svg>\n<figcaption>Requests, and <span class=\"key\">those refused</span>; each bar is {}.</figcaption>\n</figure>\n",
        time::in_words(u64::try_from(width).unwrap_or_default())
    )
}
