//! The table behind all handles. A handle is a token, never an address: bit 0 is 1, then kind, slot and
//! generation, 53 bits in all, so that it survives a JavaScript number.
//!
//! A slot's whole state is one atomic word (generation, kind, pins), so no call ever waits for another, and a
//! child forked at any moment finds a usable table. An odd generation is live. `get` pins the slot for the few
//! instructions it takes to count a reference; a release makes the generation even, and whoever then takes the
//! last pin away drops the table's reference. A slot that has used up its generations retires.
#![allow(unsafe_code, reason = "island: shares ownership of objects through atomic pointers")]

mod slot;

use std::{
    ptr,
    sync::{
        Arc,
        atomic::{self, AtomicPtr, AtomicU32, AtomicU64, Ordering},
    },
};

use crate::{
    bail, err,
    error::{Error, Result},
    host,
};
use slot::{Live, Slot};

/// The types of objects behind handles. The numbers are part of every token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Packer = 1,
    PixelMap = 2,
    Source = 3,
    Options = 4,
    Data = 5,
    /// What stands behind another object, in `shared.rs`.
    Snapshot = 6,
    Job = 10,
    Picture = 7,
    Report = 8,
    Tensor = 11,
    Batch = 12,
    SequenceOptions = 13,
    Sequence = 14,
}

impl Kind {
    fn name(number: u64) -> Option<&'static str> {
        Some(match number {
            1 => "ImagePacker",
            2 => "ImagePixelMap",
            3 => "ImageSource",
            4 => "ImagePackingOptions",
            5 => "ImageData",
            6 => "internal",
            10 => "ImageJob",
            7 => "ImagePicture",
            8 => "ImageReport",
            11 => "ImageTensor",
            12 => "ImageBatch",
            13 => "ImageSequenceOptions",
            14 => "ImageSequence",
            _ => return None,
        })
    }
}

/// An object that can stand behind a handle.
pub trait Object: Send + Sync + 'static {
    /// Its type.
    const KIND: Kind;
}

#[cfg(target_pointer_width = "64")]
mod width {
    pub(super) const KIND_BITS: u32 = 5;
    pub(super) const SLOT_BITS: u32 = 22;
    pub(super) const GENERATION_BITS: u32 = 25;
}
#[cfg(target_pointer_width = "32")]
mod width {
    pub(super) const KIND_BITS: u32 = 4;
    pub(super) const SLOT_BITS: u32 = 14;
    pub(super) const GENERATION_BITS: u32 = 13;
}
use width::{GENERATION_BITS, KIND_BITS, SLOT_BITS};

/// The last generation; a slot that reaches it is never used again. Even, so it is dead.
const RETIRED: u64 = (1 << GENERATION_BITS) - 2;

/// Slots of the first segment; each further one is as large as all before it.
const FIRST: usize = 1024;
const SEGMENTS: usize = SLOT_BITS as usize - FIRST.trailing_zeros() as usize + 1;

impl Slot {
    const fn new() -> Self {
        Self { word: AtomicU64::new(0), object: AtomicPtr::new(ptr::null_mut()) }
    }
}

/// The segments after the first, which is part of the library so that loading and unloading it leaves nothing.
static TABLE: [AtomicPtr<Slot>; SEGMENTS] = [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS];
static FIRST_SEGMENT: [Slot; FIRST] = [const { Slot::new() }; FIRST];
/// Slots that exist.
static CAPACITY: AtomicU32 = AtomicU32::new(FIRST as u32);
/// Slots that are in use.
static LIVE: AtomicU32 = AtomicU32::new(0);
/// Where the search for a free slot goes on: going round keeps a freed slot unused as long as possible.
static CURSOR: AtomicU32 = AtomicU32::new(0);

/// First slot and number of slots of a segment.
fn span(segment: usize) -> (usize, usize) {
    if segment == 0 { (0, FIRST) } else { (FIRST << (segment - 1), FIRST << (segment - 1)) }
}

fn slot(index: usize) -> Option<&'static Slot> {
    if index < FIRST {
        return FIRST_SEGMENT.get(index);
    }
    let segment = (usize::BITS - (index / FIRST).leading_zeros()) as usize;
    let slots = TABLE.get(segment)?.load(Ordering::Acquire);
    // SAFETY: a published segment is never moved or freed, and `index` lies in the span of `segment`.
    (!slots.is_null()).then(|| unsafe { &*slots.add(index - span(segment).0) })
}

/// Adds a segment. Several threads may try; one wins.
fn grow(capacity: usize) -> Result<()> {
    let segment = (usize::BITS - (capacity / FIRST).leading_zeros()) as usize;
    let (first, count) = span(segment);
    let Some(place) = TABLE.get(segment).filter(|_| first == capacity) else {
        bail!(OutOfMemory, "all {capacity} handles are in use");
    };
    let mut slots: Vec<Slot> = Vec::new();
    slots.try_reserve_exact(count).map_err(|_| Error::out_of_memory(count * size_of::<Slot>(), "handles"))?;
    slots.resize_with(count, Slot::new);
    let slots = Box::into_raw(slots.into_boxed_slice());
    let new = slots.cast::<Slot>();
    if place.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: made above and not published.
        drop(unsafe { Box::from_raw(slots) });
    }
    CAPACITY.fetch_max((first + count) as u32, Ordering::AcqRel);
    Ok(())
}

/// Puts an object behind a new handle.
pub fn insert<T: Object>(object: Arc<T>) -> Result<usize> {
    host::check_call()?;
    loop {
        let capacity = CAPACITY.load(Ordering::Acquire) as usize;
        let live = LIVE.load(Ordering::Relaxed) as usize;
        // With a quarter of the slots free a search is short.
        if live >= capacity - capacity / 4
            && let Err(error) = grow(capacity)
            && live >= capacity
        {
            return Err(error);
        }
        for _ in 0..CAPACITY.load(Ordering::Acquire) {
            let capacity = CAPACITY.load(Ordering::Acquire);
            let index = (CURSOR.fetch_add(1, Ordering::Relaxed) % capacity) as usize;
            let Some(slot) = slot(index) else { continue };
            let Some(generation) = slot.claim(RETIRED) else { continue };
            LIVE.fetch_add(1, Ordering::Relaxed);
            let kind = T::KIND as u64;
            slot.fill(Live::new(generation, kind), Arc::into_raw(object).cast_mut().cast());
            return Ok(token(generation, index, kind));
        }
        if LIVE.load(Ordering::Relaxed) as usize >= CAPACITY.load(Ordering::Acquire) as usize * 3 / 4 {
            continue;
        }
        // Everything free has retired: more slots, or none.
        grow(CAPACITY.load(Ordering::Acquire) as usize)?;
    }
}

fn token(generation: u64, slot: usize, kind: u64) -> usize {
    (1 | kind << 1 | (slot as u64) << (1 + KIND_BITS) | generation << (1 + KIND_BITS + SLOT_BITS)) as usize
}

/// The slot of a handle and what it has to hold, or why it cannot.
fn find(token: usize, wanted: Kind) -> Result<(&'static Slot, Live)> {
    let token = token as u64;
    let wanted_name = Kind::name(wanted as u64).unwrap_or_default();
    let kind = (token >> 1) & ((1 << KIND_BITS) - 1);
    let index = (token >> (1 + KIND_BITS)) & ((1 << SLOT_BITS) - 1);
    let generation = token >> (1 + KIND_BITS + SLOT_BITS);
    if token == 0 {
        bail!(NullPointer, "the {wanted_name} handle is NULL");
    }
    let not_a_handle = || err!(NotAHandle, "{token:#x} is not a handle ({wanted_name} expected)");
    let slot = slot(index as usize).ok_or_else(not_a_handle)?;
    let name = Kind::name(kind).ok_or_else(not_a_handle)?;
    if token & 1 == 0 || generation % 2 == 0 || generation > slot.generation() {
        return Err(not_a_handle());
    }
    if kind != wanted as u64 {
        bail!(WrongHandle, "an {name} handle was passed where an {wanted_name} is expected");
    }
    Ok((slot, Live::new(generation, kind)))
}

fn released(kind: Kind) -> Error {
    err!(ReleasedHandle, "this {} handle has been released", Kind::name(kind as u64).unwrap_or_default())
}

/// The object behind a handle. It lives at least as long as the answer.
pub fn get<T: Object>(token: usize) -> Result<Arc<T>> {
    let (slot, live) = find(token, T::KIND)?;
    let object = slot.pin(live).ok_or_else(|| released(T::KIND))?.cast_const().cast::<T>();
    // SAFETY: the slot was live with an object of kind T, and the pin keeps the table's reference until `unpin`.
    let object = unsafe {
        Arc::increment_strong_count(object);
        Arc::from_raw(object)
    };
    unpin::<T>(slot);
    Ok(object)
}

/// Takes an object out of the table: the handle is dead at once, the object lives as long as somebody uses it.
pub fn remove<T: Object>(token: usize) -> Result<()> {
    let (slot, live) = find(token, T::KIND)?;
    if !slot.end(live) {
        return Err(released(T::KIND));
    }
    unpin::<T>(slot);
    Ok(())
}

/// Takes a pin away; the last one of an ended object drops the table's reference.
fn unpin<T: Object>(slot: &Slot) {
    if let Some(object) = slot.unpin() {
        LIVE.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the table's own reference, from `insert`, which the slot answers once. Dropped last: the object's
        // end may call back into the table.
        drop(unsafe { Arc::from_raw(object.cast_const().cast::<T>()) });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::error::ErrorKind;

    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Thing(usize);
    impl Object for Thing {
        const KIND: Kind = Kind::Data;
    }
    impl Drop for Thing {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    struct Other;
    impl Object for Other {
        const KIND: Kind = Kind::Source;
    }

    #[test]
    fn a_token_fits_a_javascript_number() {
        const { assert!(1 + KIND_BITS + SLOT_BITS + GENERATION_BITS <= 53) };
        assert_eq!(span(SEGMENTS - 1).0 + span(SEGMENTS - 1).1, 1 << SLOT_BITS);
    }

    #[test]
    fn misuse_is_named() {
        let token = insert(Arc::new(Thing(7))).unwrap();
        assert_eq!(get::<Thing>(token).unwrap().0, 7);
        assert_eq!(get::<Other>(token).err().unwrap().kind, ErrorKind::WrongHandle);
        assert_eq!(get::<Thing>(0).err().unwrap().kind, ErrorKind::NullPointer);
        for garbage in [1, 2, 3, 0xdead_beef, usize::MAX, token + 1, token | 1 << 60] {
            assert_eq!(get::<Thing>(garbage).err().unwrap().kind, ErrorKind::NotAHandle, "{garbage:#x}");
        }
        remove::<Thing>(token).unwrap();
        assert_eq!(get::<Thing>(token).err().unwrap().kind, ErrorKind::ReleasedHandle);
        assert_eq!(remove::<Thing>(token).err().unwrap().kind, ErrorKind::ReleasedHandle);
    }

    #[test]
    fn threads_racing_with_a_release_see_the_object_or_its_end() {
        let before = DROPPED.load(Ordering::SeqCst);
        let rounds = 300;
        for round in 0..rounds {
            let token = insert(Arc::new(Thing(round))).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(move || {
                        while let Ok(thing) = get::<Thing>(token) {
                            assert_eq!(thing.0, round);
                            std::thread::yield_now();
                        }
                    });
                }
                scope.spawn(move || remove::<Thing>(token).unwrap());
            });
        }
        assert!(DROPPED.load(Ordering::SeqCst) - before >= rounds);
    }

    #[test]
    fn thousands_of_handles_are_distinct() {
        let tokens: Vec<_> = (0..5000).map(|n| insert(Arc::new(Thing(n))).unwrap()).collect();
        for (n, &token) in tokens.iter().enumerate() {
            assert_eq!(get::<Thing>(token).unwrap().0, n);
        }
        for &token in &tokens {
            remove::<Thing>(token).unwrap();
        }
        assert!(tokens.iter().all(|&token| get::<Thing>(token).is_err()));
    }
}
