//! What goes into a file beside the pixels: the input's metadata, made fit for the output.

use crate::{
    error::Result,
    model::{
        metadata::{Density, Metadata},
        options::Options,
        report::Notes,
    },
    pixels::Rows,
};

/// The blocks to embed. Density is always kept; EXIF, XMP and IPTC only where they are asked for.
pub fn prepare(from: &Metadata, options: &Options, _rows: &Rows, _notes: &Notes) -> Result<Metadata> {
    let [x, y] = options.density.map(f64::from);
    let density = Density::per_inch(x, y).or(from.density);
    if !options.needs_pack_properties {
        return Ok(Metadata { density, ..Metadata::default() });
    }
    Ok(Metadata { density, ..from.clone() })
}
