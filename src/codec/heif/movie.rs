//! Image sequences: tracks of samples beside the items of a file (ISO/IEC 14496-12, clause 8; ISO/IEC 23008-12, clause 7).

use std::borrow::Cow;

use super::{
    container::{Kind, damaged, push},
    parsing::Reader,
};
use crate::{error::Result, model::color::Cicp};

/// What stands before the boxes of a sample entry (ISO/IEC 14496-12, 12.1.3).
pub(super) const ENTRY_HEAD: usize = 78;

/// A track of coded images.
#[derive(Debug, Clone)]
pub(super) struct Track<'a> {
    pub id: u32,
    /// "pict" and "vide" are to be seen, "auxv" belongs to another track.
    pub handler: Kind,
    /// The track that this one belongs to.
    pub of: Option<u32>,
    /// Width and height.
    pub size: (u32, u32),
    /// Ticks a second.
    pub timescale: u32,
    /// How often it is shown; 0 is for ever.
    pub loops: u16,
    /// The type of the first sample entry: "av01", "hvc1".
    pub kind: Kind,
    /// What that entry says: the decoder's configuration, colour.
    pub boxes: Vec<(Kind, Cow<'a, [u8]>)>,
    pub samples: Vec<Sample<'a>>,
}

/// One coded image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'a> {
    pub bytes: &'a [u8],
    /// Ticks that it is shown.
    pub duration: u32,
    /// Whether it can be decoded without others.
    pub key: bool,
}

impl Track<'_> {
    /// What is in the entry's first box of a type that starts so.
    pub fn property(&self, kind: &Kind, start: &[u8]) -> Option<&[u8]> {
        let found = |(known, body): &&(Kind, Cow<'_, [u8]>)| known == kind && body.starts_with(start);
        self.boxes.iter().find(found).map(|(_, body)| &**body)
    }

    /// Width and height of the coded images, of which the upper left part is shown.
    pub fn coded(&self) -> (u32, u32) {
        let coded = self.property(b"hvcC", &[]).and_then(super::sps::size);
        coded.filter(|coded| coded.0 >= self.size.0 && coded.1 >= self.size.1).unwrap_or(self.size)
    }

    /// The box that says which part of coded images is shown; none if that is all of them.
    pub fn aperture(&self) -> Option<Vec<u8>> {
        let ((width, height), coded) = (self.size, self.coded());
        // Width and height as fractions, and how far its centre is from that of the coded image (ISO/IEC 14496-12, 12.1.4).
        let [x, y] = [(width, coded.0), (height, coded.1)].map(|(shown, coded)| shown.wrapping_sub(coded));
        let numbers = [width, 1, height, 1, x, 2, y, 2];
        (coded != self.size).then(|| numbers.iter().flat_map(|number| number.to_be_bytes()).collect())
    }

    /// Its code points.
    pub fn nclx(&self) -> Option<Cicp> {
        super::container::code_points(self.property(b"colr", b"nclx")?)
    }

    /// Its colour profile.
    pub fn icc(&self) -> Option<&[u8]> {
        let body = self.property(b"colr", b"prof").or_else(|| self.property(b"colr", b"rICC"))?;
        body.get(4..)
    }

    /// Whether samples have more than 8 bits: AV1 Codec ISO Media File Format, 2.3, high_bitdepth; ISO/IEC 14496-15,
    /// 8.3.3, bit_depth_luma_minus8.
    pub fn is_deep(&self) -> bool {
        let av1c = self.property(b"av1C", &[]).and_then(|body| body.get(2));
        let hvcc = self.property(b"hvcC", &[]).and_then(|body| body.get(17));
        av1c.is_some_and(|byte| byte & 0x40 != 0) || hvcc.is_some_and(|byte| byte & 7 != 0)
    }
}

/// The file's tracks of images that can be read.
pub(super) fn tracks(file: &[u8]) -> Result<Vec<Track<'_>>> {
    let (mut boxes, mut tracks) = (Reader(file), Vec::new());
    while let Some((kind, mut moov)) = boxes.next()? {
        if kind != *b"moov" {
            continue;
        }
        while let Some((kind, trak)) = moov.next()? {
            if kind == *b"trak" {
                push(&mut tracks, track(trak, file)?)?;
            }
        }
        break;
    }
    Ok(tracks)
}

/// The box at the end of a path of types.
fn at<'a>(mut from: Reader<'a>, path: &[&Kind]) -> Result<Reader<'a>> {
    for kind in path {
        let found = from.find(kind)?;
        from = found.ok_or_else(|| damaged(format_args!("a track without a {} box", kind.escape_ascii())))?;
    }
    Ok(from)
}

fn track<'a>(trak: Reader<'a>, file: &'a [u8]) -> Result<Track<'a>> {
    let mut tkhd = at(trak, &[b"tkhd"])?;
    let wide = tkhd.full()?.0 == 1;
    let word = if wide { 8 } else { 4 };
    tkhd.take(2 * word)?;
    let id = tkhd.u32()?;
    tkhd.u32()?;
    let shown = tkhd.number(word)?;
    let for_ever = shown == if wide { u64::MAX } else { u32::MAX.into() };
    // Reserved, layer, alternate group, volume, the matrix.
    tkhd.take(52)?;
    let size = (tkhd.u32()? >> 16, tkhd.u32()? >> 16);

    let mut loops = 1;
    if let Some(edts) = trak.find(b"edts")? {
        let mut elst = at(edts, &[b"elst"])?;
        let (version, flags) = elst.full()?;
        // The list may be repeated (ISO/IEC 14496-12, 8.6.6): for as long as the track is said to last.
        if elst.u32()? > 0 && flags & 1 != 0 {
            let once = elst.number(if version == 1 { 8 } else { 4 })?;
            loops = if for_ever || once == 0 { 0 } else { shown.div_ceil(once).clamp(1, 65535) as u16 };
        }
    }
    let of = match trak.find(b"tref")? {
        Some(tref) => tref.find(b"auxl")?.map(|mut auxl| auxl.u32()).transpose()?,
        None => None,
    };

    let mdia = at(trak, &[b"mdia"])?;
    let mut mdhd = at(mdia, &[b"mdhd"])?;
    let word = if mdhd.full()?.0 == 1 { 8 } else { 4 };
    mdhd.take(2 * word)?;
    let timescale = mdhd.u32()?.max(1);
    let mut hdlr = at(mdia, &[b"hdlr"])?;
    hdlr.take(8)?;
    let handler = hdlr.kind()?;

    let stbl = at(mdia, &[b"minf", b"stbl"])?;
    let mut stsd = at(stbl, &[b"stsd"])?;
    stsd.take(8)?;
    let (kind, mut entry) = stsd.next()?.ok_or_else(|| damaged("a track without a sample entry"))?;
    let mut boxes = Vec::new();
    if matches!(&kind, b"av01" | b"hvc1" | b"hev1") {
        entry.take(ENTRY_HEAD)?;
        while let Some((kind, body)) = entry.next()? {
            push(&mut boxes, (kind, Cow::Borrowed(body.0)))?;
        }
    }
    let samples = samples(stbl, file)?;
    Ok(Track { id, handler, of, size, timescale, loops, kind, boxes, samples })
}

fn samples<'a>(stbl: Reader<'a>, file: &'a [u8]) -> Result<Vec<Sample<'a>>> {
    let full = |kind: &Kind| -> Result<Reader<'a>> {
        let mut found = at(stbl, &[kind])?;
        found.full()?;
        Ok(found)
    };
    let mut stsz = full(b"stsz")?;
    let (same, count) = (stsz.u32()?, stsz.u32()?);
    let mut places = match stbl.find(b"co64")? {
        Some(mut co64) => {
            co64.full()?;
            (co64, 8)
        }
        None => (full(b"stco")?, 4),
    };
    let chunks = places.0.u32()?;
    let mut runs = full(b"stsc")?;
    // First chunk of this run, samples in each of its chunks, and the first chunk of the next run.
    let (mut runs_left, mut run) = (runs.u32()?, None);
    let mut next_run = |left: &mut u32| -> Result<Option<(u32, u32)>> {
        if *left == 0 {
            return Ok(None);
        }
        *left -= 1;
        let run = (runs.u32()?, runs.u32()?);
        runs.u32()?;
        Ok(Some(run))
    };
    let mut following = next_run(&mut runs_left)?;
    let mut stts = full(b"stts")?;
    stts.u32()?;
    let (mut of_duration, mut duration) = (0, 0);

    let mut samples: Vec<Sample<'a>> = Vec::new();
    for chunk in 1..=chunks {
        if following.is_some_and(|(first, _)| first <= chunk) {
            run = following.map(|(_, count)| count);
            following = next_run(&mut runs_left)?;
        }
        let mut offset = places.0.number(places.1)?;
        for _ in 0..run.ok_or_else(|| damaged("chunks of no samples"))? {
            if samples.len() as u64 == count.into() {
                break;
            }
            let size = if same > 0 { same } else { stsz.u32()? };
            let rest = usize::try_from(offset).ok().and_then(|offset| file.get(offset..));
            let bytes = rest.and_then(|rest| rest.get(..size as usize));
            let bytes = bytes.ok_or_else(|| damaged(format_args!("a sample of {size} bytes at {offset}")))?;
            offset += u64::from(size);
            while of_duration == 0 && !stts.0.is_empty() {
                (of_duration, duration) = (stts.u32()?, stts.u32()?);
            }
            of_duration = of_duration.saturating_sub(1);
            push(&mut samples, Sample { bytes, duration, key: false })?;
        }
    }
    match stbl.find(b"stss")? {
        Some(mut stss) => {
            stss.full()?;
            for _ in 0..stss.u32()? {
                let index = (stss.u32()? as usize).wrapping_sub(1);
                samples.get_mut(index).ok_or_else(|| damaged("a key of no sample"))?.key = true;
            }
        }
        None => samples.iter_mut().for_each(|sample| sample.key = true),
    }
    Ok(samples)
}
