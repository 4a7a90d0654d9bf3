//! Which colours stand for an image: cuts where the variance is largest, then weighted k-means, in Oklab.

use super::{
    lab::{self, Lab},
    palette::Palette,
};
use crate::error::{Error, Result, try_vec};

/// Bits per component by which pixels are put together.
const BITS: u32 = 6;
/// Most bins. Only noise has more; there a bit less is no loss, and takes a quarter of the memory.
const MOST: usize = 1 << 16;

/// Pixels put together by colour.
pub struct Histogram {
    /// 1 + the bin of a colour; 0 is none.
    map: Vec<u32>,
    bins: Vec<Bin>,
    /// `BITS`, or fewer.
    bits: u32,
}

#[derive(Clone, Copy)]
struct Bin {
    /// Weighted sum, then the mean.
    lab: [f64; 3],
    weight: f64,
    /// Its colour in the palette.
    index: u8,
    /// The colour of most of its pixels, if there is one (Boyer and Moore's vote), and by how much.
    usual: [u8; 3],
    lead: f64,
}

impl Bin {
    /// As if the pixels of both had been added to one.
    fn merge(&mut self, other: &Self) {
        self.lab.iter_mut().zip(other.lab).for_each(|(sum, more)| *sum += more);
        self.weight += other.weight;
        self.vote(other.usual, other.lead);
    }

    fn vote(&mut self, usual: [u8; 3], lead: f64) {
        if self.usual == usual {
            self.lead += lead;
        } else if self.lead >= lead {
            self.lead -= lead;
        } else {
            (self.usual, self.lead) = (usual, lead - self.lead);
        }
    }
}

fn key([r, g, b]: [u8; 3], bits: u32) -> usize {
    let [r, g, b] = [r, g, b].map(|v| usize::from(v >> (8 - bits)));
    (r << bits | g) << bits | b
}

impl Histogram {
    /// No pixels yet.
    pub fn new() -> Result<Self> {
        Ok(Self { map: try_vec(1 << (3 * BITS), "a histogram of colours")?, bins: Vec::new(), bits: BITS })
    }

    /// A pixel.
    pub fn add(&mut self, rgb: [u8; 3], weight: f32) -> Result<()> {
        if self.bins.len() == MOST && self.map[key(rgb, self.bits)] == 0 {
            self.coarsen();
        }
        let slot = &mut self.map[key(rgb, self.bits)];
        if *slot == 0 {
            if self.bins.len() == self.bins.capacity() {
                let more = self.bins.len().max(1024);
                let bytes = 2 * more * size_of::<Bin>();
                self.bins
                    .try_reserve(more)
                    .map_err(|_| Error::out_of_memory(bytes, "a histogram of colours"))?;
            }
            self.bins.push(Bin { lab: [0.0; 3], weight: 0.0, index: 0, usual: rgb, lead: 0.0 });
            *slot = self.bins.len() as u32;
        }
        let bin = &mut self.bins[*slot as usize - 1];
        let weight = f64::from(weight);
        for (sum, value) in bin.lab.iter_mut().zip(lab::from_rgb(rgb)) {
            *sum += weight * f64::from(value);
        }
        bin.weight += weight;
        bin.vote(rgb, weight);
        Ok(())
    }

    /// Puts bins together whose colours differ in their last bits alone.
    fn coarsen(&mut self) {
        self.bits -= 1;
        self.map.fill(0);
        let mut count = 0;
        for at in 0..self.bins.len() {
            let bin = self.bins[at];
            // All colours of a bin have its key.
            let slot = &mut self.map[key(bin.usual, self.bits)];
            if *slot > 0 {
                self.bins[*slot as usize - 1].merge(&bin);
                continue;
            }
            self.bins[count] = bin;
            count += 1;
            *slot = count as u32;
        }
        self.bins.truncate(count);
    }

    /// A colour of the palette near this one, 0 if no such pixel was added.
    pub fn guess(&self, rgb: [u8; 3]) -> u8 {
        match self.map[key(rgb, self.bits)] {
            0 => 0,
            bin => self.bins[bin as usize - 1].index,
        }
    }

    /// The palette of at most `count` colours, after `rounds` of k-means; `check` is asked before each.
    pub fn palette(&mut self, count: usize, rounds: u32, check: &dyn Fn() -> Result<()>) -> Result<Palette> {
        let mut points: Vec<Point> = Vec::new();
        points
            .try_reserve_exact(self.bins.len())
            .map_err(|_| Error::out_of_memory(self.bins.len() * size_of::<Point>(), "a palette"))?;
        points.extend(self.bins.iter().enumerate().map(|(bin, &Bin { lab, weight, .. })| Point {
            lab: lab.map(|sum| (sum / weight) as f32),
            weight: weight as f32,
            bin: bin as u32,
            index: 0,
        }));
        let colors = cut(&mut points, count);
        let mut palette = Palette::new(colors.into_iter().map(lab::to_rgb).collect())?;
        for _ in 0..rounds {
            check()?;
            assign(&mut points, &palette);
            palette = Palette::new(means(&points, &palette).into_iter().map(lab::to_rgb).collect())?;
        }
        check()?;
        assign(&mut points, &palette);
        for point in &points {
            self.bins[point.bin as usize].index = point.index;
        }
        self.snap(palette)
    }

    /// Puts colours of the palette on the very colours that most of their pixels have: flat areas become exact.
    fn snap(&self, mut palette: Palette) -> Result<Palette> {
        let mut all = vec![(0.0, 0.0, [0; 3]); palette.rgb.len()];
        for bin in &self.bins {
            let (weight, lead, usual) = &mut all[usize::from(bin.index)];
            *weight += bin.weight;
            if bin.lead > *lead {
                (*lead, *usual) = (bin.lead, bin.usual);
            }
        }
        for (rgb, (weight, lead, usual)) in palette.rgb.iter_mut().zip(all) {
            if lead > weight * SNAP {
                *rgb = usual;
            }
        }
        Palette::new(palette.rgb)
    }
}

/// The part of a cluster that makes its colour the cluster's.
const SNAP: f64 = 0.4;

#[derive(Clone, Copy)]
struct Point {
    lab: Lab,
    weight: f32,
    bin: u32,
    index: u8,
}

fn assign(points: &mut [Point], palette: &Palette) {
    for point in points {
        point.index = palette.nearest(point.lab, point.index).0;
    }
}

/// Where each colour of the palette should be.
fn means(points: &[Point], palette: &Palette) -> Vec<Lab> {
    let mut sums = vec![([0.0f64; 3], 0.0f64); palette.lab.len()];
    for point in points {
        let (sum, weight) = &mut sums[usize::from(point.index)];
        for (sum, value) in sum.iter_mut().zip(point.lab) {
            *sum += f64::from(value * point.weight);
        }
        *weight += f64::from(point.weight);
    }
    let mean = |((sum, weight), &old): (([f64; 3], f64), &Lab)| {
        if weight > 0.0 { sum.map(|sum| (sum / weight) as f32) } else { old }
    };
    sums.into_iter().zip(&palette.lab).map(mean).collect()
}

/// A part of the points, and how much it would gain by a cut.
struct Part {
    start: usize,
    end: usize,
    mean: Lab,
    /// The axis along which it is widest, its lowest and highest value there.
    axis: usize,
    range: (f32, f32),
    /// Sum of squared distances from the mean.
    error: f64,
}

/// Cuts the points into at most `count` parts and answers their means. The points know their parts.
fn cut(points: &mut [Point], count: usize) -> Vec<Lab> {
    let mut parts = vec![measure(points, 0, points.len())];
    while parts.len() < count {
        let worst = (0..parts.len()).max_by(|&a, &b| parts[a].error.total_cmp(&parts[b].error));
        let Some(worst) = worst.filter(|&worst| parts[worst].error > 0.0) else { break };
        let Part { start, end, .. } = parts[worst];
        let middle = start + split(&mut points[start..end], &parts[worst]);
        if middle == start || middle == end {
            parts[worst].error = 0.0;
            continue;
        }
        parts[worst] = measure(points, start, middle);
        parts.push(measure(points, middle, end));
    }
    for (index, part) in parts.iter().enumerate() {
        points[part.start..part.end].iter_mut().for_each(|point| point.index = index as u8);
    }
    parts.into_iter().map(|part| part.mean).collect()
}

fn measure(points: &[Point], start: usize, end: usize) -> Part {
    let points = &points[start..end];
    let (mut sum, mut squares, mut weight) = ([0.0f64; 3], [0.0f64; 3], 0.0f64);
    let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
    for point in points {
        let w = f64::from(point.weight);
        weight += w;
        for axis in 0..3 {
            let value = f64::from(point.lab[axis]);
            sum[axis] += w * value;
            squares[axis] += w * value * value;
            low[axis] = low[axis].min(point.lab[axis]);
            high[axis] = high[axis].max(point.lab[axis]);
        }
    }
    let variance: [f64; 3] =
        std::array::from_fn(|axis| (squares[axis] - sum[axis] * sum[axis] / weight.max(1e-30)).max(0.0));
    let axis = (0..3).max_by(|&a, &b| variance[a].total_cmp(&variance[b])).unwrap_or(0);
    let error = if low[axis] < high[axis] { variance.iter().sum() } else { 0.0 };
    let mean = sum.map(|sum| (sum / weight.max(1e-30)) as f32);
    Part { start, end, mean, axis, range: (low[axis], high[axis]), error }
}

/// Slices of a part among which a cut is chosen.
const SLICES: usize = 64;

/// Puts the points of one side of the best cut before those of the other, and answers how many they are.
fn split(points: &mut [Point], part: &Part) -> usize {
    let (low, high) = part.range;
    let scale = SLICES as f32 / (high - low);
    let slice = |point: &Point| (((point.lab[part.axis] - low) * scale) as usize).min(SLICES - 1);
    let mut slices = [(0.0f64, 0.0f64); SLICES];
    for point in points.iter() {
        let (weight, sum) = &mut slices[slice(point)];
        *weight += f64::from(point.weight);
        *sum += f64::from(point.weight * point.lab[part.axis]);
    }
    let add = |a: (f64, f64), b: &(f64, f64)| (a.0 + b.0, a.1 + b.1);
    let all = slices.iter().fold((0.0, 0.0), add);
    let (mut before, mut best) = ((0.0, 0.0), (0, 0.0));
    for (index, slice) in slices.iter().enumerate().take(SLICES - 1) {
        before = add(before, slice);
        let after = (all.0 - before.0, all.1 - before.1);
        if before.0 > 0.0 && after.0 > 0.0 {
            let gain = before.1 * before.1 / before.0 + after.1 * after.1 / after.0;
            if best.0 == 0 || gain > best.1 {
                best = (index + 1, gain);
            }
        }
    }
    let mut middle = 0;
    for index in 0..points.len() {
        if slice(&points[index]) < best.0 {
            points.swap(index, middle);
            middle += 1;
        }
    }
    middle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_takes_no_more_than_it_may_and_keeps_its_flat_area() {
        let mut histogram = Histogram::new().unwrap();
        let flat = [201, 13, 77];
        for n in 0..300_000u32 {
            let [r, g, b, _] = n.wrapping_mul(0x9e37_79b1).reverse_bits().to_le_bytes();
            histogram.add([r, g, b], 1.0).unwrap();
            histogram.add(flat, 1.0).unwrap();
            assert!(histogram.bins.len() <= MOST);
        }
        assert!(histogram.bits < BITS, "{} bins", histogram.bins.len());
        let weight: f64 = histogram.bins.iter().map(|bin| bin.weight).sum();
        assert_eq!(weight, 600_000.0);
        let palette = histogram.palette(256, 2, &|| Ok(())).unwrap();
        assert_eq!(palette.rgb[usize::from(histogram.guess(flat))], flat);
        // Any colour is near one of the palette.
        for rgb in [[10, 200, 30], [250, 250, 5], [128, 128, 128]] {
            let near = palette.rgb[usize::from(histogram.guess(rgb))];
            assert!(
                lab::distance(lab::from_rgb(near), lab::from_rgb(rgb)) < 0.1 * 0.1,
                "{rgb:?} as {near:?}"
            );
        }
    }
}
