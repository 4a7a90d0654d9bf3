//! Tensors: images side by side in one array, as frameworks for learning and for video hold them.

use std::sync::Arc;

use super::{foreign::Foreign, pixel_format::PixelFormat, pixelmap::AlphaType, pixelmap::Pixels};
use crate::{
    bail,
    error::{Result, try_vec},
    handle::{Kind, Object},
    pixels::half,
};

/// The type of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 0 to 255.
    U8,
    /// 0 to 65535.
    U16,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single precision number.
    Bf16,
    /// IEEE 754 single precision.
    F32,
}

impl Element {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }
}

/// What the dimensions are: N images, H rows, W columns, C components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// By number of dimensions and the sizes that can be a number of components; an error where that is not certain.
    Auto,
    /// Images of interleaved components.
    Nhwc,
    /// Images of planes.
    Nchw,
    /// One image of interleaved components.
    Hwc,
    /// One image of planes.
    Chw,
    /// Gray images.
    Nhw,
    /// One gray image.
    Hw,
}

/// Where a tensor's numbers are in memory.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    /// Type of the numbers.
    pub element: Element,
    /// Sizes of the dimensions.
    pub shape: &'a [i64],
    /// Bytes from one number to the next along each dimension, of any sign; `None`: the last dimension is contiguous,
    /// and each of the others goes over all of the next.
    pub strides: Option<&'a [i64]>,
}

/// A dimension: how many, and bytes from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    size: usize,
    stride: i64,
}

const ONE: Axis = Axis { size: 1, stride: 0 };

/// The dimensions by meaning, and the bytes that they reach.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    element: Element,
    images: Axis,
    rows: Axis,
    columns: Axis,
    components: Axis,
    /// Bytes before the first number that belong to the tensor: strides may be negative.
    pub before: usize,
    /// Bytes from the first number to the end.
    pub after: usize,
}

fn is_component_count(size: i64) -> bool {
    matches!(size, 1 | 3 | 4)
}

fn told(shape: &[i64]) -> Result<Axes> {
    let channels_last = shape.last().copied().is_some_and(is_component_count);
    Ok(match (shape, channels_last) {
        (&[_, _], _) => Axes::Hw,
        (&[c, _, _], true) if !is_component_count(c) => Axes::Hwc,
        (&[c, _, _], false) if is_component_count(c) => Axes::Chw,
        (&[_, c, _, _], true) if !is_component_count(c) => Axes::Nhwc,
        (&[_, c, _, _], false) if is_component_count(c) => Axes::Nchw,
        _ => bail!(
            OutOfRange,
            "the layout of a tensor of shape {shape:?} cannot be told: which dimension are 1, 3 or 4 components? Say it"
        ),
    })
}

impl Geometry {
    /// Checks an array and finds out what its dimensions are.
    pub fn new(array: &Array<'_>, axes: Axes) -> Result<Self> {
        let shape = array.shape;
        if !(2..=4).contains(&shape.len()) {
            bail!(OutOfRange, "a tensor of {} dimensions; images have 2 to 4", shape.len());
        }
        if let Some(size) = shape.iter().find(|&&size| size < 1 || size > i64::from(i32::MAX)) {
            bail!(OutOfRange, "a dimension of {size} in a tensor of shape {shape:?}");
        }
        let mut contiguous = [0; 4];
        let mut stride = Some(array.element.bytes() as i64);
        for axis in (0..shape.len()).rev() {
            let Some(now) = stride else {
                bail!(TooLarge, "a tensor of shape {shape:?} passes the address space")
            };
            contiguous[axis] = now;
            stride = now.checked_mul(shape[axis]);
        }
        let strides = array.strides.unwrap_or(&contiguous[..shape.len()]);
        if strides.len() != shape.len() {
            bail!(OutOfRange, "{} strides for {} dimensions", strides.len(), shape.len());
        }
        let axis = |index: usize| Axis { size: shape[index] as usize, stride: strides[index] };
        let axes = if axes == Axes::Auto { told(shape)? } else { axes };
        let (images, rows, columns, components) = match (axes, shape.len()) {
            (Axes::Nhwc, 4) => (axis(0), axis(1), axis(2), axis(3)),
            (Axes::Nchw, 4) => (axis(0), axis(2), axis(3), axis(1)),
            (Axes::Hwc, 3) => (ONE, axis(0), axis(1), axis(2)),
            (Axes::Chw, 3) => (ONE, axis(1), axis(2), axis(0)),
            (Axes::Nhw, 3) => (axis(0), axis(1), axis(2), ONE),
            (Axes::Hw, 2) => (ONE, axis(0), axis(1), ONE),
            (axes, dimensions) => {
                bail!(OutOfRange, "layout {axes:?} for a tensor of {dimensions} dimensions")
            }
        };
        if !is_component_count(components.size as i64) {
            bail!(
                OutOfRange,
                "{} components in a tensor of shape {shape:?}; 1, 3 and 4 are colours",
                components.size
            );
        }
        let too_large = || crate::err!(TooLarge, "a tensor of shape {shape:?} passes the address space");
        let (mut before, mut after) = (0i64, array.element.bytes() as i64);
        for Axis { size, stride } in [images, rows, columns, components] {
            let reach = stride.checked_mul(size as i64 - 1).ok_or_else(too_large)?;
            let side = if reach < 0 { &mut before } else { &mut after };
            *side = side.checked_add(reach.checked_abs().ok_or_else(too_large)?).ok_or_else(too_large)?;
        }
        let fits = before.checked_add(after).is_some_and(|all| isize::try_from(all).is_ok());
        if !fits {
            return Err(too_large());
        }
        let (before, after) = (before as usize, after as usize);
        Ok(Self { element: array.element, images, rows, columns, components, before, after })
    }
}

/// Images in lent memory, and what their numbers mean. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tensor {
    geometry: Geometry,
    /// Piece 0 is everything that the geometry reaches.
    memory: Arc<Foreign>,
    /// Blue, green, red instead of red, green, blue.
    pub bgr: bool,
    /// What the fourth component means.
    pub alpha: AlphaType,
    /// A floating-point number `v` stands for `v * scale + bias`, where 0 is black and 1 is white.
    pub scale: f32,
    /// See `scale`.
    pub bias: f32,
    /// Whether floating-point numbers become 16 bits instead of 8.
    pub deep: bool,
}

impl Object for Tensor {
    const KIND: Kind = Kind::Snapshot;
}

impl Tensor {
    /// A tensor in `memory`, whose piece 0 has `before + after` bytes of the geometry.
    pub fn new(geometry: Geometry, memory: Arc<Foreign>) -> Self {
        let alpha = AlphaType::Unpremultiplied;
        Self { geometry, memory, bgr: false, alpha, scale: 1.0, bias: 0.0, deep: false }
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.geometry.images.size
    }

    /// Width of each image.
    pub fn width(&self) -> u32 {
        self.geometry.columns.size as u32 // at most i32::MAX
    }

    /// Height of each image.
    pub fn height(&self) -> u32 {
        self.geometry.rows.size as u32 // at most i32::MAX
    }

    /// The number of components, 1, 3 or 4.
    pub fn components(&self) -> usize {
        self.geometry.components.size
    }

    /// Bytes that [`image`](Self::image) allocates.
    pub fn copy_bytes(&self) -> u64 {
        if self.direct().is_some() {
            return 0;
        }
        let wide = if self.is_wide() { 2 } else { 1 };
        u64::from(self.width()) * u64::from(self.height()) * self.components() as u64 * wide
    }

    /// Whether pixels have 16 bits.
    fn is_wide(&self) -> bool {
        match self.geometry.element {
            Element::U8 => false,
            Element::U16 => true,
            Element::F16 | Element::Bf16 | Element::F32 => self.deep,
        }
    }

    fn format(&self, bgr: bool) -> PixelFormat {
        match (self.components(), self.is_wide(), bgr) {
            (1, false, _) => PixelFormat::Gray8,
            (1, true, _) => PixelFormat::Gray16,
            (3, false, false) => PixelFormat::Rgb888,
            (3, false, true) => PixelFormat::Bgr888,
            (3, true, _) => PixelFormat::Rgb161616,
            (_, false, false) => PixelFormat::Rgba8888,
            (_, false, true) => PixelFormat::Bgra8888,
            (_, true, _) => PixelFormat::Rgba16161616,
        }
    }

    /// The format in which an image can be read where it is, and its stride.
    fn direct(&self) -> Option<(PixelFormat, usize)> {
        let Geometry { element, rows, columns, components, .. } = self.geometry;
        let pixel = element.bytes() * components.size;
        let close = (components.size == 1 || components.stride == element.bytes() as i64)
            && (columns.size == 1 || columns.stride == pixel as i64)
            && (rows.size == 1 || rows.stride >= (pixel * columns.size) as i64);
        let readable = match element {
            Element::U8 => true,
            Element::U16 => !self.bgr || components.size == 1,
            _ => false,
        };
        let stride = if rows.size == 1 { pixel * columns.size } else { rows.stride as usize };
        (close && readable).then(|| (self.format(self.bgr), stride))
    }

    /// Where image `index` begins in the memory.
    fn start(&self, index: usize) -> usize {
        // The geometry was checked: all that is reached lies within `before` and `after`.
        (self.geometry.before as i64 + self.geometry.images.stride * index as i64) as usize
    }

    /// Image number `index`: in place if an encoder can read it there, else a copy.
    pub fn image(&self, index: usize) -> Result<Pixels> {
        if index >= self.images() {
            bail!(OutOfRange, "image {index} of a tensor of {}", self.images());
        }
        let mut pixels = match self.direct() {
            Some((format, stride)) => {
                let memory = self.memory.clone();
                Pixels::inside_foreign(self.width(), self.height(), format, memory, self.start(index), stride)
            }
            None => {
                let bytes = if self.is_wide() { self.gather_wide(index)? } else { self.gather(index)? };
                Pixels::from_vec(self.width(), self.height(), self.format(false), bytes)?
            }
        };
        if self.components() == 4 {
            pixels.alpha = self.alpha;
        }
        Ok(pixels)
    }

    fn gather(&self, index: usize) -> Result<Vec<u8>> {
        let mut to = try_vec(self.copy_bytes() as usize, "the image of a tensor")?;
        let unit = |v: f32| ((v * self.scale + self.bias) * 255.0 + 0.5) as u8; // saturates; a NaN is 0
        match self.geometry.element {
            Element::U8 | Element::U16 => self.walk(index, &mut to, |[v]: [u8; 1]| v),
            Element::F16 => self.walk(index, &mut to, |v| unit(half(u16::from_ne_bytes(v)))),
            Element::Bf16 => self.walk(index, &mut to, |v| unit(brain(u16::from_ne_bytes(v)))),
            Element::F32 => self.walk(index, &mut to, |v| unit(f32::from_ne_bytes(v))),
        }
        Ok(to)
    }

    fn gather_wide(&self, index: usize) -> Result<Vec<u8>> {
        let mut to = try_vec(self.copy_bytes() as usize, "the image of a tensor")?;
        let (wide, _) = to.as_chunks_mut::<2>();
        let unit = |v: f32| (((v * self.scale + self.bias) * 65535.0 + 0.5) as u16).to_ne_bytes();
        match self.geometry.element {
            Element::U8 | Element::U16 => self.walk(index, wide, |v: [u8; 2]| v),
            Element::F16 => self.walk(index, wide, |v| unit(half(u16::from_ne_bytes(v)))),
            Element::Bf16 => self.walk(index, wide, |v| unit(brain(u16::from_ne_bytes(v)))),
            Element::F32 => self.walk(index, wide, |v| unit(f32::from_ne_bytes(v))),
        }
        Ok(to)
    }

    /// Stores every component of an image, interleaved, red first, as `convert` makes it of its bytes.
    fn walk<const N: usize, T: Copy>(&self, index: usize, to: &mut [T], convert: impl Fn([u8; N]) -> T) {
        let Geometry { rows, columns, components, .. } = self.geometry;
        let (bytes, count) = (self.memory.piece(0), components.size);
        let (start, contiguous) = (self.start(index) as i64, columns.stride == N as i64);
        let read = |at: i64| bytes[at as usize..].first_chunk::<N>().map(|v| convert(*v));
        for (y, row) in to.chunks_exact_mut(columns.size * count).enumerate() {
            let row_start = start + rows.stride * y as i64;
            let plane = |c: usize| row_start + components.stride * source(c, count, self.bgr) as i64;
            let line = |c: usize| bytes[plane(c) as usize..].as_chunks::<N>().0;
            let interleaved = columns.stride == (N * count) as i64 && components.stride == N as i64;
            match (contiguous, count) {
                _ if interleaved && !self.bgr => {
                    row.iter_mut().zip(line(0)).for_each(|(to, v)| *to = convert(*v));
                }
                (true, 1) => row.iter_mut().zip(line(0)).for_each(|(to, v)| *to = convert(*v)),
                (true, 3) => {
                    let pixels = row.as_chunks_mut::<3>().0.iter_mut();
                    for (((to, r), g), b) in pixels.zip(line(0)).zip(line(1)).zip(line(2)) {
                        *to = [convert(*r), convert(*g), convert(*b)];
                    }
                }
                _ => {
                    for c in 0..count {
                        let first = plane(c);
                        for (x, to) in row.iter_mut().skip(c).step_by(count).enumerate() {
                            if let Some(value) = read(first + columns.stride * x as i64) {
                                *to = value;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which component of the tensor is component `c` of red, green, blue, alpha.
fn source(c: usize, count: usize, bgr: bool) -> usize {
    if bgr && count > 1 && c < 3 { 2 - c } else { c }
}

/// A bfloat16 number.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(element: Element, shape: &[i64], strides: Option<&[i64]>, axes: Axes) -> Result<Geometry> {
        Geometry::new(&Array { element, shape, strides }, axes)
    }

    #[test]
    fn a_layout_is_told_or_an_error() {
        use Axes::Auto;
        for (shape, [images, rows, columns, components]) in [
            (vec![2, 50, 60, 3], [2, 50, 60, 3]),
            (vec![2, 3, 50, 60], [2, 50, 60, 3]),
            (vec![50, 60, 4], [1, 50, 60, 4]),
            (vec![1, 50, 60], [1, 50, 60, 1]),
            (vec![50, 60], [1, 50, 60, 1]),
            (vec![4, 4], [1, 4, 4, 1]),
        ] {
            let found = geometry(Element::U8, &shape, None, Auto).unwrap();
            let sizes = [found.images, found.rows, found.columns, found.components].map(|axis| axis.size);
            assert_eq!(sizes, [images, rows, columns, components], "{shape:?}");
        }
        for shape in [&[2, 3, 50, 3][..], &[2, 2, 50, 60], &[3, 50, 4], &[7, 50, 60], &[5], &[1, 2, 3, 4, 5]]
        {
            assert!(geometry(Element::U8, shape, None, Auto).is_err(), "{shape:?}");
        }
        assert!(geometry(Element::U8, &[7, 50, 60], None, Axes::Nhw).is_ok());
        assert!(geometry(Element::U8, &[2, 3, 50, 3], None, Axes::Nchw).is_ok());
        assert!(geometry(Element::U8, &[50, 60, 2], None, Axes::Hwc).is_err(), "two components");
        assert!(geometry(Element::U8, &[0, 50, 60], None, Axes::Nhw).is_err(), "nothing");
        assert!(geometry(Element::U8, &[50, 60], None, Axes::Nhw).is_err(), "too few dimensions");
    }

    #[test]
    fn what_is_reached_is_known_with_strides_of_any_sign() {
        let found = geometry(Element::U16, &[4, 5], Some(&[-100, 2]), Axes::Hw).unwrap();
        assert_eq!((found.before, found.after), (300, 10));
        let found = geometry(Element::F32, &[9, 4, 5, 3], Some(&[0, 64, -12, 4]), Axes::Nhwc).unwrap();
        assert_eq!((found.before, found.after), (48, 3 * 64 + 2 * 4 + 4));
        for strides in [[i64::MAX, 1], [i64::MIN, 1], [i64::MAX / 2, i64::MAX / 2]] {
            assert!(geometry(Element::U8, &[3, 3], Some(&strides), Axes::Hw).is_err());
        }
        let max = i64::from(i32::MAX);
        assert!(geometry(Element::F32, &[max, max, max, 3], None, Axes::Nhwc).is_err());
        assert!(geometry(Element::U8, &[max + 1, 3, 3, 3], None, Axes::Nhwc).is_err());
    }
}
