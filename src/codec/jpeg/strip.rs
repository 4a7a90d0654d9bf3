//! From a band of rows to quantised blocks, one tile at a time, and on to whoever codes or counts them: nothing but
//! the coder's bytes outlives a tile.

use super::{
    band::Band,
    bits::BitWriter,
    entropy::{Counts, Order},
    front::{Place, TILE, Tile},
    geometry::{Geometry, Sampling},
    huffman::Tables,
    kernels::Kernels,
    tables::{Block, Quantizer},
};
use crate::error::Result;

/// What all strips of an image share.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    pub kernels: &'static Kernels,
    pub geometry: Geometry,
    /// For each component.
    pub quantizers: [&'a Quantizer; 3],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: usize,
}

/// Takes the blocks of an image in the order of the file.
pub trait Coder {
    /// Whole MCUs, at most [`BitWriter::BLOCKS`] blocks.
    fn mcus(&mut self, kernels: &Kernels, blocks: &[Block], components: &[u8]) -> Result<()>;
    /// A restart marker, the `number`th of the image.
    fn restart(&mut self, number: usize) -> Result<()>;
}

/// The buffers of one thread, some 20 KiB.
pub struct Worker<'a> {
    shared: Shared<'a>,
    tile: Box<Tile>,
    blocks: Box<[Block; BitWriter::BLOCKS]>,
}

impl<'a> Worker<'a> {
    pub fn new(shared: Shared<'a>) -> Worker<'a> {
        Worker { shared, tile: Tile::new(), blocks: Box::new([Block::ZERO; BitWriter::BLOCKS]) }
    }

    /// Hands one MCU row to a coder, restart markers where they are due.
    pub fn row(&mut self, band: &Band, mcu_row: usize, coder: &mut impl Coder) -> Result<()> {
        let Shared { kernels, geometry, restart_interval, .. } = self.shared;
        let components = geometry.sampling.components();
        let across = geometry.mcus_across();
        for tile in (0..across).step_by(mcus_per_tile(&geometry)) {
            let mcus = self.transform(band, mcu_row, tile);
            let mut done = 0;
            while done < mcus {
                let index = mcu_row * across + tile + done;
                let mut more = mcus - done;
                if restart_interval > 0 {
                    if index > 0 && index.is_multiple_of(restart_interval) {
                        coder.restart(index / restart_interval - 1)?;
                    }
                    more = more.min(restart_interval - index % restart_interval);
                }
                let blocks = &self.blocks[done * components.len()..(done + more) * components.len()];
                coder.mcus(kernels, blocks, components)?;
                done += more;
            }
        }
        Ok(())
    }

    /// Fills `blocks` with the MCUs of a tile from MCU `first` on, and says how many there are.
    fn transform(&mut self, band: &Band, mcu_row: usize, first: usize) -> usize {
        let Shared { kernels, geometry, quantizers: [luma, cb, cr], .. } = self.shared;
        let (h, v) = geometry.sampling.factors();
        let mcus = mcus_per_tile(&geometry).min(geometry.mcus_across() - first);
        let per_mcu = geometry.sampling.components().len();
        let x = first * geometry.mcu().0;

        let blocks = self.blocks.as_mut_slice();
        let place = |row| Place { base: row * h, across: h, per_mcu };
        let chroma = |c: usize| Place { base: h * v + c - 1, across: 1, per_mcu };
        let mut straight = |c: usize, y: usize, count: usize, quantizer: &Quantizer, place: Place| {
            let plain = band.plain(&geometry, c, x, y);
            plain.is_some_and(|plain| kernels.forward_plain(plain, count, quantizer, blocks, place))
        };
        let luma_done = (0..v).all(|row| straight(0, 8 * row, mcus * h, luma, place(row)));
        let chroma_done = geometry.sampling == Sampling::Gray
            || straight(1, 0, mcus, cb, chroma(1)) && straight(2, 0, mcus, cr, chroma(2));
        if !luma_done {
            band.load(kernels, &geometry, x, &mut self.tile);
            for row in 0..v {
                kernels.forward(&self.tile.y[row * 8 * TILE..], mcus * h, Some(luma), blocks, place(row));
            }
        } else if !chroma_done {
            band.load_rest(kernels, &geometry, x, &mut self.tile);
        }
        if !chroma_done {
            for (c, plane, quantizer) in [(1, &self.tile.cb, cb), (2, &self.tile.cr, cr)] {
                kernels.forward(plane, mcus, Some(quantizer), blocks, chroma(c));
            }
        }
        self.fill_dummies(mcu_row, first, mcus);
        mcus
    }

    /// Luma blocks of an edge MCU that lie wholly outside the image repeat the DC coefficient before them, as in
    /// libjpeg: they cost the fewest bits.
    fn fill_dummies(&mut self, mcu_row: usize, first: usize, mcus: usize) {
        let geometry = self.shared.geometry;
        let (h, v) = geometry.sampling.factors();
        let per_mcu = geometry.sampling.components().len();
        let last = first + mcus == geometry.mcus_across();
        if h == 2 && last && geometry.width.div_ceil(8) % 2 == 1 {
            for row in 0..v {
                let at = (mcus - 1) * per_mcu + 2 * row;
                self.blocks[at + 1] = self.blocks[at].dc_only();
            }
        }
        if v == 2 && mcu_row + 1 == geometry.mcu_rows() && geometry.height.div_ceil(8) % 2 == 1 {
            for mcu in self.blocks[..mcus * per_mcu].chunks_exact_mut(per_mcu) {
                let block = mcu[1].dc_only();
                mcu[2..4].fill(block);
            }
        }
    }
}

fn mcus_per_tile(geometry: &Geometry) -> usize {
    TILE / geometry.mcu().0
}

/// Writes entropy-coded bytes.
pub struct Writer<'a> {
    tables: [&'a Tables; 2],
    bits: BitWriter,
    dc: [i16; 3],
    /// What has been written; the caller takes it.
    pub out: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer with codes for luma and chroma.
    pub fn new(tables: [&'a Tables; 2]) -> Writer<'a> {
        Writer { tables, bits: BitWriter::default(), dc: [0; 3], out: Vec::new() }
    }

    /// Ends a strip: the last byte is filled up, and the writer is as new but for its bytes.
    pub fn finish(&mut self) -> Result<()> {
        self.dc = [0; 3];
        self.bits.finish(&mut self.out)
    }
}

impl Coder for Writer<'_> {
    fn mcus(&mut self, kernels: &Kernels, blocks: &[Block], components: &[u8]) -> Result<()> {
        let order = Order { components, tables: [self.tables[0], self.tables[1], self.tables[1]] };
        kernels.encode(&mut self.bits, blocks, &order, &mut self.dc);
        self.bits.drain(&mut self.out)
    }

    fn restart(&mut self, number: usize) -> Result<()> {
        self.dc = [0; 3];
        self.bits.restart(number, &mut self.out)
    }
}

/// Counts symbols.
pub struct Counter {
    /// Per table class.
    pub counts: Box<[Counts; 2]>,
    dc: [i16; 3],
}

impl Counter {
    pub fn new() -> Counter {
        Counter { counts: Box::new([Counts::ZERO, Counts::ZERO]), dc: [0; 3] }
    }
}

impl Coder for Counter {
    fn mcus(&mut self, kernels: &Kernels, blocks: &[Block], components: &[u8]) -> Result<()> {
        let mut masks = [0; BitWriter::BLOCKS];
        kernels.masks(blocks, &mut masks);
        for ((block, mask), &component) in blocks.iter().zip(masks).zip(components.iter().cycle()) {
            let class = usize::from(component > 0);
            self.counts[class].add(block, mask, &mut self.dc[usize::from(component)]);
        }
        Ok(())
    }

    fn restart(&mut self, _number: usize) -> Result<()> {
        self.dc = [0; 3];
        Ok(())
    }
}
