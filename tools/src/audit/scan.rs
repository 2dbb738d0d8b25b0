//! Going through files by the block: plain ones with every core, compressed ones and standard input as they come.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::memchr;

use super::source::{Lines, Packing, Source};
use crate::exit::Failure;
use crate::terminal::Bar;

#[cfg(test)]
mod tests;

/// How much of a file one thread takes at a time: enough that handing it out costs nothing.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// More threads wait for the same disk.
const MAX_THREADS: usize = 8;

/// How many answers of a thread may wait for those of the others.
const AHEAD: usize = 2;

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
    while let Some((_, block)) = lines.next_block().map_err(|error| source.unreadable(&error))? {
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
        let answers: Vec<Receiver<io::Result<Vec<T>>>> = files
            .into_iter()
            .enumerate()
            .map(|(first, file)| {
                let (sender, receiver) = sync_channel(AHEAD);
                let own = (0..pieces).skip(first).step_by(threads);
                scope.spawn(move || pieces_of(&file, own, read, work, &sender));
                receiver
            })
            .collect();
        for answer in answers.iter().cycle() {
            // A channel whose turn it is and that is closed has had the last piece of all.
            let Ok(answer) = answer.recv() else { break };
            for value in answer.map_err(|error| source.unreadable(&error))? {
                if take(value)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
        }
        Ok(Flow::GoOn)
    })
}

fn pieces_of<T>(
    file: &File,
    pieces: impl Iterator<Item = u64>,
    read: &AtomicU64,
    work: &impl Fn(&[u8]) -> T,
    answers: &SyncSender<io::Result<Vec<T>>>,
) {
    let mut buffer = Vec::new();
    for piece in pieces {
        let answer = lines_of(file, piece, &mut buffer, work);
        read.fetch_add(PIECE_BYTES, Ordering::Relaxed);
        let over = answer.is_err();
        // Nobody listens any more once there is enough, or after an error.
        if answers.send(answer).is_err() || over {
            return;
        }
    }
}

/// Hands the lines that begin in a piece to `work`, by the block.
fn lines_of<T>(mut file: &File, piece: u64, buffer: &mut Vec<u8>, work: &impl Fn(&[u8]) -> T) -> io::Result<Vec<T>> {
    let start = piece.saturating_mul(PIECE_BYTES);
    let end = start.saturating_add(PIECE_BYTES);
    // The byte before says whether a line begins where the piece does.
    let from = start.saturating_sub(1);
    file.seek(SeekFrom::Start(from))?;
    let mut lines = Lines::reusing(file, std::mem::take(buffer));
    let mut answers = Vec::new();
    let mut first = start > 0;
    while let Some((before, block)) = lines.next_block()? {
        let at = from.saturating_add(before);
        // A line that is too long for anything may have been passed over to beyond the end.
        if at >= end {
            break;
        }
        // The line that the piece begins in is the one before's.
        let skipped = if first { memchr(b'\n', block).map_or(block.len(), |end| end.saturating_add(1)) } else { 0 };
        first = false;
        // The line that the piece ends in is its last.
        let last = usize::try_from(end.saturating_sub(at).saturating_sub(1)).unwrap_or(usize::MAX);
        let after = block.get(last..).and_then(|rest| memchr(b'\n', rest)).map(|length| last.saturating_add(length));
        let stop = after.map_or(block.len(), |after| after.saturating_add(1));
        if let Some(own) = block.get(skipped..stop).filter(|own| !own.is_empty()) {
            answers.push(work(own));
        }
        if at.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX)) >= end {
            break;
        }
    }
    *buffer = lines.into_buffer();
    Ok(answers)
}
