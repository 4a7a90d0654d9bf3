//! Packs and decodes through the crate.

use std::sync::Arc;

use image_packer::{
    codec::decode,
    model::{
        options::Options,
        picture::Picture,
        pixelmap::Pixels,
        report::{Code, Report},
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

use super::tools::data;

pub fn pack(input: Input, options: &Options) -> (Vec<u8>, Report) {
    let mut file = Buffer::default();
    let report = Packer::default().pack(input, options, &mut file, &Control::default()).unwrap();
    assert_eq!(report.bytes, file.as_slice().len() as u64);
    (file.as_slice().to_vec(), report)
}

pub fn pack_pixels(pixels: Pixels, options: &Options) -> (Vec<u8>, Report) {
    pack(Input::Pixels(Arc::new(pixels)), options)
}

pub fn pack_picture(picture: Picture, options: &Options) -> (Vec<u8>, Report) {
    pack(Input::Picture(Arc::new(picture)), options)
}

/// Options of little effort, with settings of the codec.
pub fn quick(mime: &str, quality: i32, settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new(mime, quality).unwrap();
    options.effort = 2;
    settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
    options
}

pub fn source(file: &[u8]) -> Arc<ImageSource> {
    Arc::new(ImageSource::from_copy(file).unwrap())
}

/// A file of tests/data.
pub fn shipped(name: &str) -> Arc<ImageSource> {
    Arc::new(ImageSource::from_path(&data(name)).unwrap())
}

/// The first image of a file.
pub fn pixels_of(file: &[u8]) -> Pixels {
    decode::decode(&source(file), 0, &Default::default()).unwrap()
}

/// A file with what belongs to its image.
pub fn picture_of(file: &[u8]) -> Picture {
    decode::picture(&source(file), &Default::default()).unwrap()
}

pub fn codes(report: &Report) -> Vec<Code> {
    report.warnings.iter().map(|warning| warning.code).collect()
}
