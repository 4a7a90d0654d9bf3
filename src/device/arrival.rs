//! A tensor in a device's memory, from the moment when the host handed it over.

use std::sync::Arc;

use super::{Device, Image, Jpeg, Point};
use crate::{
    bail,
    codec::find_setting,
    error::{Error, Result, try_vec},
    model::{
        options::{DeviceUse, Options, Subsampling},
        pixelmap::Pixels,
        tensor::Tensor,
    },
};

/// Smallest width and height that nvJPEG is given: it fails for some that are smaller.
const LEAST_SIDE: u32 = 16;
/// Most bytes of pixels that nvJPEG is given: its sizes are 32-bit numbers with a sign.
const MOST_BYTES: u64 = 1 << 31;
/// The highest effort that means the same on the device as here: what is above weighs levels against their bits.
const AS_GOOD: u8 = 3;

/// A tensor, and the point of its stream at which its numbers are there.
#[derive(Debug)]
pub struct Arrival {
    tensor: Arc<Tensor>,
    device: Arc<dyn Device>,
    point: Option<Point>,
}

/// What a device made of an image.
pub enum Encoded {
    /// The file, and who made it.
    There {
        /// The file.
        bytes: Vec<u8>,
        /// Name and version.
        codec: String,
    },
    /// Nothing: the host is to encode.
    Here {
        /// Why, if the device was tried.
        failed: Option<Error>,
    },
}

impl Arrival {
    /// Notes what the tensor's stream has been given to do up to now.
    pub fn new(tensor: Arc<Tensor>, device: Arc<dyn Device>) -> Result<Self> {
        let point = Some(device.mark(tensor.stream)?);
        Ok(Self { tensor, device, point })
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Encodes image `index` on the device, if the options leave that to it or demand it.
    pub fn encode(&self, index: usize, options: &Options) -> Result<Encoded> {
        let demanded = options.device == DeviceUse::Gpu;
        let (image, jpeg) = match plan(&self.tensor, index, options) {
            Ok(plan) => plan,
            Err(why) if demanded => bail!(Unsupported, "the GPU cannot encode this image: {why}"),
            Err(_) => return Ok(Encoded::Here { failed: None }),
        };
        let attempt = || {
            let codec = self.device.encoder()?;
            let bytes = self.device.encode(&image, &jpeg, self.point()?)?;
            Ok(Encoded::There { bytes, codec })
        };
        match attempt() {
            Err(error) if !demanded => Ok(Encoded::Here { failed: Some(error) }),
            result => result,
        }
    }

    /// Brings image `index` to the host.
    pub fn fetch(&self, index: usize) -> Result<Pixels> {
        let Some(memory) = self.tensor.device() else { return self.tensor.image(index) };
        let reach = self.tensor.reach(index);
        let mut bytes = try_vec(reach.len(), "the image of a tensor")?;
        self.device.fetch(memory.address + reach.start as u64, &mut bytes, self.point()?)?;
        self.tensor.fetched(index, bytes)
    }

    fn point(&self) -> Result<&Point> {
        self.point.as_ref().ok_or_else(|| crate::err!(Bug, "a tensor without its point"))
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(point) = self.point.take() {
            self.device.unmark(point);
        }
    }
}

/// What nvJPEG is to do, or why the host does it.
fn plan(tensor: &Tensor, index: usize, options: &Options) -> std::result::Result<(Image, Jpeg), String> {
    let demanded = match options.device {
        DeviceUse::Auto => false,
        DeviceUse::Gpu => true,
        DeviceUse::Cpu => return Err("it is to be encoded on the host".into()),
    };
    if options.format.name() != "image/jpeg" {
        return Err(format!("{} is not encoded there, JPEG alone is", options.format.name()));
    }
    if !demanded && options.effort > AS_GOOD {
        return Err(format!("effort {} is the host's", options.effort));
    }
    if options.max_bytes != 0 {
        return Err("it knows no limit of bytes".into());
    }
    let restart = find_setting("jpeg.restart_interval").is_ok_and(|setting| options.get(setting) != 0);
    if restart || options.density != [0; 2] {
        return Err("it writes neither restart markers nor a density".into());
    }
    let Some(image) = tensor.on_device(index) else {
        return Err("its pixels are not three components of 8 bits, interleaved or planar, in rows from top to bottom".into());
    };
    let (width, height) = (image.width, image.height);
    if width.min(height) < LEAST_SIDE {
        return Err(format!("{width} x {height} pixels are less than {LEAST_SIDE} a side"));
    }
    if image.stride as u64 * u64::from(height) * if image.interleaved { 1 } else { 3 } >= MOST_BYTES {
        return Err(format!("{width} x {height} pixels take more than {MOST_BYTES} bytes"));
    }
    let subsampling = match options.subsampling {
        Subsampling::Auto if options.quality >= 90 => Subsampling::Yuv444,
        Subsampling::Auto => Subsampling::Yuv420,
        chosen => chosen,
    };
    let jpeg = Jpeg {
        quality: options.quality.clamp(1, 100),
        subsampling,
        optimized: options.effort > 1,
        progressive: options.effort > 5,
    };
    Ok((image, jpeg))
}
