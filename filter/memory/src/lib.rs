//! Memory for a filter that takes and gives back the same few dozen small pieces with every request.
//!
//! Small pieces that are given back stand on a list of their size and are taken from there again: a handful of instructions, where
//! the system's own allocator (dlmalloc, as wasi-libc has it) goes through a hundred to keep memory in as few pieces as it
//! can. Large ones are the system's, and so is all that is more than a request needs: lists are bounded.

#![expect(unsafe_code, reason = "an allocator is nothing else: `GlobalAlloc` is unsafe to implement and to call")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// Pieces of one list are of sizes up to a multiple of this many bytes, less a [`HEAD`]; it is also how pieces are aligned.
const STEP: usize = 16;

/// What the system's allocator keeps before a piece: with it, the largest of a list fill its steps.
const HEAD: usize = size_of::<usize>();

/// Pieces of up to so many steps are small.
const SIZES: usize = 64;

/// How many pieces of a size are kept, at most: of all sizes together 4.3 MB.
const MOST: u32 = 128;

/// An allocator for one thread: the lists, and the system's behind them.
#[derive(Debug)]
pub struct Lists<A = System> {
    lists: [Cell<List>; SIZES],
    system: A,
}

/// Pieces of one size that nobody uses; each has the address of the next in its first bytes.
#[derive(Clone, Copy, Debug)]
struct List {
    first: *mut u8,
    length: u32,
}

// SAFETY: without threads nobody shares it. Where there are threads, it is not `Sync`, and no `static` can be made of it.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
unsafe impl Sync for Lists {}

impl Lists {
    /// Empty lists.
    #[must_use]
    pub const fn new() -> Self {
        Self::before(System)
    }
}

impl<A> Lists<A> {
    const fn before(system: A) -> Self {
        Self { lists: [const { Cell::new(List { first: ptr::null_mut(), length: 0 }) }; SIZES], system }
    }

    /// The list of pieces of this layout; `None` for those that are large.
    fn list(&self, layout: Layout) -> Option<&Cell<List>> {
        self.lists.get(index(layout))
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the list of a layout is; beyond all of them for large pieces, empty ones, and those that must be aligned otherwise.
const fn index(layout: Layout) -> usize {
    if layout.align() <= STEP { layout.size().wrapping_sub(1).saturating_add(HEAD) / STEP } else { usize::MAX }
}

/// The layout of all pieces on the list that this one belongs on.
const fn whole(layout: Layout) -> Layout {
    let size = (layout.size().saturating_add(HEAD)).next_multiple_of(STEP).saturating_sub(HEAD);
    // SAFETY: `STEP` is a power of two, and only small layouts come here, of which none is near `isize::MAX`.
    unsafe { Layout::from_size_align_unchecked(size, STEP) }
}

// SAFETY: a small piece comes from the system with the size and alignment of its list, which are no less than what is asked for,
// or from that list, on which it came with a layout that has the same index: nobody uses it, and nobody else is given it until it is
// back. Every other call goes to the system with the layout that it came with.
//
// Giving out and taking back are functions of their own: there are hundreds of places that do either, and a copy in each of those
// that a request passes is more code to execute than a call.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Lists<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = self.list(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { self.system.alloc(layout) };
        };
        let List { first: piece, length } = list.get();
        if piece.is_null() {
            // SAFETY: its size is not zero, since a layout without size has no list.
            return unsafe { self.system.alloc(whole(layout)) };
        }
        // SAFETY: what is on a list has the address of the next in its first bytes, which `dealloc` wrote.
        let next = unsafe { *piece.cast::<*mut u8>() };
        list.set(List { first: next, length: length.wrapping_sub(1) });
        piece
    }

    #[inline(never)]
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some(list) = self.list(layout) else {
            // SAFETY: the caller's promise; what has no list came from the system with this layout.
            return unsafe { self.system.dealloc(piece, layout) };
        };
        let List { first, length } = list.get();
        if length >= MOST {
            // SAFETY: it came from the system with this layout, whoever had it meanwhile.
            return unsafe { self.system.dealloc(piece, whole(layout)) };
        }
        // SAFETY: nobody uses it any more, it is no smaller than an address, and aligned for one.
        unsafe { *piece.cast::<*mut u8>() = first };
        list.set(List { first: piece, length: length.wrapping_add(1) });
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if index(layout) >= SIZES {
            // SAFETY: the caller's promise.
            return unsafe { self.system.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise.
        let piece = unsafe { self.alloc(layout) };
        if !piece.is_null() {
            // SAFETY: it was just given out, with at least this size.
            unsafe { ptr::write_bytes(piece, 0, layout.size()) };
        }
        piece
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: not zero, and no more than a layout may have.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (from, to) = (index(layout), index(wanted));
        if from >= SIZES && to >= SIZES {
            // SAFETY: the caller's promise; both are the system's.
            return unsafe { self.system.realloc(piece, layout, size) };
        }
        if from == to {
            return piece;
        }
        // SAFETY: `wanted` is a layout whose size is not zero.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: two pieces, each of at least so many bytes, of which one was just given out and the other is the caller's to
            // give back.
            unsafe {
                ptr::copy_nonoverlapping(piece, moved, layout.size().min(size));
                self.dealloc(piece, layout);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests;
