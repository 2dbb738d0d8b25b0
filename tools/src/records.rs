//! Files of one record a line, as CSV with a header or as JSON lines, by the ending of their name.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use crate::exit::Failure;
use crate::object::Object;
use crate::terminal::{Bar, visible};

#[cfg(test)]
mod tests;

/// A line longer than this is no record.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// How many mistakes are told one by one.
const TOLD: usize = 100;

/// The members of a record, by name. Of a CSV file, all values are text.
pub struct Members(Vec<(String, Value)>);

/// The members on a line, or what is wrong with it.
type Line = Result<Vec<(String, Value)>, String>;

impl Members {
    /// A member that says something: `null` and empty text do not.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value);
        found.filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// A member's text.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self, name: &str) -> Result<Option<&str>, String> {
        self.value(name).map(|value| value.as_str().ok_or_else(|| format!("/{name}: must be a string"))).transpose()
    }

    /// A member's text, which must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn needed(&self, name: &str) -> Result<&str, String> {
        self.text(name)?.ok_or_else(|| format!("/{name}: must be there"))
    }

    /// Several texts: an array, or one text with `;`, `,` or spaces between them.
    ///
    /// # Errors
    /// It is something else.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let problem = || format!("/{name}: must be an array of strings");
        Ok(match self.value(name) {
            None => None,
            Some(Value::String(text)) => {
                Some(text.split([';', ',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Some(Value::Array(items)) => {
                let items = items.iter().map(|item| item.as_str().map(str::to_owned));
                Some(items.collect::<Option<_>>().ok_or_else(problem)?)
            }
            Some(_) => return Err(problem()),
        })
    }
}

/// Reads every record of a file, and gives each to `take` with the number of its line. What is wrong is told by line, all at once.
///
/// # Errors
/// The file cannot be read, or a record of it is not valid.
pub fn read(
    path: &Path,
    columns: &[&'static str],
    bar: &mut Bar,
    mut take: impl FnMut(u64, &Members) -> Result<(), String>,
) -> Result<(), Failure> {
    let mut mistakes = Mistakes { lines: Vec::new(), count: 0 };
    let mut take = |line: u64, members: Line| {
        let unknown = |members: &[(String, Value)]| members.iter().any(|(name, _)| !columns.contains(&name.as_str()));
        let taken = members.and_then(|members| match unknown(&members) {
            true => Err(format!("must have no members but {}", columns.join(", "))),
            false => take(line, &Members(members)),
        });
        if let Err(problem) = taken {
            mistakes.add(line, &problem);
        }
    };
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    bar.begin(file.metadata().map(|meta| meta.len()).unwrap_or_default());
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => csv(path, file, columns, bar, &mut take)?,
        Some("jsonl" | "ndjson") => json_lines(path, file, bar, &mut take)?,
        _ => {
            return Err(Failure::usage(format!("`{}` ends neither in .csv nor in .jsonl", path.display()))
                .remedy("rename it: CSV with a header, or a JSON object a line"));
        }
    }
    mistakes.finish(path)
}

fn csv(
    path: &Path,
    file: File,
    columns: &[&'static str],
    bar: &mut Bar,
    take: &mut dyn FnMut(u64, Line),
) -> Result<(), Failure> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(BufReader::new(file));
    let remedy = format!("name the columns there: {}", columns.join(", "));
    let headers = reader.headers().map_err(|error| match error.kind() {
        csv::ErrorKind::Io(error) => cannot_read(path, error),
        _ => Failure::invalid(format!("the first line of `{}` is no header", path.display())).remedy(remedy.clone()),
    })?;
    let mut names = Vec::new();
    for title in headers {
        let title = title.trim_start_matches('\u{feff}');
        let known = columns.iter().find(|column| title.eq_ignore_ascii_case(column)).ok_or_else(|| {
            let title = visible(title);
            Failure::invalid(format!("`{}` has a column `{title}`, which has no meaning here", path.display()))
                .remedy(remedy.clone())
        })?;
        if names.contains(known) {
            return Err(Failure::invalid(format!("`{}` has the column `{known}` twice", path.display()))
                .remedy("take one of them out"));
        }
        names.push(*known);
    }
    let mut record = csv::StringRecord::new();
    loop {
        let read = reader.read_record(&mut record);
        let line = record.position().map_or_else(|| reader.position().line(), csv::Position::line);
        bar.at(reader.position().byte());
        match read {
            Ok(false) => return Ok(()),
            Ok(true) => {
                let members = names.iter().zip(record.iter());
                take(line, Ok(members.map(|(&name, text)| (name.to_owned(), Value::from(text))).collect()));
            }
            Err(error) => match error.kind() {
                csv::ErrorKind::Io(error) => return Err(cannot_read(path, error)),
                // The error of the crate quotes what it found.
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    take(line, Err(format!("must have {expected_len} columns, not {len}")));
                }
                _ => take(line, Err("must be UTF-8 text".to_owned())),
            },
        }
    }
}

fn json_lines(path: &Path, file: File, bar: &mut Bar, take: &mut dyn FnMut(u64, Line)) -> Result<(), Failure> {
    let mut reader = BufReader::new(file);
    let (mut bytes, mut line, mut done) = (Vec::new(), 0_u64, 0_u64);
    loop {
        bytes.clear();
        let read = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| cannot_read(path, &error))?;
        if read == 0 {
            return Ok(());
        }
        (line, done) = (line.saturating_add(1), done.saturating_add(read as u64));
        bar.at(done);
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let members = serde_json::from_slice(&bytes).map_err(|_| "must be a JSON object, on one line".to_owned());
        take(line, members.and_then(once));
    }
}

/// Members of which none stands twice: it would be anybody's guess which of the two is meant.
fn once(members: Object<Value>) -> Line {
    let repeated = members.repeated().next().map(|name| format!("/{}: must stand there once", visible(name)));
    repeated.map_or(Ok(members.0), Err)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format!("`{}` cannot be read: {error}", path.display()))
}

/// What is wrong with a file.
struct Mistakes {
    lines: Vec<String>,
    count: u64,
}

impl Mistakes {
    fn add(&mut self, line: u64, problem: &str) {
        self.count = self.count.saturating_add(1);
        if self.lines.len() < TOLD {
            self.lines.push(format!("\n  line {line}: {problem}"));
        }
    }

    fn finish(self, path: &Path) -> Result<(), Failure> {
        if self.count == 0 {
            return Ok(());
        }
        let more = self.count.saturating_sub(self.lines.len() as u64);
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        let (lines, are) = if self.count == 1 { ("line", "is") } else { ("lines", "are") };
        let name = path.display();
        let cause = format!("{} {lines} of `{name}` {are} not valid:{}{more}", self.count, self.lines.concat());
        Err(Failure::invalid(cause).remedy("correct them; nothing was written"))
    }
}
