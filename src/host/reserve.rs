//! A little memory for the time when there is none.
//!
//! Rust aborts the process when a small allocation fails, and unwinding out of a codec allocates. Requests that the
//! system refuses are therefore served from a reserve, and the call that needed it fails with "out of memory" once it
//! has let go of everything. Large buffers do not come here: they are allocated fallibly.
#![allow(unsafe_code, reason = "island: the global allocator")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::UnsafeCell,
    ptr,
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

/// Larger requests are refused like anywhere else. The largest that is not made fallibly is the table of a CMYK profile,
/// of 17^4 colours.
const MOST: usize = 2 << 20;
const SIZE: usize = 8 << 20;
/// The strongest alignment served.
const ALIGN: usize = 4096;

/// The system's allocator with a reserve behind it.
pub struct ReserveAllocator;

#[repr(C, align(4096))]
struct Arena(UnsafeCell<[u8; SIZE]>);

// SAFETY: parts of the arena are handed out to one owner each (`take`), like any allocator's memory.
unsafe impl Sync for Arena {}

/// Zeros that cost no memory until they are touched.
static ARENA: Arena = Arena(UnsafeCell::new([0; SIZE]));

/// Blocks in use (upper half) and bytes handed out since there were none (lower half).
static STATE: AtomicU64 = AtomicU64::new(0);

/// Times the reserve was needed.
static USES: AtomicU64 = AtomicU64::new(0);

const ONE_BLOCK: u64 = 1 << 32;

/// How often the reserve was needed so far. A call that finds the number changed at its end had too little memory.
pub fn uses() -> u64 {
    USES.load(Relaxed)
}

fn take(layout: Layout) -> *mut u8 {
    if layout.size() > MOST || layout.align() > ALIGN {
        return ptr::null_mut();
    }
    let mut start = 0;
    let next = |state: u64| {
        start = (state as u32 as usize).next_multiple_of(layout.align());
        let end = start + layout.size(); // both are at most SIZE or so: no overflow
        (end <= SIZE).then_some((state & !0xffff_ffff) + ONE_BLOCK + end as u64)
    };
    if STATE.fetch_update(AcqRel, Acquire, next).is_err() {
        return ptr::null_mut();
    }
    // SAFETY: start < SIZE, or the block is empty and start is at most one past the end.
    unsafe { ARENA.0.get().cast::<u8>().add(start) }
}

/// A block for a request that the system refused.
fn rescue(layout: Layout) -> *mut u8 {
    let block = take(layout);
    if !block.is_null() {
        USES.fetch_add(1, Relaxed);
    }
    block
}

/// Takes a block back. When it was the last one the whole reserve is free again.
fn give_back() {
    let _ = STATE.fetch_update(AcqRel, Acquire, |state| {
        let state = state - ONE_BLOCK;
        Some(if state < ONE_BLOCK { 0 } else { state })
    });
}

fn is_ours(block: *mut u8) -> bool {
    (block as usize).wrapping_sub(ARENA.0.get() as usize) < SIZE
}

// SAFETY: every block comes from `System` or from a part of the arena that nobody else has, and goes back to where it
// came from; nothing here unwinds.
unsafe impl GlobalAlloc for ReserveAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the same as System's demand.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { rescue(layout) } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = rescue(layout);
        if !block.is_null() {
            // SAFETY: the block is ours and has `size` bytes.
            unsafe { block.write_bytes(0, layout.size()) }
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_ours(block) {
            give_back();
        } else {
            // SAFETY: not from the arena, so from System, with this layout.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_ours(block) {
            // SAFETY: not from the arena, so from System, with this layout.
            let moved = unsafe { System.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller promises that `size` fits this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // A block of the reserve moves out of it as soon as there is memory again.
        let moved = if is_ours(block) {
            // SAFETY: as in `alloc`; `size` is not zero, by the caller's promise.
            unsafe { self.alloc(wanted) }
        } else {
            rescue(wanted)
        };
        if !moved.is_null() {
            // SAFETY: two different blocks, each of at least the smaller size; the old one is the caller's to give up.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because the reserve is one.
    #[test]
    fn blocks_are_apart_and_all_come_back() {
        assert!(take(Layout::from_size_align(MOST + 1, 1).unwrap()).is_null());
        assert!(take(Layout::from_size_align(1, 2 * ALIGN).unwrap()).is_null());
        for round in 0..3 {
            let mut blocks = Vec::new();
            for size in [1usize, 100, 4096, 70_000, MOST].into_iter().cycle() {
                let layout = Layout::from_size_align(size, 1 << (size % 13)).unwrap();
                let block = take(layout);
                if block.is_null() {
                    break;
                }
                assert!(is_ours(block) && (block as usize).is_multiple_of(layout.align()));
                // SAFETY: the block has `size` bytes.
                unsafe { block.write_bytes(blocks.len() as u8, size) }
                blocks.push((block, layout));
            }
            assert!(blocks.len() > 10, "round {round}: {}", blocks.len());
            for (index, (block, layout)) in blocks.iter().enumerate() {
                // SAFETY: the block was written above and is still ours.
                let bytes = unsafe { std::slice::from_raw_parts(*block, layout.size()) };
                assert!(bytes.iter().all(|byte| *byte == index as u8));
            }
            for (block, layout) in blocks {
                // SAFETY: from `take`, once.
                unsafe { ReserveAllocator.dealloc(block, layout) }
            }
            assert_eq!(STATE.load(Relaxed), 0);
        }

        // A block grows, moves out of the reserve, and keeps its bytes.
        let layout = Layout::from_size_align(64, 8).unwrap();
        let block = take(layout);
        // SAFETY: the allocator's contract is kept: sizes and layouts match.
        unsafe {
            block.write_bytes(7, 64);
            let moved = ReserveAllocator.realloc(block, layout, 128);
            assert!(!is_ours(moved));
            assert_eq!(std::slice::from_raw_parts(moved, 64), [7; 64]);
            ReserveAllocator.dealloc(moved, Layout::from_size_align(128, 8).unwrap());
        }
        assert_eq!(STATE.load(Relaxed), 0);
    }
}
