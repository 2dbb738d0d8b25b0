//! Audit files as they are kept: plain, compressed by gzip or zstd, or standard input. Never more of one in memory than
//! a block.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::exit::Failure;
use crate::input;

mod lines;
mod zstd;

pub use lines::{Lines, MAX_LINE_BYTES, object};
use zstd::Frames;

#[cfg(test)]
mod tests;

/// RFC 1952, section 2.3.1.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// RFC 8878, sections 3.1.1 and 3.1.2.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// How much is read from a file at a time.
const READ_BYTES: usize = 128 * 1024;

/// What a file is packed with. Its first bytes say so, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Lines as they are.
    Plain,
    /// gzip, of one member or several.
    Gzip,
    /// zstd, of one frame or several.
    Zstd,
}

impl Packing {
    /// What these first bytes of a file say.
    #[must_use]
    pub fn of(start: &[u8]) -> Self {
        if start.starts_with(&GZIP_MAGIC) {
            Self::Gzip
        } else if start.starts_with(&ZSTD_MAGIC) || start.get(1..4) == Some(&ZSTD_SKIPPABLE) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }
}

/// An input of a command, looked at and not yet read.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    /// How it is packed; of standard input it shows when it is read.
    pub packing: Option<Packing>,
    /// Its size as it is kept; unknown of what is no regular file.
    pub size: Option<u64>,
}

impl Source {
    /// Looks at a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn find(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self { path: path.to_path_buf(), packing: None, size: None });
        }
        let problem = |error: io::Error| cannot_read(path, &error);
        let mut file = File::open(path).map_err(problem)?;
        let about = file.metadata().map_err(problem)?;
        if about.is_dir() {
            return Err(Failure::io(format!("`{}` is a directory", path.display())).remedy("name the files in it"));
        }
        if !about.is_file() {
            return Ok(Self { path: path.to_path_buf(), packing: None, size: None });
        }
        let mut start = Vec::new();
        file.by_ref().take(4).read_to_end(&mut start).map_err(problem)?;
        Ok(Self { path: path.to_path_buf(), packing: Some(Packing::of(&start)), size: Some(about.len()) })
    }

    /// Looks at every input of a command: these files, in this order, or standard input where there are none.
    ///
    /// # Errors
    /// One cannot be read, or standard input is named twice.
    pub fn find_all(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        input::once(paths.iter().map(|path| Some(path.as_path())))?;
        if paths.is_empty() {
            return Ok(vec![Self::find(Path::new("-"))?]);
        }
        paths.iter().map(|path| Self::find(path)).collect()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to call it.
    #[must_use]
    pub fn name(&self) -> String {
        if self.path.as_os_str() == "-" { "standard input".to_owned() } else { self.path.display().to_string() }
    }

    /// Whether it can be read a second time.
    #[must_use]
    pub const fn is_regular(&self) -> bool {
        self.size.is_some()
    }

    /// Opens it from its beginning. `read` counts the bytes that are read of it, as it is kept.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(&self, read: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, Failure> {
        let inner: Box<dyn Read + Send> = if self.path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(&self.path).map_err(|error| cannot_read(&self.path, &error))?)
        };
        let mut reader = BufReader::with_capacity(READ_BYTES, Counted { inner, read: Arc::clone(read) });
        // A pipe may give less than four bytes at first; then it is taken for plain, and its lines do not parse.
        let packing = match self.packing {
            Some(packing) => packing,
            None => Packing::of(reader.fill_buf().map_err(|error| self.unreadable(&error))?),
        };
        Ok(match packing {
            Packing::Plain => Box::new(reader),
            Packing::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Packing::Zstd => Box::new(Frames::new(reader)),
        })
    }

    /// Opens a plain file at a place in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open_at(&self, offset: u64) -> Result<File, Failure> {
        let mut file = File::open(&self.path).map_err(|error| cannot_read(&self.path, &error))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.unreadable(&error))?;
        Ok(file)
    }

    /// That it cannot be read on.
    #[must_use]
    pub fn unreadable(&self, error: &io::Error) -> Failure {
        match self.packing {
            Some(Packing::Gzip | Packing::Zstd) => Failure::io(format!("{} cannot be unpacked: {error}", self.name()))
                .remedy("a compressed file that is cut off or damaged is read no further"),
            _ => Failure::io(format!("{} cannot be read: {error}", self.name())),
        }
    }
}

/// Whether two are one file: what a path leads to changes when a file is rotated or replaced.
#[must_use]
pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }
    #[cfg(not(unix))]
    {
        one.created().ok() == other.created().ok()
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format!("`{}` cannot be read: {error}", path.display()))
}

/// Counts what is read, for the bar.
struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
        Ok(count)
    }
}
