//! What the dimensions of an array are, and which bytes they reach.

use crate::{bail, error::Result};

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
pub(super) struct Axis {
    pub size: usize,
    pub stride: i64,
}

const ONE: Axis = Axis { size: 1, stride: 0 };

/// The dimensions by meaning, and the bytes that they reach.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub(super) element: Element,
    pub(super) images: Axis,
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    pub(super) components: Axis,
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
