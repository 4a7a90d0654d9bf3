//! What an encoder is given.

use super::{control::Control, pool::Pool};
use crate::{
    model::{gain_map::GainMap, metadata::Metadata, options::Options, picture::Auxiliary, report::Notes},
    pixels::Rows,
};

/// One encode: pixels to pull, options to obey, threads to use, and whom to ask whether to go on.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The rows, in the layout that the format asked for.
    pub rows: &'a Rows,
    /// The caller's options.
    pub options: &'a Options,
    /// Threads.
    pub pool: &'a Pool,
    /// Progress and cancel.
    pub control: &'a Control,
    /// How the rows become the image of high dynamic range; none but for formats that carry gain maps. Rows that are
    /// developed as they are pulled have theirs at [`Rows::film`].
    pub gain_map: Option<&'a GainMap>,
    /// Further images, for formats that carry them.
    pub auxiliaries: &'a [Auxiliary],
    /// What to write beside the pixels, fit for this output: sizes, orientation and density are those of the rows.
    pub metadata: &'a Metadata,
    /// Where to tell what is not in the output as it was in the input.
    pub notes: &'a Notes,
}
