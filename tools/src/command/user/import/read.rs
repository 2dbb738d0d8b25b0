//! Reading the users of a file, one after the other, and checking each by itself.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cli::{ImportArgs, ImportFormat};
use crate::command::user::Checked;
use crate::exit::Failure;
use crate::password::StoredHash;
use crate::store::{Email, Roles, Status};

/// A line longer than this is no user.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// The columns, or members, there are.
const COLUMNS: [&str; 8] = ["email", "roles", "role", "password_hash", "name", "notes", "id", "status"];

/// A user of a file, or what is wrong with them.
pub struct Incoming {
    /// The line they are on.
    pub line: u64,
    /// The user.
    pub user: Result<Parsed, String>,
}

/// A user of a file.
pub struct Parsed {
    /// The id to keep.
    pub id: Option<Uuid>,
    /// The address.
    pub email: Email,
    /// What they may do.
    pub roles: Roles,
    /// The hash of their password.
    pub password: Option<Zeroizing<String>>,
    /// What they are called.
    pub name: Option<String>,
    /// What there is to note.
    pub notes: Option<String>,
    /// Active or disabled.
    pub status: Status,
}

/// What a file is, by the option or by its name.
///
/// # Errors
/// Neither says.
pub fn format(args: &ImportArgs) -> Result<ImportFormat, Failure> {
    let ending = args.file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    match (args.format, ending.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, Some("csv")) => Ok(ImportFormat::Csv),
        (None, Some("jsonl" | "ndjson")) => Ok(ImportFormat::Jsonl),
        _ => Err(Failure::usage(format!("`{}` ends neither in .csv nor in .jsonl", args.file.display()))
            .remedy("say what it is with --format csv or --format jsonl")),
    }
}

/// How many bytes a file has.
///
/// # Errors
/// It is no file: it is read twice, which a pipe cannot be.
pub fn size(path: &Path) -> Result<u64, Failure> {
    let meta = std::fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    if !meta.is_file() {
        return Err(Failure::usage(format!("`{}` is no file", path.display()))
            .remedy("name a file: it is read twice, once to check it and once to add its users"));
    }
    Ok(meta.len())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format!("`{}` cannot be read: {error}", path.display()))
}

/// A file that is being read.
pub struct Reader {
    source: Source,
    name: String,
    bytes: u64,
}

enum Source {
    Csv { reader: csv::Reader<File>, columns: Vec<&'static str> },
    Jsonl { reader: BufReader<File>, line: u64 },
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or a column of it has no meaning.
    pub fn open(path: &Path, format: ImportFormat) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
        let name = path.display().to_string();
        let source = match format {
            ImportFormat::Jsonl => Source::Jsonl { reader: BufReader::new(file), line: 0 },
            ImportFormat::Csv => {
                let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
                let header = reader.headers().map_err(|error| malformed(&name, &error))?;
                let columns = header.iter().map(|title| column(title, &name)).collect::<Result<_, _>>()?;
                Source::Csv { reader, columns }
            }
        };
        Ok(Self { source, name, bytes: 0 })
    }

    /// How much was read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next user; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next(&mut self) -> Result<Option<Incoming>, Failure> {
        match &mut self.source {
            Source::Csv { reader, columns } => {
                let mut record = csv::StringRecord::new();
                let read = reader.read_record(&mut record);
                let line = record.position().map_or_else(|| reader.position().line(), csv::Position::line);
                self.bytes = reader.position().byte();
                let members: Result<Vec<_>, _> = match read {
                    Ok(false) => return Ok(None),
                    Ok(true) => {
                        let named = columns.iter().zip(record.iter());
                        Ok(named.map(|(&column, text)| (column.to_owned(), Value::from(text))).collect())
                    }
                    Err(error) if error.is_io_error() => return Err(malformed(&self.name, &error)),
                    // The error of the crate quotes what it found.
                    Err(error) => Err(match error.kind() {
                        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                            format!("must have {expected_len} columns, not {len}")
                        }
                        _ => "must be UTF-8 text".to_owned(),
                    }),
                };
                Ok(Some(Incoming { line, user: members.and_then(|members| parse(&members)) }))
            }
            Source::Jsonl { reader, line } => loop {
                let mut bytes = Zeroizing::new(Vec::new());
                let read = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
                let read = read.map_err(|error| Failure::io(format!("`{}` cannot be read: {error}", self.name)))?;
                if read == 0 {
                    return Ok(None);
                }
                *line = line.saturating_add(1);
                self.bytes = self.bytes.saturating_add(read as u64);
                if bytes.trim_ascii().is_empty() {
                    continue;
                }
                let user = match serde_json::from_slice(&bytes) {
                    Ok(Value::Object(members)) => {
                        let members: Vec<_> = members.into_iter().collect();
                        parse(&members)
                    }
                    _ => Err("must be a JSON object, on one line".to_owned()),
                };
                return Ok(Some(Incoming { line: *line, user }));
            },
        }
    }
}

fn malformed(name: &str, error: &csv::Error) -> Failure {
    match error.kind() {
        csv::ErrorKind::Io(error) => Failure::io(format!("`{name}` cannot be read: {error}")),
        _ => Failure::invalid(format!("the first line of `{name}` is no header"))
            .remedy(format!("name the columns there: {}", COLUMNS.join(", "))),
    }
}

fn column(title: &str, name: &str) -> Result<&'static str, Failure> {
    COLUMNS.into_iter().find(|column| title.trim_start_matches('\u{feff}').eq_ignore_ascii_case(column)).ok_or_else(
        || {
            Failure::invalid(format!(
                "`{name}` has a column `{}`, which has no meaning here",
                crate::terminal::visible(title)
            ))
            .remedy(format!("take it out, or rename it: {}", COLUMNS.join(", ")))
        },
    )
}

/// A user from members by name, or all that is wrong with them.
fn parse(members: &[(String, Value)]) -> Result<Parsed, String> {
    let mut checked = Checked::default();
    if members.iter().any(|(name, _)| !COLUMNS.contains(&name.as_str())) {
        checked.problem("", format!("must have no members but {}", COLUMNS.join(", ")));
    }
    let value = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| value);
    let text = |pointer: &'static str, checked: &mut Checked| match value(pointer.trim_start_matches('/')) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
        Some(_) => {
            checked.problem(pointer, "must be a string");
            None
        }
    };
    let email = text("/email", &mut checked).unwrap_or_default();
    let email = checked.email(email);
    let hash = text("/password_hash", &mut checked);
    let id = text("/id", &mut checked);
    let status = text("/status", &mut checked);
    let (name, notes) = (text("/name", &mut checked), text("/notes", &mut checked));

    let roles: Vec<&str> = match value("roles").or_else(|| value("role")) {
        Some(Value::String(text)) => text.split([';', ',', ' ']).filter(|role| !role.is_empty()).collect(),
        Some(Value::Array(roles)) => roles.iter().map(|role| role.as_str().unwrap_or_default()).collect(),
        _ => Vec::new(),
    };
    let roles = checked.roles(roles);
    let password = hash.and_then(|hash| match StoredHash::parse(hash) {
        Ok(parsed) => Some(Zeroizing::new(parsed.to_string())),
        Err(problem) => {
            checked.problem("/password_hash", problem);
            None
        }
    });
    let id = id.and_then(|id| match Uuid::try_parse(id) {
        Ok(id) => Some(id),
        Err(_) => {
            checked.problem("/id", "must be a valid uuid");
            None
        }
    });
    let status = match status {
        None | Some("active") => Status::Active,
        Some("disabled") => Status::Disabled,
        Some(_) => {
            checked.problem("/status", "must be one of `active`, `disabled`");
            Status::Disabled
        }
    };
    let name = checked.text("/name", name).map(str::to_owned);
    let notes = checked.text("/notes", notes).map(str::to_owned);
    match (email, roles) {
        (Some(email), Some(roles)) if checked.is_good() => {
            Ok(Parsed { id, email, roles, password, name, notes, status })
        }
        _ => Err(checked.in_one_line()),
    }
}
