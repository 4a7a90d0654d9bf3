//! What an encoder is given.

use super::{control::Control, pool::Pool};
use crate::{
    model::{metadata::Metadata, options::Options, report::Notes},
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
    /// What to write beside the pixels, fit for this output: sizes, orientation and density are those of the rows.
    pub metadata: &'a Metadata,
    /// Where to tell what is not in the output as it was in the input.
    pub notes: &'a Notes,
}
