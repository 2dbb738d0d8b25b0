//! Going through files by the block: plain ones with every core, compressed ones and standard input as they come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::memchr;

use super::source::{Lines, MAX_LINE_BYTES, Packing, Source};
use crate::exit::Failure;
use crate::terminal::Bar;

#[cfg(test)]
mod tests;

/// How much of a file one thread takes at a time: enough that handing it out costs nothing, little enough for the caches.
const PIECE_BYTES: u64 = 256 * 1024;

/// More threads wait for the same disk.
const MAX_THREADS: usize = 8;

/// How many answers of a thread may wait for those of the others.
const AHEAD: usize = 4;

/// How much is read at a time to find the end of a piece's last line.
const TAIL_BYTES: usize = 4 * 1024;

const MEBIBYTE: u64 = 1024 * 1024;

/// Hands every block of whole lines to `work`, and what it says, in the order of the lines, to `take`, which may say that it
/// has had enough.
///
/// # Errors
/// What cannot be read; or what `take` says.
pub fn scan<T: Send>(
    sources: &[Source],
    mut bar: Bar,
    work: impl Fn(&[u8]) -> T + Sync,
    mut take: impl FnMut(T) -> Result<Flow, Failure>,
) -> Result<(), Failure> {
    let total: u64 = sources.iter().filter_map(|source| source.size).sum();
    bar.begin(total / MEBIBYTE);
    let read = Arc::new(AtomicU64::new(0));
    for source in sources {
        let mut seen = |value: T| {
            bar.at(read.load(Ordering::Relaxed) / MEBIBYTE);
            take(value)
        };
        let flow = match (source.packing, source.size) {
            (Some(Packing::Plain), Some(size)) if size > PIECE_BYTES => {
                scan_pieces(source, size, &read, &work, &mut seen)?
            }
            _ => scan_stream(source, &read, &work, &mut seen)?,
        };
        if flow == Flow::Stop {
            break;
        }
    }
    Ok(())
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There may be more.
    GoOn,
    /// Nobody wants more.
    Stop,
}

fn scan_stream<T>(
    source: &Source,
    read: &Arc<AtomicU64>,
    work: &impl Fn(&[u8]) -> T,
    take: &mut impl FnMut(T) -> Result<Flow, Failure>,
) -> Result<Flow, Failure> {
    let mut lines = Lines::new(source.open(read)?);
    while let Some(block) = lines.next_block().map_err(|error| source.unreadable(&error))? {
        if take(work(block))? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::GoOn)
}

/// Thread `i` of `n` takes the pieces `i`, `i + n` and so on, and answers in its own channel: read in turn, the channels give
/// the order of the file.
fn scan_pieces<T: Send>(
    source: &Source,
    size: u64,
    read: &AtomicU64,
    work: &(impl Fn(&[u8]) -> T + Sync),
    take: &mut impl FnMut(T) -> Result<Flow, Failure>,
) -> Result<Flow, Failure> {
    let pieces = size.div_ceil(PIECE_BYTES);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let files = (0..threads).map(|_| source.open_at(0)).collect::<Result<Vec<_>, _>>()?;
    thread::scope(|scope| {
        let answers: Vec<Receiver<io::Result<T>>> = files
            .into_iter()
            .zip(0_u64..)
            .map(|(file, first)| {
                let (sender, receiver) = sync_channel(AHEAD);
                let step = u64::try_from(threads).unwrap_or(1);
                scope.spawn(move || pieces_of(file, (first..pieces).step_by_u64(step), read, work, &sender));
                receiver
            })
            .collect();
        for answer in answers.iter().cycle() {
            // A channel whose turn it is and that is closed has had the last piece of all.
            let Ok(answer) = answer.recv() else { break };
            if take(answer.map_err(|error| source.unreadable(&error))?)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::GoOn)
    })
}

/// `step_by` for numbers of pieces.
trait StepBy {
    fn step_by_u64(self, step: u64) -> impl Iterator<Item = u64> + Send;
}

impl StepBy for std::ops::Range<u64> {
    fn step_by_u64(self, step: u64) -> impl Iterator<Item = u64> + Send {
        std::iter::successors(Some(self.start), move |at| at.checked_add(step)).take_while(move |at| *at < self.end)
    }
}

fn pieces_of<T>(
    mut file: File,
    pieces: impl Iterator<Item = u64>,
    read: &AtomicU64,
    work: &impl Fn(&[u8]) -> T,
    answers: &SyncSender<io::Result<T>>,
) {
    let mut buffer = Vec::new();
    for piece in pieces {
        let answer = lines_of(&mut file, piece, &mut buffer).map(|(start, end)| {
            read.fetch_add(PIECE_BYTES, Ordering::Relaxed);
            work(buffer.get(start..end).unwrap_or_default())
        });
        let over = answer.is_err();
        // Nobody listens any more once there is enough, or after an error.
        if answers.send(answer).is_err() || over {
            return;
        }
    }
}

/// Reads the lines that begin in a piece, whole. Says where in the buffer they are, which is kept as long as it has become:
/// to fill it with zeros again would take as long as to read.
fn lines_of(file: &mut File, piece: u64, buffer: &mut Vec<u8>) -> io::Result<(usize, usize)> {
    let start = piece.saturating_mul(PIECE_BYTES);
    // The byte before says whether a line begins where the piece does.
    let from = start.saturating_sub(1);
    let length = usize::try_from(PIECE_BYTES.saturating_add(start - from)).unwrap_or(usize::MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut filled = read_behind(file, buffer, 0, length)?;
    let read = buffer.get(..filled).unwrap_or_default();
    let first = if start == 0 { Some(0) } else { memchr(b'\n', read).map(|at| at.saturating_add(1)) };
    let Some(first) = first.filter(|first| *first < filled) else { return Ok((0, 0)) };
    if read.last() == Some(&b'\n') {
        return Ok((first, filled));
    }
    // The last line goes on in the next piece, or the file ends without a line break.
    let most = filled.saturating_add(MAX_LINE_BYTES);
    while filled < most {
        let count = read_behind(file, buffer, filled, TAIL_BYTES)?;
        let tail = buffer.get(filled..filled.saturating_add(count)).unwrap_or_default();
        if let Some(end) = memchr(b'\n', tail) {
            return Ok((first, filled.saturating_add(end).saturating_add(1)));
        }
        if count == 0 {
            break;
        }
        filled = filled.saturating_add(count);
    }
    Ok((first, filled))
}

/// Reads so many bytes into a buffer, behind what is in it; fewer only at the end of the file.
fn read_behind(file: &mut File, buffer: &mut Vec<u8>, start: usize, length: usize) -> io::Result<usize> {
    let end = start.saturating_add(length);
    if buffer.len() < end {
        buffer.resize(end, 0);
    }
    let room = buffer.get_mut(start..end).unwrap_or_default();
    let mut count = 0;
    while let Some(rest) = room.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => count = count.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
