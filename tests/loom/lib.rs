//! Every order in which threads can meet at a slot of the table of handles, tried by loom.
//!
//! The file under test is the library's own; only its atomics are loom's, which know the orderings of the C11 model and
//! let each thread see every value that it may.
#![cfg(test)]
#![allow(unsafe_code, reason = "the model owns objects as the table does")]

#[path = "../../src/handle/slot.rs"]
mod slot;

use loom::sync::{
    Arc,
    atomic::{self, AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst},
};
use slot::{Live, Slot};

const KIND: u64 = 2;
const RETIRED: u64 = 1 << 20;

/// A slot, and what became of the objects that were in it.
struct Table {
    slot: Slot,
    dropped: AtomicUsize,
}

/// An object with its number; the model looks for use after its end.
struct Object {
    number: usize,
    alive: AtomicUsize,
}

impl Table {
    fn new() -> Arc<Self> {
        let slot = Slot { word: AtomicU64::new(0), object: AtomicPtr::new(std::ptr::null_mut()) };
        Arc::new(Self { slot, dropped: AtomicUsize::new(0) })
    }

    /// As `insert` does; the generation, or none where another thread has the slot.
    fn insert(&self, number: usize) -> Option<u64> {
        let generation = self.slot.claim(RETIRED)?;
        let object = Box::into_raw(Box::new(Object { number, alive: AtomicUsize::new(1) }));
        self.slot.fill(Live::new(generation, KIND), object.cast());
        Some(generation)
    }

    /// As `get` does, for as long as a reference takes to be counted: the object's number.
    fn get(&self, generation: u64) -> Option<usize> {
        let object = self.slot.pin(Live::new(generation, KIND))?.cast::<Object>();
        assert!(!object.is_null());
        // SAFETY: never freed in this model.
        let object = unsafe { &*object };
        assert_eq!(object.alive.load(SeqCst), 1, "used after its end");
        let number = object.number;
        self.unpin();
        Some(number)
    }

    /// As `remove` does: whether this caller ended it.
    fn remove(&self, generation: u64) -> bool {
        let ended = self.slot.end(Live::new(generation, KIND));
        if ended {
            self.unpin();
        }
        ended
    }

    fn unpin(&self) {
        if let Some(object) = self.slot.unpin() {
            // SAFETY: never freed in this model, so that a use after the end is seen and not suffered.
            let object = unsafe { &*object.cast::<Object>() };
            assert_eq!(object.alive.swap(0, SeqCst), 1, "dropped twice");
            self.dropped.fetch_add(1, SeqCst);
        }
    }
}

#[test]
fn a_get_that_races_with_a_release_sees_the_object_or_its_end() {
    loom::model(|| {
        let table = Table::new();
        let generation = table.insert(7).unwrap();
        let other = table.clone();
        let thread = loom::thread::spawn(move || {
            if let Some(number) = other.get(generation) {
                assert_eq!(number, 7);
            }
        });
        assert!(table.remove(generation));
        assert_eq!(table.get(generation), None, "released");
        thread.join().unwrap();
        assert_eq!(table.dropped.load(SeqCst), 1, "dropped exactly once");
    });
}

#[test]
fn of_two_releases_one_succeeds() {
    loom::model(|| {
        let table = Table::new();
        let generation = table.insert(7).unwrap();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let table = table.clone();
                loom::thread::spawn(move || table.remove(generation))
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|&ended| ended).count();
        assert_eq!((ended, table.dropped.load(SeqCst)), (1, 1));
    });
}

#[test]
fn a_slot_that_is_used_again_does_not_answer_to_its_old_handle() {
    loom::model(|| {
        let table = Table::new();
        let old = table.insert(7).unwrap();
        let (reader, writer) = (table.clone(), table.clone());
        let reading = loom::thread::spawn(move || reader.get(old));
        let writing = loom::thread::spawn(move || {
            assert!(writer.remove(old));
            // The reader may hold the slot still.
            writer.insert(8)
        });
        let seen = reading.join().unwrap();
        assert!(seen.is_none_or(|number| number == 7), "the old handle answers {seen:?}");
        if let Some(new) = writing.join().unwrap() {
            assert!(new > old);
            assert_eq!(table.get(new), Some(8));
            assert!(table.remove(new));
            assert_eq!(table.dropped.load(SeqCst), 2);
        }
    });
}

#[test]
fn two_objects_never_get_one_slot() {
    loom::model(|| {
        let table = Table::new();
        let threads: Vec<_> = (0..2)
            .map(|number| {
                let table = table.clone();
                loom::thread::spawn(move || table.insert(number).map(|generation| (generation, number)))
            })
            .collect();
        let placed: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(placed.len(), 1, "one takes it, the other looks further");
        let (generation, number) = placed[0];
        assert_eq!(table.get(generation), Some(number));
        assert!(table.remove(generation));
    });
}
