//! A limit of bytes: the best quality that fits, found in few attempts.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use image_packer::{
    error::ErrorKind,
    model::{
        options::{Options, Reporter},
        report::Report,
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};

const PHOTO: &[u8] = include_bytes!("../examples/data/astronaut.png");

fn pack(options: &Options) -> image_packer::error::Result<(Report, Vec<u8>)> {
    let source = Arc::new(ImageSource::from_copy(PHOTO)?);
    let mut buffer = Buffer::default();
    let report =
        Packer::default().pack(Input::Source(source), options, &mut buffer, &Control::new(options))?;
    Ok((report, buffer.as_slice().to_vec()))
}

fn at(format: &str, quality: i32, effort: i32) -> Options {
    let mut options = Options::new(format, quality).unwrap();
    options.set_effort(effort).unwrap();
    options
}

#[test]
fn the_highest_quality_that_fits_is_taken() {
    for (format, effort, limits) in [
        ("image/jpeg", 1, &[30_000, 100_000, 10_000][..]),
        ("image/jpeg", 5, &[30_000]),
        ("image/webp", 1, &[30_000, 9_000]),
        ("image/gif", 1, &[100_000]),
    ] {
        for &most in limits {
            let mut options = at(format, 95, effort);
            options.max_bytes = most;
            let (report, bytes) = pack(&options).unwrap();
            assert!(bytes.len() as u64 <= most, "{format} {most}: {} bytes", bytes.len());
            assert_eq!(report.bytes, bytes.len() as u64);
            // It is the very image of that quality, and the next one would be too large.
            let quality = i32::from(report.quality);
            assert!(quality < 95 && pack(&at(format, quality, effort)).unwrap().1 == bytes);
            let more = pack(&at(format, quality + 1, effort)).unwrap().0.bytes;
            assert!(
                more > most,
                "{format} {most}: quality {quality} was taken, {} has {more} bytes",
                quality + 1
            );
        }
    }
}

#[test]
fn an_image_that_fits_is_encoded_once() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let told = calls.clone();
    let mut options = at("image/jpeg", 90, 1);
    options.max_bytes = 1 << 20;
    options.progress = Some(Reporter(Arc::new(move |done| {
        told.lock().unwrap().push(done);
        true
    })));
    let (report, bytes) = pack(&options).unwrap();
    assert_eq!((report.quality, bytes), (90, pack(&at("image/jpeg", 90, 1)).unwrap().1));
    let calls = calls.lock().unwrap();
    // Further attempts would have come in the other half.
    assert_eq!(calls.iter().filter(|&&done| done >= 500).collect::<Vec<_>>(), [&1000]);
}

#[test]
fn progress_never_falls_and_stops_any_attempt() {
    let last = Arc::new(AtomicU32::new(0));
    let told = last.clone();
    let mut options = at("image/jpeg", 95, 1);
    options.max_bytes = 20_000;
    options.progress = Some(Reporter(Arc::new(move |done| {
        assert!(told.swap(done, Relaxed) < done);
        true
    })));
    pack(&options).unwrap();
    assert_eq!(last.load(Relaxed), 1000);
    options.progress = Some(Reporter(Arc::new(|done| done < 600)));
    assert_eq!(pack(&options).unwrap_err().kind, ErrorKind::Cancelled);
}

#[test]
fn what_cannot_fit_says_how_large_it_is() {
    for (format, lossless) in [("image/jpeg", false), ("image/png", false), ("image/webp", true)] {
        let mut options = at(format, 80, 1);
        options.lossless = lossless;
        options.max_bytes = 1000;
        let error = pack(&options).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Encode, "{error:?}");
        assert!(error.message.contains("1000") && error.message.contains("bytes"), "{error:?}");
    }
}
