//! Lines out of a reader, in constant memory.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

/// Longer than any record; of a longer line only the beginning is seen.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// How much is read at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'b> {
    /// Its text, without the line break.
    pub text: &'b [u8],
    /// Its number, from 1.
    pub number: u64,
}

/// A line from its first `{` on: an access log begins with it, the proxy's own log writes its own beginning before.
#[must_use]
pub fn object(text: &[u8]) -> Option<&[u8]> {
    memchr(b'{', text).and_then(|at| text.get(at..))
}

/// Reads lines one by one, or by the block.
pub struct Lines<R> {
    reader: R,
    /// As long as it has become: to fill it with zeros again would take as long as to read.
    buffer: Vec<u8>,
    /// How much of it is read.
    filled: usize,
    /// Where what has not been given out begins.
    at: usize,
    /// How much was read before what is in it.
    before: u64,
    ended: bool,
    /// In the rest of a line that is too long.
    skipping: bool,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// From the beginning.
    pub const fn new(reader: R) -> Self {
        Self::reusing(reader, Vec::new())
    }

    /// From the beginning, with the buffer of another.
    pub const fn reusing(reader: R, buffer: Vec<u8>) -> Self {
        Self { reader, buffer, filled: 0, at: 0, before: 0, ended: false, skipping: false, number: 0 }
    }

    /// The buffer, for another.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The next line. The last of a file may lack its line break.
    ///
    /// # Errors
    /// The reader's.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.next(memchr).map(|range| {
            range.map(|(start, end)| {
                self.number = self.number.saturating_add(1);
                let text = self.buffer.get(start..end).unwrap_or_default();
                Line { text: text.strip_suffix(b"\n").unwrap_or(text), number: self.number }
            })
        })
    }

    /// The next lines, as many as are there, and how much of the reader is before them.
    ///
    /// # Errors
    /// The reader's.
    pub fn next_block(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        self.next(memrchr).map(|range| {
            let (start, end) = range?;
            let before = self.before.saturating_add(u64::try_from(start).unwrap_or(u64::MAX));
            Some((before, self.buffer.get(start..end)?))
        })
    }

    /// Up to and with the line break that `find` finds.
    fn next(&mut self, find: fn(u8, &[u8]) -> Option<usize>) -> io::Result<Option<(usize, usize)>> {
        loop {
            let rest = self.buffer.get(self.at..self.filled).unwrap_or_default();
            if self.skipping {
                if let Some(length) = memchr(b'\n', rest) {
                    self.skipping = false;
                    self.at = self.at.saturating_add(length).saturating_add(1);
                    continue;
                }
                self.at = self.filled;
            } else {
                let found = find(b'\n', rest).map(|length| length.saturating_add(1));
                let too_long = rest.len() >= MAX_LINE_BYTES;
                if let Some(length) =
                    found.or_else(|| (too_long || self.ended && !rest.is_empty()).then_some(rest.len()))
                {
                    self.skipping = found.is_none() && !self.ended;
                    let start = self.at;
                    self.at = start.saturating_add(length);
                    return Ok(Some((start, self.at)));
                }
            }
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Reads on, behind what has not been given out.
    fn fill(&mut self) -> io::Result<()> {
        self.before = self.before.saturating_add(u64::try_from(self.at).unwrap_or(u64::MAX));
        self.buffer.copy_within(self.at.min(self.filled)..self.filled, 0);
        self.filled = self.filled.saturating_sub(self.at);
        self.at = 0;
        let end = self.filled.saturating_add(BLOCK_BYTES);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let room = self.buffer.get_mut(self.filled..end).unwrap_or_default();
        let count = loop {
            match self.reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.filled = self.filled.saturating_add(count);
        self.ended = count == 0;
        Ok(())
    }
}
