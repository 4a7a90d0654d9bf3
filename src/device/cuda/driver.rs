//! The CUDA driver: contexts, streams, events, copies. Declared from the CUDA Driver API reference,
//! <https://docs.nvidia.com/cuda/cuda-driver-api/>; handles are pointers that nobody here follows.
#![allow(unsafe_code, reason = "island: calls the CUDA driver")]

use std::{
    ffi::{c_char, c_int, c_uint, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use super::load::{self, Library, table};
use crate::{
    bail, err,
    error::{Error, ErrorKind, Result},
    host::stack,
};

/// `CUcontext`, `CUstream`, `CUevent`.
pub type Handle = usize;

const OUT_OF_MEMORY: c_int = 2;
const STREAM_NON_BLOCKING: c_uint = 1;
const EVENT_DISABLE_TIMING: c_uint = 2;

table! {
    /// What is needed of libcuda. The names with `_v2` are what cuda.h makes of the names without since CUDA 4.
    Api {
        fn cuInit(c_uint);
        fn cuGetErrorName(c_int, *mut *const c_char);
        fn cuDeviceGetCount(*mut c_int);
        fn cuDeviceGet(*mut c_int, c_int);
        fn cuDevicePrimaryCtxRetain(*mut Handle, c_int);
        fn cuDevicePrimaryCtxRelease_v2(c_int);
        fn cuCtxPushCurrent_v2(Handle);
        fn cuCtxPopCurrent_v2(*mut Handle);
        fn cuStreamCreate(*mut Handle, c_uint);
        fn cuStreamDestroy_v2(Handle);
        fn cuStreamSynchronize(Handle);
        fn cuStreamWaitEvent(Handle, Handle, c_uint);
        fn cuEventCreate(*mut Handle, c_uint);
        fn cuEventRecord(Handle, Handle);
        fn cuEventDestroy_v2(Handle);
        fn cuMemcpyDtoHAsync_v2(*mut c_void, u64, usize, Handle);
    }
}

/// The driver, started in this process.
pub struct Driver {
    api: Api,
    process: u32,
}

static DRIVER: AtomicPtr<Driver> = AtomicPtr::new(ptr::null_mut());

/// The process's driver. What is not there is looked for again the next time.
pub fn driver() -> Result<&'static Driver> {
    let mut known = DRIVER.load(Ordering::Acquire);
    if known.is_null() {
        let fresh = Box::into_raw(Box::new(stack::with_room(start)??));
        known = match DRIVER.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            Err(winner) => {
                // SAFETY: `fresh` came from Box::into_raw above and lost the race, so nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                winner
            }
        };
    }
    // SAFETY: the pointer came from Box::into_raw, was published with release ordering and is never freed.
    let driver = unsafe { &*known };
    driver.check_process()?;
    Ok(driver)
}

fn start() -> Result<Driver> {
    if cfg!(not(target_pointer_width = "64")) {
        bail!(Unsupported, "memory of a CUDA device, on a machine of less than 64 bits");
    }
    let missing = |why: &str| {
        err!(
            Unsupported,
            "memory of a CUDA device, and no CUDA driver to read it ({why}); copy it to the host first"
        )
    };
    let library = Library::open(&[c"libcuda.so.1"]).map_err(|why| missing(&why))?;
    let api = Api::fill(&library)
        .map_err(|name| missing(&format!("{} has no {name}", library.name.to_string_lossy())))?;
    let driver = Driver { api, process: std::process::id() };
    // SAFETY: takes a number that has to be 0.
    let status = unsafe { (driver.api.cuInit)(0) };
    if status != 0 {
        return Err(missing(&format!("cuInit answers {}", driver.name(status))));
    }
    Ok(driver)
}

impl Driver {
    /// A child made by fork() cannot use what its parent has started.
    pub fn check_process(&self) -> Result<()> {
        let here = std::process::id();
        if self.process != here {
            bail!(
                Unsupported,
                "CUDA was started in process {}, which forked this one, {here}, and cannot be used here; start workers that \
                 use it by spawning",
                self.process
            );
        }
        Ok(())
    }

    /// Number and name of a status.
    fn name(&self, status: c_int) -> String {
        let mut name = ptr::null();
        // SAFETY: the place is ours; the driver puts a static string or NULL there.
        unsafe { (self.api.cuGetErrorName)(status, &mut name) };
        if name.is_null() { status.to_string() } else { format!("{status} ({})", load::text(name)) }
    }

    fn check(&self, call: &str, status: c_int) -> Result<()> {
        match status {
            0 => Ok(()),
            OUT_OF_MEMORY => Err(self.failed(ErrorKind::OutOfMemory, call, status)),
            _ => Err(self.failed(ErrorKind::Read, call, status)),
        }
    }

    fn failed(&self, kind: ErrorKind, call: &str, status: c_int) -> Error {
        Error::new(kind, format!("{call} answers {}", self.name(status)))
    }

    /// How many devices there are.
    pub fn count(&self) -> Result<i32> {
        let mut count = 0;
        // SAFETY: the place is ours.
        self.check("cuDeviceGetCount", unsafe { (self.api.cuDeviceGetCount)(&mut count) })?;
        Ok(count)
    }
}

/// The primary context of a device, which the host's frameworks use too.
pub struct Context {
    driver: &'static Driver,
    device: c_int,
    context: Handle,
}

impl Context {
    /// Retains the context of device `number`.
    pub fn retain(driver: &'static Driver, number: i32) -> Result<Self> {
        let (mut device, mut context) = (0, 0);
        // SAFETY: the places are ours.
        unsafe {
            driver.check("cuDeviceGet", (driver.api.cuDeviceGet)(&mut device, number))?;
            let status = (driver.api.cuDevicePrimaryCtxRetain)(&mut context, device);
            driver.check("cuDevicePrimaryCtxRetain", status)?;
        }
        Ok(Self { driver, device, context })
    }

    /// Makes the context this thread's, until the answer is dropped. Everything below needs that.
    pub fn enter(&self) -> Result<Entered<'_>> {
        self.driver.check_process()?;
        // SAFETY: a context that is retained.
        let status = unsafe { (self.driver.api.cuCtxPushCurrent_v2)(self.context) };
        self.driver.check("cuCtxPushCurrent", status)?;
        Ok(Entered(self.driver, std::marker::PhantomData))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.driver.check_process().is_ok() {
            // SAFETY: retained once, and used by nothing that is left.
            unsafe { (self.driver.api.cuDevicePrimaryCtxRelease_v2)(self.device) };
        }
    }
}

/// A context that is this thread's.
pub struct Entered<'a>(&'static Driver, std::marker::PhantomData<(&'a Context, *const ())>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut context = 0;
        // SAFETY: pushed by `enter`, on this thread: the type cannot leave it.
        unsafe { (self.0.api.cuCtxPopCurrent_v2)(&mut context) };
    }
}

impl Entered<'_> {
    /// A stream of our own, which waits for no other by itself.
    pub fn stream(&self) -> Result<Handle> {
        let mut stream = 0;
        // SAFETY: the place is ours.
        let status = unsafe { (self.0.api.cuStreamCreate)(&mut stream, STREAM_NON_BLOCKING) };
        self.0.check("cuStreamCreate", status)?;
        Ok(stream)
    }

    /// The end of a stream of ours.
    pub fn destroy_stream(&self, stream: Handle) {
        // SAFETY: made by `stream`, and named by nobody any more.
        unsafe { (self.0.api.cuStreamDestroy_v2)(stream) };
    }

    /// Waits until the device has done all that the stream was given.
    pub fn synchronize(&self, stream: Handle) -> Result<()> {
        // SAFETY: a stream of this context.
        self.0.check("cuStreamSynchronize", unsafe { (self.0.api.cuStreamSynchronize)(stream) })
    }

    /// An event that has come when all has that `stream`, of the host's, has been given up to now.
    pub fn event(&self, stream: Handle) -> Result<Handle> {
        let mut event = 0;
        // SAFETY: the place is ours; the host vouches for its stream, and the driver checks it.
        unsafe {
            self.0.check("cuEventCreate", (self.0.api.cuEventCreate)(&mut event, EVENT_DISABLE_TIMING))?;
            let status = (self.0.api.cuEventRecord)(event, stream);
            self.0.check("cuEventRecord", status).inspect_err(|_| self.destroy_event(event))?;
        }
        Ok(event)
    }

    /// The end of an event.
    pub fn destroy_event(&self, event: Handle) {
        // SAFETY: made by `event`, and named by nobody any more.
        unsafe { (self.0.api.cuEventDestroy_v2)(event) };
    }

    /// Lets a stream of ours go on only when the event has come.
    pub fn wait_event(&self, stream: Handle, event: Handle) -> Result<()> {
        // SAFETY: both of this context, and alive.
        self.0.check("cuStreamWaitEvent", unsafe { (self.0.api.cuStreamWaitEvent)(stream, event, 0) })
    }

    /// Copies to the host and waits for the end.
    pub fn copy(&self, from: u64, to: &mut [u8], stream: Handle) -> Result<()> {
        // SAFETY: the tensor's lender vouches for `to.len()` bytes of the device's at `from`; the copy into memory that is
        // not pinned has ended when the call returns, and in any case at the end of `synchronize`.
        let status =
            unsafe { (self.0.api.cuMemcpyDtoHAsync_v2)(to.as_mut_ptr().cast(), from, to.len(), stream) };
        self.0.check("cuMemcpyDtoHAsync", status)?;
        self.synchronize(stream)
    }
}
