//! Waiting for more: at the end of files that are written to, and in those that take their place.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::scan::Flow;
use crate::audit::source::{Lines, MAX_LINE_BYTES, Packing, Source, is_same};
use crate::exit::Failure;

#[cfg(test)]
mod tests;

/// How often files are looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A file that somebody writes to.
struct Followed {
    path: PathBuf,
    file: Option<File>,
    /// A line that is not whole yet.
    partial: Vec<u8>,
    read: u64,
}

/// Hands on every line of files, and then those that are added, until `each` has had enough.
///
/// # Errors
/// A file cannot be read, or what `each` says.
pub fn run(paths: &[PathBuf], mut each: impl FnMut(&[u8]) -> Result<Flow, Failure>) -> Result<(), Failure> {
    let mut followed = Vec::new();
    for source in Source::find_all(paths)? {
        if source.is_regular() && source.packing == Some(Packing::Plain) {
            followed.push(Followed::open(source.path()).map_err(|error| source.unreadable(&error))?);
            continue;
        }
        // What is compressed grows no more, and of standard input the end is the end.
        let mut lines = Lines::new(source.open(&std::sync::Arc::default())?);
        while let Some(line) = lines.next_line().map_err(|error| source.unreadable(&error))? {
            if each(line.text)? == Flow::Stop {
                return Ok(());
            }
        }
    }
    while !followed.is_empty() {
        for file in &mut followed {
            if file.catch_up(&mut each)? == Flow::Stop {
                return Ok(());
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

impl Followed {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_path_buf(), file: Some(File::open(path)?), partial: Vec::new(), read: 0 })
    }

    /// Reads what is there; where another file has taken this one's place, the rest of this one and then that.
    fn catch_up(&mut self, each: &mut impl FnMut(&[u8]) -> Result<Flow, Failure>) -> Result<Flow, Failure> {
        let moved = self.has_moved();
        if self.read_on(each)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        if moved {
            // It may not be there again yet.
            self.file = File::open(&self.path).ok();
            self.partial.clear();
            self.read = 0;
            return self.read_on(each);
        }
        Ok(Flow::GoOn)
    }

    /// Whether the path leads to another file, or this one was emptied.
    fn has_moved(&self) -> bool {
        let Some(open) = self.file.as_ref().and_then(|file| file.metadata().ok()) else { return true };
        let named = std::fs::metadata(&self.path).ok();
        open.len() < self.read || named.is_some_and(|named| !is_same(&open, &named))
    }

    fn read_on(&mut self, each: &mut impl FnMut(&[u8]) -> Result<Flow, Failure>) -> Result<Flow, Failure> {
        let Some(file) = &mut self.file else { return Ok(Flow::GoOn) };
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = file
                .read(&mut buffer)
                .map_err(|error| Failure::io(format!("`{}` cannot be read: {error}", self.path.display())))?;
            if count == 0 {
                return Ok(Flow::GoOn);
            }
            self.read = self.read.saturating_add(u64::try_from(count).unwrap_or_default());
            let mut pieces = buffer.get(..count).unwrap_or_default().split(|byte| *byte == b'\n').peekable();
            while let Some(piece) = pieces.next() {
                if self.partial.len() < MAX_LINE_BYTES {
                    self.partial.extend_from_slice(piece);
                }
                if pieces.peek().is_none() {
                    break;
                }
                if each(&std::mem::take(&mut self.partial))? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
        }
    }
}
