//! EXIF, XMP, IPTC and density through every format, looked at with exiftool where it is installed.

#[path = "../common/mod.rs"]
mod common;

mod changes;
mod damage;
mod formats;
mod png;
mod texts;

use std::{fs, process::Command, sync::Arc};

use common::{
    packing::{codes, pack, pack_picture, source},
    tools::{exiftool, has, scratch},
};
use image_packer::{
    codec::{self, metadata},
    error::ErrorKind,
    model::{
        metadata::{Density, Metadata},
        options::Options,
        picture::Picture,
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        report::Code,
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const MAKER_NOTE: &[u8] = b"MakersOwnNote\0 with offsets that count from the TIFF header \x01\x02\x03\x04";
const LATITUDE: [u32; 6] = [48, 1, 8, 1, 123_457, 10_000];
const LONGITUDE: [u32; 6] = [11, 1, 34, 1, 567_891, 10_000];

/// A value for [`exif`]: type, number of values, bytes in the block's order.
struct Value(u16, u32, Vec<u8>);

struct Order(bool);

impl Order {
    fn short(&self, v: u16) -> Vec<u8> {
        if self.0 { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec()
    }
    fn long(&self, v: u32) -> Vec<u8> {
        if self.0 { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec()
    }
    fn s(&self, v: u16) -> Value {
        Value(3, 1, self.short(v))
    }
    fn l(&self, v: u32) -> Value {
        Value(4, 1, self.long(v))
    }
    fn text(&self, v: &str) -> Value {
        Value(2, v.len() as u32 + 1, [v.as_bytes(), b"\0"].concat())
    }
    fn rationals(&self, v: &[u32]) -> Value {
        Value(5, v.len() as u32 / 2, v.iter().flat_map(|&v| self.long(v)).collect())
    }

    /// A directory at `at`, with the values that do not fit behind it.
    fn directory(&self, at: usize, entries: &[(u16, Value)], next: u32) -> Vec<u8> {
        let mut table = self.short(entries.len() as u16);
        let mut values = Vec::new();
        let behind = at + 2 + entries.len() * 12 + 4;
        for (tag, Value(kind, count, bytes)) in entries {
            table.extend([self.short(*tag), self.short(*kind), self.long(*count)].concat());
            let mut place = bytes.clone();
            if bytes.len() > 4 {
                place = self.long((behind + values.len()) as u32);
                values.extend(bytes);
                values.resize(values.len().next_multiple_of(2), 0);
            }
            place.resize(4, 0);
            table.extend(place);
        }
        table.extend(self.long(next));
        [table, values].concat()
    }
}

/// EXIF as a camera writes it: everything that an edit has to mind.
fn exif(big: bool, orientation: u16) -> Vec<u8> {
    let o = Order(big);
    let thumbnail = [&b"\xff\xd8\xff\xdbTHUMBNAIL"[..], &[7; 500], b"\xff\xd9"].concat();
    let main = |exif: u32, gps: u32| {
        vec![
            (0x0100, o.l(4000)),
            (0x0101, o.l(3000)),
            (0x010f, o.text("Maker")),
            (0x0110, o.text("Camera 5")),
            (0x0112, o.s(orientation)),
            (0x011a, o.rationals(&[240, 1])),
            (0x011b, o.rationals(&[240, 1])),
            (0x0128, o.s(2)),
            (0x0132, o.text("2024:05:06 07:08:09")),
            (0x8298, o.text("(c) somebody")),
            (0x8769, o.l(exif)),
            (0x8825, o.l(gps)),
        ]
    };
    let photo = [
        (0x9003, o.text("2024:05:06 07:08:09")),
        (0x927c, Value(7, MAKER_NOTE.len() as u32, MAKER_NOTE.to_vec())),
        (0xa001, o.s(1)),
        (0xa002, o.l(4000)),
        (0xa003, o.l(3000)),
    ];
    let gps = [
        (0, Value(1, 4, vec![2, 3, 0, 0])),
        (1, o.text("N")),
        (2, o.rationals(&LATITUDE)),
        (3, o.text("E")),
        (4, o.rationals(&LONGITUDE)),
        (29, o.text("2024:05:06")),
    ];
    let photo_at = 8 + o.directory(8, &main(0, 0), 0).len();
    let gps_at = photo_at + o.directory(photo_at, &photo, 0).len();
    let next_at = gps_at + o.directory(gps_at, &gps, 0).len();
    let second = |data: u32| [(0x0103, o.s(6)), (0x0201, o.l(data)), (0x0202, o.l(thumbnail.len() as u32))];
    let data_at = next_at + o.directory(next_at, &second(0), 0).len();
    [
        if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() },
        o.long(8),
        o.directory(8, &main(photo_at as u32, gps_at as u32), next_at as u32),
        o.directory(photo_at, &photo, 0),
        o.directory(gps_at, &gps, 0),
        o.directory(next_at, &second(data_at as u32), 0),
        thumbnail,
    ]
    .concat()
}

const XMP: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
    <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" \
    xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\" xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" \
    exif:GPSLatitude=\"48,8.2057N\" tiff:Orientation=\"6\" hdrgm:Version=\"1.0\">\
    <dc:subject><rdf:Bag><rdf:li>lake</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>\
    <?xpacket end=\"w\"?>";
const IPTC: &[u8] = b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x78\0\x05hello";

/// Red, green, blue and white in the corners.
fn corners(width: u32, height: u32) -> Pixels {
    let mut bytes = Vec::new();
    for y in 0..height {
        for x in 0..width {
            bytes.extend(match (x < width / 2, y < height / 2) {
                (true, true) => [250, 10, 10],
                (false, true) => [10, 250, 10],
                (true, false) => [10, 10, 250],
                (false, false) => [250, 250, 250],
            });
        }
    }
    Pixels::from_vec(width, height, PixelFormat::Rgb888, bytes).unwrap()
}

fn picture(orientation: u16, big: bool) -> Picture {
    let mut picture = Picture::new(Arc::new(corners(48, 32)));
    picture.metadata = Metadata {
        exif: Some(exif(big, orientation).into()),
        xmp: Some(XMP.as_bytes().into()),
        iptc: Some(IPTC.into()),
        density: Density::per_inch(300.0, 300.0),
        ..Metadata::default()
    };
    picture
}

fn options(mime: &str) -> Options {
    let mut options = Options::new(mime, 90).unwrap();
    options.needs_pack_properties = true;
    options.effort = 1;
    options
}

fn found(file: &[u8]) -> metadata::Found {
    metadata::find(source(file).info().mime, file).unwrap()
}

/// Formats with metadata that can be written here.
/// The formats that carry EXIF as well: all that carry anything but GIF.
fn carriers() -> Vec<&'static str> {
    let all = codec::supported().filter(|format| format.features & codec::features::METADATA != 0);
    let all: Vec<_> = all.map(|format| format.name()).filter(|name| *name != "image/gif").collect();
    assert!(all.len() >= 3, "{all:?}");
    all
}

/// A stream of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(body);
    [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
}

/// A PNG without metadata, and chunks behind its header.
fn png_with(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut plain = picture(1, true);
    plain.metadata = Metadata::default();
    let (file, _) = pack_picture(plain, &options("image/png"));
    [&file[..33], &chunks.concat(), &file[33..]].concat()
}
