use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// The system, which sees to it that whatever goes back has the layout that it came with.
#[derive(Default)]
struct Strict(RefCell<HashMap<*mut u8, Layout>>);

impl Strict {
    fn take(&self, piece: *mut u8, layout: Layout) {
        assert_eq!(self.0.borrow_mut().remove(&piece), Some(layout), "not the layout that {piece:?} came with");
    }

    fn give(&self, piece: *mut u8, layout: Layout) -> *mut u8 {
        assert_eq!(self.0.borrow_mut().insert(piece, layout), None, "{piece:?} is given out twice");
        piece
    }
}

// SAFETY: the system's own, called with what it was called with.
unsafe impl GlobalAlloc for Strict {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.give(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        self.take(piece, layout);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(piece, layout) };
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.take(piece, layout);
        let wanted = Layout::from_size_align(size, layout.align()).unwrap_or(layout);
        // SAFETY: the caller's promise.
        self.give(unsafe { System.realloc(piece, layout, size) }, wanted)
    }
}

/// A piece that was given out, and the byte that it is full of.
struct Piece {
    at: *mut u8,
    layout: Layout,
    full_of: u8,
}

impl Piece {
    fn fill(&mut self, byte: u8) {
        self.full_of = byte;
        // SAFETY: it has this size and is nobody else's.
        unsafe { ptr::write_bytes(self.at, byte, self.layout.size()) };
    }

    /// Whether the first bytes are still what they were.
    fn holds(&self, bytes: usize) -> bool {
        // SAFETY: it has at least this size, and all of it was written.
        let content = unsafe { std::slice::from_raw_parts(self.at, bytes) };
        content.iter().all(|byte| *byte == self.full_of)
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take { size: usize, align: usize, zeroed: bool },
    Resize { which: usize, size: usize },
    GiveBack { which: usize },
}

fn sizes() -> impl Strategy<Value = usize> {
    // Around the edges of steps and of what is small, and everything else.
    prop_oneof![1_usize..100, (1_usize..70).prop_flat_map(|n| (n * STEP - HEAD - 1)..=(n * STEP + 1)), 900_usize..5000]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let take =
        (sizes(), 0_u32..7, any::<bool>()).prop_map(|(size, log, zeroed)| Step::Take { size, align: 1 << log, zeroed });
    let resize = (any::<usize>(), sizes()).prop_map(|(which, size)| Step::Resize { which, size });
    let give_back = any::<usize>().prop_map(|which| Step::GiveBack { which });
    prop::collection::vec(prop_oneof![4 => take, 2 => resize, 3 => give_back], 1..600)
}

proptest! {
    /// No two pieces overlap, each is aligned and keeps what is written into it, and new ones of zeros are of zeros.
    #[test]
    fn pieces_keep_what_is_written(steps in steps()) {
        let memory = Lists::before(Strict::default());
        let mut pieces: Vec<Piece> = Vec::new();
        for (number, step) in (1_u8..=255).cycle().zip(steps) {
            match step {
                Step::Take { size, align, zeroed } => {
                    let layout = Layout::from_size_align(size, align)?;
                    // SAFETY: the size is not zero.
                    let at = unsafe { if zeroed { memory.alloc_zeroed(layout) } else { memory.alloc(layout) } };
                    prop_assert!(!at.is_null() && at.addr().is_multiple_of(align), "{layout:?} at {at:?}");
                    let mut piece = Piece { at, layout, full_of: 0 };
                    prop_assert!(!zeroed || piece.holds(size), "{layout:?} is not of zeros");
                    piece.fill(number);
                    pieces.push(piece);
                }
                Step::Resize { which, size } if !pieces.is_empty() => {
                    let index = which % pieces.len();
                    let piece = &mut pieces[index];
                    // SAFETY: it was given out with this layout, and the new size is not zero.
                    piece.at = unsafe { memory.realloc(piece.at, piece.layout, size) };
                    let kept = piece.layout.size().min(size);
                    piece.layout = Layout::from_size_align(size, piece.layout.align())?;
                    prop_assert!(piece.at.addr().is_multiple_of(piece.layout.align()), "{:?} at {:?}", piece.layout, piece.at);
                    prop_assert!(piece.holds(kept), "{:?} lost what was in it", piece.layout);
                    piece.fill(number);
                }
                Step::GiveBack { which } if !pieces.is_empty() => {
                    let piece = pieces.swap_remove(which % pieces.len());
                    prop_assert!(piece.holds(piece.layout.size()), "{:?} was written by somebody else", piece.layout);
                    // SAFETY: it was given out with this layout.
                    unsafe { memory.dealloc(piece.at, piece.layout) };
                }
                Step::Resize { .. } | Step::GiveBack { .. } => {}
            }
        }
        for piece in pieces {
            prop_assert!(piece.holds(piece.layout.size()), "{:?} was written by somebody else", piece.layout);
            // SAFETY: it was given out with this layout.
            unsafe { memory.dealloc(piece.at, piece.layout) };
        }
    }
}

#[test]
fn takes_again_what_was_given_back() -> Result<(), std::alloc::LayoutError> {
    let memory = Lists::new();
    let (one, like_it) = (Layout::from_size_align(2 * STEP, 1)?, Layout::from_size_align(3 * STEP - HEAD, 16)?);
    // SAFETY: neither size is zero, and each piece goes back with the layout that it came with.
    unsafe {
        let first = memory.alloc(one);
        memory.dealloc(first, one);
        let second = memory.alloc(like_it);
        assert_eq!(first, second, "{one:?} and {like_it:?} are of one list");
        memory.dealloc(second, like_it);
    }
    Ok(())
}

#[test]
fn keeps_no_more_than_its_share() -> Result<(), std::alloc::LayoutError> {
    let memory = Lists::before(Strict::default());
    let layout = Layout::from_size_align(64, 8)?;
    // SAFETY: the size is not zero, and each piece goes back with the layout that it came with.
    unsafe {
        let pieces: Vec<_> = (0..1000).map(|_| memory.alloc(layout)).collect();
        for piece in pieces {
            memory.dealloc(piece, layout);
        }
    }
    assert_eq!(memory.system.0.borrow().len(), MOST as usize, "of a thousand pieces of one size");
    Ok(())
}
