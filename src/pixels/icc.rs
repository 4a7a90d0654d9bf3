//! ICC profiles: what we need to know of a given one, and small ones of our own (ICC.1:2022).

use super::color::{Curve, Matrix, Primaries, product};
use crate::{
    bail,
    error::{Result, try_extend},
    model::color::Cicp,
};

/// The white of the profile connection space.
pub const D50: [f64; 3] = [0.9642, 1.0, 0.8249];

/// Refuses bytes that are no ICC profile that can belong to an image (ICC.1:2022, 7.2 and 7.3): header, class, colour
/// space, connection space, and every tag inside of the profile. It may be followed by other bytes; answers its size.
pub fn check(bytes: &[u8]) -> Result<usize> {
    let have = bytes.len();
    if have < 132 {
        bail!(Icc, "an ICC profile of {have} bytes is shorter than its header and its number of tags, 132");
    }
    let number =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
    let stated = number(0);
    if &bytes[36..40] != b"acsp" {
        bail!(Icc, "these {have} bytes are not an ICC profile: they have no signature \"acsp\"");
    }
    if !(132..=have).contains(&stated) {
        bail!(Icc, "the ICC profile has {have} bytes, its header states {stated}");
    }
    let word = |at: usize| String::from_utf8_lossy(&bytes[at..at + 4]).trim_end().to_owned();
    // Device links, abstract profiles and named colours describe no image.
    if !matches!(&bytes[12..16], b"mntr" | b"scnr" | b"prtr" | b"spac") {
        bail!(Icc, "an ICC profile of class \"{}\" does not describe images", word(12));
    }
    if !matches!(&bytes[20..24], b"XYZ " | b"Lab ") {
        bail!(Icc, "the ICC profile's connection space \"{}\" is neither XYZ nor Lab", word(20));
    }
    let count = number(128);
    if count > (stated - 132) / 12 {
        bail!(Icc, "an ICC profile of {stated} bytes has no room for {count} tags");
    }
    for at in (0..count).map(|tag| 132 + 12 * tag) {
        let (offset, size) = (number(at + 4), number(at + 8));
        if offset.checked_add(size).is_none_or(|end| end > stated) {
            bail!(
                Icc,
                "tag \"{}\" of the ICC profile, {size} bytes at {offset}, is outside of its {stated} bytes",
                word(at)
            );
        }
    }
    Ok(stated)
}

/// Refuses a profile that does not describe pixels of this kind.
pub fn check_kind(profile: &[u8], gray: bool) -> Result<()> {
    let kind = profile.get(16..20).unwrap_or_default();
    let wanted = if gray { b"GRAY" } else { b"RGB " };
    if kind != wanted {
        bail!(
            Icc,
            "the ICC profile is for {} pixels, the image has {} pixels",
            String::from_utf8_lossy(kind).trim_end(),
            if gray { "gray" } else { "RGB" }
        );
    }
    Ok(())
}

/// The bytes of a profile from one of its tags on.
pub fn tag<'a>(profile: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    let number = |at: usize| Some(u32::from_be_bytes(profile.get(at..at + 4)?.try_into().ok()?) as usize);
    // A tag table of 100 is generous.
    let tag = (0..number(128)?.min(100))
        .map(|i| 132 + 12 * i)
        .find(|&at| profile.get(at..at + 4).is_some_and(|signature| signature == name))?;
    profile.get(number(tag + 4)?..)
}

/// The code points that a profile names in its `cicp` tag.
pub fn code_points(profile: &[u8]) -> Option<Cicp> {
    match tag(profile, b"cicp")? {
        [b'c', b'i', b'c', b'p', _, _, _, _, primaries, transfer, matrix, full_range, ..] => Some(Cicp {
            primaries: *primaries,
            transfer: *transfer,
            matrix: *matrix,
            full_range: *full_range != 0,
        }),
        _ => None,
    }
}

/// A display profile of red, green, blue.
pub fn write_rgb(name: &str, primaries: &Primaries, curve: &Curve) -> Result<Vec<u8>> {
    write(*b"RGB ", &rgb_tags(name, primaries, para(curve)))
}

/// A profile for signals of high dynamic range: it names their code points (ICC.1:2022, 9.2.17), and readers that do not
/// know the tag take them for what `light` says, 0 to 1.
pub fn write_hdr(
    name: &str,
    cicp: Cicp,
    primaries: &Primaries,
    gray: bool,
    light: impl Fn(f64) -> f64,
) -> Result<Vec<u8>> {
    const POINTS: u32 = 1024;
    let mut curve = [&b"curv\0\0\0\0"[..], &POINTS.to_be_bytes()].concat();
    for i in 0..POINTS {
        let value = light(f64::from(i) / f64::from(POINTS - 1)).clamp(0.0, 1.0) * 65535.0;
        try_extend(&mut curve, &(value.round() as u16).to_be_bytes(), "a profile")?;
    }
    let mut tags = if gray { gray_tags(name, curve) } else { rgb_tags(name, primaries, curve) };
    let points = [cicp.primaries, cicp.transfer, 0, 1];
    tags.insert(3, (*b"cicp", [&b"cicp\0\0\0\0"[..], &points].concat()));
    let mut profile = write(if gray { *b"GRAY" } else { *b"RGB " }, &tags)?;
    // The tag is of version 4.4.
    profile[9] = 0x40;
    Ok(profile)
}

fn rgb_tags(name: &str, primaries: &Primaries, trc: Vec<u8>) -> Vec<Tag> {
    let adaptation = primaries.to_d50();
    let colorants: Matrix = product(&adaptation, &primaries.to_xyz());
    let column = |i: usize| xyz([colorants[0][i], colorants[1][i], colorants[2][i]]);
    vec![
        (*b"desc", text(name)),
        (*b"cprt", text("CC0")),
        (*b"wtpt", xyz(D50)),
        (*b"chad", fixed(b"sf32", adaptation.as_flattened())),
        (*b"rXYZ", column(0)),
        (*b"gXYZ", column(1)),
        (*b"bXYZ", column(2)),
        (*b"rTRC", trc.clone()),
        (*b"gTRC", trc.clone()),
        (*b"bTRC", trc),
    ]
}

/// A display profile of gray.
pub fn write_gray(name: &str, curve: &Curve) -> Result<Vec<u8>> {
    write(*b"GRAY", &gray_tags(name, para(curve)))
}

fn gray_tags(name: &str, trc: Vec<u8>) -> Vec<Tag> {
    vec![(*b"desc", text(name)), (*b"cprt", text("CC0")), (*b"wtpt", xyz(D50)), (*b"kTRC", trc)]
}

/// Signature and data.
type Tag = ([u8; 4], Vec<u8>);

/// Header, table and data of tags; a tag equal to the one before shares its data.
fn write(space: [u8; 4], tags: &[Tag]) -> Result<Vec<u8>> {
    let start = 132 + 12 * tags.len();
    let (mut table, mut data) = (Vec::new(), Vec::new());
    let mut previous: Option<(&Vec<u8>, usize)> = None;
    for (signature, bytes) in tags {
        let offset = match previous {
            Some((same, offset)) if same == bytes => offset,
            _ => {
                let offset = start + data.len();
                try_extend(&mut data, bytes, "a profile")?;
                data.resize(data.len().next_multiple_of(4), 0);
                offset
            }
        };
        previous = Some((bytes, offset));
        let entry = [*signature, (offset as u32).to_be_bytes(), (bytes.len() as u32).to_be_bytes()];
        try_extend(&mut table, entry.as_flattened(), "a profile")?;
    }
    let mut profile = vec![0; 128];
    let size = (start + data.len()) as u32;
    profile[0..4].copy_from_slice(&size.to_be_bytes());
    profile[8..12].copy_from_slice(&[4, 0x30, 0, 0]);
    profile[12..16].copy_from_slice(b"mntr");
    profile[16..20].copy_from_slice(&space);
    profile[20..24].copy_from_slice(b"XYZ ");
    // Any date will do: 2020-01-01.
    profile[24..36].copy_from_slice(&[7, 0xe4, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    profile[36..40].copy_from_slice(b"acsp");
    profile[68..80].copy_from_slice(&xyz(D50)[8..]);
    try_extend(&mut profile, &(tags.len() as u32).to_be_bytes(), "a profile")?;
    try_extend(&mut profile, &table, "a profile")?;
    try_extend(&mut profile, &data, "a profile")?;
    Ok(profile)
}

/// A type signature, four reserved bytes, and numbers in 16.16 fixed point.
fn fixed(signature: &[u8; 4], numbers: &[f64]) -> Vec<u8> {
    let mut bytes = [*signature, [0; 4]].concat();
    for number in numbers {
        bytes.extend_from_slice(&((number * 65536.0).round() as i32).to_be_bytes());
    }
    bytes
}

fn xyz(value: [f64; 3]) -> Vec<u8> {
    fixed(b"XYZ ", &value)
}

/// A parametric curve, type 3; type 0 for a mere power.
fn para(curve: &Curve) -> Vec<u8> {
    let Curve { gamma, a, b, c, d } = *curve;
    let (kind, numbers): (u8, &[f64]) = if d == 0.0 { (0, &[gamma]) } else { (3, &[gamma, a, b, c, d]) };
    let mut bytes = fixed(b"para", &[]);
    bytes.extend_from_slice(&[0, kind, 0, 0]);
    bytes.extend_from_slice(&fixed(b"    ", numbers)[8..]);
    bytes
}

/// Text in one language, English.
fn text(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut bytes = fixed(b"mluc", &[]);
    for number in [1, 12] {
        bytes.extend_from_slice(&u32::to_be_bytes(number));
    }
    bytes.extend_from_slice(b"enUS");
    bytes.extend_from_slice(&(units.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&28u32.to_be_bytes());
    bytes.extend_from_slice(&units);
    bytes
}
