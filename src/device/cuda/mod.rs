//! CUDA devices: nvJPEG encodes where it can, the driver brings the rest to the host.
//!
//! What an image needs beside its memory (a stream, nvJPEG's state) is a lane; lanes are kept for the next image and go
//! with the packer. One whose work failed is not used again.

mod driver;
mod load;
mod nvjpeg;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{Device, Image, Jpeg, Point, Stream};
use crate::{bail, error::Result, host::stack};
use driver::{Context, Entered, Handle};
use nvjpeg::{Nvjpeg, State};

/// A device at work.
pub struct Gpu {
    number: i32,
    context: Context,
    /// nvJPEG, or why there is none.
    nvjpeg: OnceLock<Result<Nvjpeg>>,
    idle: Mutex<Vec<Lane>>,
}

struct Lane {
    stream: Handle,
    /// Made with the first image that is encoded here.
    state: Option<State>,
}

/// See [`super::check`].
pub fn check(number: i32) -> Result<()> {
    stack::with_room(|| {
        let count = driver::driver()?.count()?;
        if !(0..count).contains(&number) {
            bail!(OutOfRange, "CUDA device {number} of {count}");
        }
        Ok(())
    })?
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Gpu {
    /// Device `number`.
    pub fn open(number: i32) -> Result<Self> {
        let context = stack::with_room(|| Context::retain(driver::driver()?, number))??;
        Ok(Self { number, context, nvjpeg: OnceLock::new(), idle: Mutex::default() })
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nvjpeg(&self, here: &Entered<'_>) -> Result<&Nvjpeg> {
        self.nvjpeg.get_or_init(|| Nvjpeg::start(here)).as_ref().map_err(Clone::clone)
    }

    /// Lets `work` have a lane whose stream goes on when `after` has come.
    fn on_lane<R>(
        &self,
        here: &Entered<'_>,
        after: &Point,
        work: impl FnOnce(&mut Lane) -> Result<R>,
    ) -> Result<R> {
        let kept = self.lanes().pop();
        let mut lane = match kept {
            Some(lane) => lane,
            None => Lane { stream: here.stream()?, state: None },
        };
        let result = here.wait_event(lane.stream, after.0).and_then(|()| work(&mut lane));
        match &result {
            Ok(_) => self.lanes().push(lane),
            Err(_) => {
                let _ = here.synchronize(lane.stream); // what it still does must not outlive its state
                self.end(here, lane);
            }
        }
        result
    }

    fn end(&self, here: &Entered<'_>, lane: Lane) {
        if let (Some(Ok(nvjpeg)), Some(state)) = (self.nvjpeg.get(), lane.state) {
            nvjpeg.forget(here, state);
        }
        here.destroy_stream(lane.stream);
    }
}

impl Device for Gpu {
    fn mark(&self, stream: Stream) -> Result<Point> {
        Ok(Point(self.context.enter()?.event(stream.0)?))
    }

    fn unmark(&self, point: Point) {
        if let Ok(here) = self.context.enter() {
            here.destroy_event(point.0);
        }
    }

    fn fetch(&self, from: u64, to: &mut [u8], after: &Point) -> Result<()> {
        let here = self.context.enter()?;
        self.on_lane(&here, after, |lane| here.copy(from, to, lane.stream))
    }

    fn encoder(&self) -> Result<String> {
        let here = self.context.enter()?;
        Ok(self.nvjpeg(&here)?.description.clone())
    }

    fn encode(&self, image: &Image, jpeg: &Jpeg, after: &Point) -> Result<Vec<u8>> {
        let here = self.context.enter()?;
        let nvjpeg = self.nvjpeg(&here)?;
        self.on_lane(&here, after, |lane| {
            let state = match lane.state.take() {
                Some(state) => state,
                None => nvjpeg.state(&here, lane.stream)?,
            };
            let state = lane.state.insert(state);
            nvjpeg.encode(&here, state, image, jpeg, lane.stream)
        })
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // In a forked child there is nothing to be given back: it is the parent's.
        let Ok(here) = self.context.enter() else { return };
        for lane in std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            self.end(&here, lane);
        }
        if let Some(Ok(nvjpeg)) = self.nvjpeg.get() {
            nvjpeg.stop(&here);
        }
    }
}
