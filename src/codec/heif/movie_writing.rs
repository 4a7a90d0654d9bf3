//! Tracks written: the `moov` box. The first sample of a track is an item of the file as well, so that readers of still
//! images show it.

use super::{
    container::{Container, Kind, damaged},
    movie::{Sample, Track},
    writing::{Bytes, long},
};
use crate::error::Result;

/// Where offsets are filled in later, and their distances from the first byte of all.
pub(super) type Places = Vec<(usize, usize)>;

/// No turn, no scaling (ISO/IEC 14496-12, 8.2.2).
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
/// The language is undetermined: three letters of 5 bits.
const UNDETERMINED: u16 = 0x55c4;

impl Container<'_> {
    /// The box with all tracks, which are numbered from 1 on.
    pub(super) fn write_movie(&self, out: &mut Bytes, places: &mut Places) -> Result<()> {
        let Some((_, main)) = self.tracks.first() else { return Ok(()) };
        out.nest(b"moov", |out| {
            out.nest_full(b"mvhd", (1, 0), |out| {
                // Made and changed at no time.
                out.put(&[0; 16])?;
                out.u32(main.timescale)?;
                out.put(&shown(main).to_be_bytes())?;
                // Speed and volume of 1.
                out.put(&[0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
                MATRIX.iter().try_for_each(|number| out.u32(*number))?;
                out.put(&[0; 24])?;
                out.u32(long(self.tracks.len() + 1)?)
            })?;
            let of_item = |wanted: u32| {
                let mut at = 0;
                for item in &self.items {
                    let size: usize = item.data.iter().flatten().map(|piece| piece.len()).sum();
                    if item.id == wanted {
                        return Ok(at);
                    }
                    at += size;
                }
                Err(damaged(format_args!("no item {wanted}")))
            };
            let all = self.items.iter().flat_map(|item| item.data.iter().flatten());
            let mut rest: usize = all.map(|piece| piece.len()).sum();
            for (index, (item, track)) in self.tracks.iter().enumerate() {
                let chunks = [of_item(*item)?, rest];
                write_track(out, long(index + 1)?, track, chunks, places)?;
                rest += track.samples.iter().skip(1).map(|sample| sample.bytes.len()).sum::<usize>();
            }
            Ok(())
        })
    }
}

/// Ticks of the track played once.
fn once(track: &Track<'_>) -> u64 {
    track.samples.iter().map(|sample| u64::from(sample.duration)).sum()
}

/// Ticks of the track played as often as it is to be; the largest number stands for no end.
fn shown(track: &Track<'_>) -> u64 {
    if track.loops == 0 { u64::MAX } else { once(track) * u64::from(track.loops) }
}

fn write_track(
    out: &mut Bytes,
    id: u32,
    track: &Track<'_>,
    chunks: [usize; 2],
    places: &mut Places,
) -> Result<()> {
    let (width, height) = track.size;
    out.nest(b"trak", |out| {
        // Enabled, and in the movie.
        out.nest_full(b"tkhd", (1, 3), |out| {
            out.put(&[0; 16])?;
            out.u32(id)?;
            out.u32(0)?;
            out.put(&shown(track).to_be_bytes())?;
            out.put(&[0; 16])?;
            MATRIX.iter().try_for_each(|number| out.u32(*number))?;
            out.u32(width << 16)?;
            out.u32(height << 16)
        })?;
        if let Some(of) = track.of {
            out.nest(b"tref", |out| out.nest(b"auxl", |out| out.u32(of)))?;
        }
        out.nest(b"edts", |out| {
            // One edit, all of the track, repeated where it is to be.
            out.nest_full(b"elst", (1, (track.loops != 1).into()), |out| {
                out.u32(1)?;
                out.put(&once(track).to_be_bytes())?;
                out.put(&[0; 8])?;
                out.u32(0x1_0000)
            })
        })?;
        out.nest(b"mdia", |out| {
            out.nest_full(b"mdhd", (1, 0), |out| {
                out.put(&[0; 16])?;
                out.u32(track.timescale)?;
                out.put(&once(track).to_be_bytes())?;
                out.u16(UNDETERMINED)?;
                out.u16(0)
            })?;
            out.nest_full(b"hdlr", (0, 0), |out| {
                out.u32(0)?;
                out.put(&track.handler)?;
                out.put(&[0; 13])
            })?;
            out.nest(b"minf", |out| {
                out.nest_full(b"vmhd", (0, 1), |out| out.put(&[0; 8]))?;
                out.nest(b"dinf", |out| {
                    out.nest_full(b"dref", (0, 0), |out| {
                        out.u32(1)?;
                        // The data is in this file.
                        out.nest_full(b"url ", (0, 1), |_| Ok(()))
                    })
                })?;
                out.nest(b"stbl", |out| write_samples(out, track, chunks, places))
            })
        })
    })
}

fn write_samples(out: &mut Bytes, track: &Track<'_>, chunks: [usize; 2], places: &mut Places) -> Result<()> {
    let samples = &track.samples;
    let count = long(samples.len())?;
    out.nest_full(b"stsd", (0, 0), |out| {
        out.u32(1)?;
        out.nest(&track.kind, |out| write_entry(out, track))
    })?;
    out.nest_full(b"stts", (0, 0), |out| {
        let runs = || samples.chunk_by(|a, b| a.duration == b.duration);
        out.u32(long(runs().count())?)?;
        runs().try_for_each(|run| {
            out.u32(long(run.len())?)?;
            out.u32(run[0].duration)
        })
    })?;
    let key = |sample: &&Sample<'_>| sample.key;
    let keys = samples.iter().filter(key).count();
    if keys < samples.len() {
        out.nest_full(b"stss", (0, 0), |out| {
            out.u32(long(keys)?)?;
            let mut numbers = samples.iter().zip(1u32..).filter(|(sample, _)| sample.key);
            numbers.try_for_each(|(_, number)| out.u32(number))
        })?;
    }
    // The first sample is where its item is, the others follow each other.
    let runs: &[(u32, u32)] = if count > 2 { &[(1, 1), (2, count - 1)] } else { &[(1, 1)] };
    out.nest_full(b"stsc", (0, 0), |out| {
        out.u32(long(runs.len())?)?;
        runs.iter().try_for_each(|(first, count)| [*first, *count, 1].iter().try_for_each(|n| out.u32(*n)))
    })?;
    out.nest_full(b"stsz", (0, 0), |out| {
        out.u32(0)?;
        out.u32(count)?;
        samples.iter().try_for_each(|sample| out.u32(long(sample.bytes.len())?))
    })?;
    out.nest_full(b"stco", (0, 0), |out| {
        out.u32(count.min(2))?;
        for offset in chunks.iter().take(count as usize) {
            places.push((out.0.len(), *offset));
            out.u32(0)?;
        }
        Ok(())
    })
}

/// ISO/IEC 14496-12, 12.1.3.
fn write_entry(out: &mut Bytes, track: &Track<'_>) -> Result<()> {
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    // Reserved; the data is in the first of the places.
    out.put(&[0, 0, 0, 0, 0, 0, 0, 1])?;
    out.put(&[0; 16])?;
    let (width, height) = track.coded();
    out.u16(side(width))?;
    out.u16(side(height))?;
    // 72 dots per inch, one image a sample.
    [0x48_0000, 0x48_0000, 0].iter().try_for_each(|number| out.u32(*number))?;
    out.u16(1)?;
    out.put(&[0; 32])?;
    out.u16(24)?;
    out.u16(u16::MAX)?;
    track.boxes.iter().try_for_each(|(kind, body): &(Kind, _)| out.nest(kind, |out| out.put(body)))
}
