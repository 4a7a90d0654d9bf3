//! A slot of the table: one word that says everything (generation, kind, pins) and the object's address.
//!
//! `tests/loom` runs this file under a model checker, with the checker's atomics.

use std::ptr;

use super::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

// The word: pins in the low 24 bits, kind in the next 8, generation in the high 32.
const PIN: u64 = 1;
const PINS: u64 = (1 << KIND_SHIFT) - 1;
const KIND_SHIFT: u32 = 24;
const GENERATION_SHIFT: u32 = 32;
const GENERATION: u64 = 1 << GENERATION_SHIFT;
/// The kind of a slot that somebody is filling.
const FILLING: u64 = 0xff;

/// A place for one object at a time. An odd generation is live.
pub struct Slot {
    pub(super) word: AtomicU64,
    pub(super) object: AtomicPtr<()>,
}

/// The word of a slot that holds an object, without its pins.
#[derive(Clone, Copy)]
pub struct Live(u64);

impl Live {
    /// What a token of this generation and kind expects to find.
    pub fn new(generation: u64, kind: u64) -> Self {
        Self(generation << GENERATION_SHIFT | kind << KIND_SHIFT)
    }
}

impl Slot {
    /// The generation as it is now.
    pub fn generation(&self) -> u64 {
        self.word.load(Acquire) >> GENERATION_SHIFT
    }

    /// Takes the slot for a new object if it is free and not `retired`: the object's generation. [`Self::fill`] follows.
    pub fn claim(&self, retired: u64) -> Option<u64> {
        let free = self.word.load(Acquire);
        let generation = free >> GENERATION_SHIFT;
        if free & (GENERATION - 1) != 0 || generation % 2 != 0 || generation >= retired {
            return None;
        }
        let filling = free | FILLING << KIND_SHIFT;
        self.word.compare_exchange(free, filling, AcqRel, Relaxed).ok()?;
        Some(generation + 1)
    }

    /// Makes the object of a claimed slot live.
    pub fn fill(&self, live: Live, object: *mut ()) {
        self.object.store(object, Release);
        self.word.store(live.0, Release);
    }

    /// Pins the object if it is live, so that the table's reference stays until [`Self::unpin`].
    pub fn pin(&self, live: Live) -> Option<*mut ()> {
        self.change(live, PIN)?;
        Some(self.object.load(Acquire))
    }

    /// Ends the object's life, and pins it. Only one of several callers succeeds.
    pub fn end(&self, live: Live) -> bool {
        self.change(live, GENERATION + PIN).is_some()
    }

    /// Adds to the word as long as the object is live.
    fn change(&self, live: Live, by: u64) -> Option<()> {
        let mut now = self.word.load(Acquire);
        while now & !PINS == live.0 {
            match self.word.compare_exchange_weak(now, now + by, AcqRel, Acquire) {
                Ok(_) => return Some(()),
                Err(changed) => now = changed,
            }
        }
        None
    }

    /// Takes a pin away. The last one of an ended object frees the slot and answers the object: the table's reference
    /// is the caller's now, and nobody else's, for an ended object takes no new pins.
    pub fn unpin(&self) -> Option<*mut ()> {
        let now = self.word.fetch_sub(PIN, AcqRel) - PIN;
        let generation = now >> GENERATION_SHIFT;
        if now & PINS != 0 || generation % 2 != 0 {
            return None;
        }
        let object = self.object.swap(ptr::null_mut(), AcqRel);
        self.word.store(generation << GENERATION_SHIFT, Release);
        Some(object)
    }
}
