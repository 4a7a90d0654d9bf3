//! Accelerators that hold a tensor's numbers: encoding where they are, or bringing them here.
//!
//! The rest of the crate knows the trait alone; `cuda/` is the one device there is. Both its libraries are looked for when
//! a tensor asks for them and are no part of the build.

mod arrival;
mod cuda;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    error::Result,
    handle::{Kind, Object},
    model::{foreign::Foreign, options::Subsampling},
};
pub use arrival::{Arrival, Encoded};

/// Memory of a device that was lent. Its address is a number here: nobody follows it.
#[derive(Debug)]
pub struct Memory {
    /// Which device.
    pub device: i32,
    /// Where the memory begins there.
    pub address: u64,
    /// Tells the lender of the end of the last use; has no memory that the host could read.
    pub lender: Foreign,
}

/// A queue of a device's work, as the host's runtime numbers it; 0 is the default one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream(pub usize);

/// What a stream had been given to do at some moment; belongs to the device that made it.
#[derive(Debug)]
pub struct Point(usize);

/// Pixels in a device's memory, 8 bits a component, three components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where red, green and blue begin; of interleaved pixels the first one counts.
    pub planes: [u64; 3],
    /// Whether the components of a pixel lie side by side.
    pub interleaved: bool,
    /// Interleaved pixels are blue, green, red.
    pub bgr: bool,
    /// Bytes from row to row.
    pub stride: usize,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// What a JPEG is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jpeg {
    /// 1 to 100, of libjpeg's scale.
    pub quality: u8,
    /// Never `Auto`.
    pub subsampling: Subsampling,
    /// Huffman tables of the image's own.
    pub optimized: bool,
    /// Several scans.
    pub progressive: bool,
}

/// What a device does for the tensors in its memory. Any thread may call.
pub trait Device: Send + Sync + Debug {
    /// Notes what `stream` has been given to do up to now.
    fn mark(&self, stream: Stream) -> Result<Point>;

    /// Lets go of a point.
    fn unmark(&self, point: Point);

    /// Fills `to` from `from`, when the device has come to `after`.
    fn fetch(&self, from: u64, to: &mut [u8], after: &Point) -> Result<()>;

    /// Who encodes here, with its version; an error says what is missing.
    fn encoder(&self) -> Result<String>;

    /// Encodes, when the device has come to `after`.
    fn encode(&self, image: &Image, jpeg: &Jpeg, after: &Point) -> Result<Vec<u8>>;
}

/// Whether there is a device of that number; an error says what is missing.
pub fn check(number: i32) -> Result<()> {
    cuda::check(number)
}

/// The devices that a packer has at work: what they hold is made once and goes with the packer.
#[derive(Debug)]
pub struct Devices {
    process: u32,
    open: Mutex<BTreeMap<i32, Arc<dyn Device>>>,
}

impl Object for Devices {
    const KIND: Kind = Kind::Snapshot;
}

impl Devices {
    /// None yet.
    pub fn new() -> Self {
        Self { process: std::process::id(), open: Mutex::default() }
    }

    /// Whether they belong to this process and not to one that forked it, which may have held their lock.
    pub fn is_here(&self) -> bool {
        self.process == std::process::id()
    }

    /// Device number `number`.
    pub fn get(&self, number: i32) -> Result<Arc<dyn Device>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = open.get(&number) {
            return Ok(device.clone());
        }
        let device: Arc<dyn Device> = Arc::new(cuda::Gpu::open(number)?);
        open.insert(number, device.clone());
        Ok(device)
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self::new()
    }
}
