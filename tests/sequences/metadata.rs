//! EXIF and XMP beside the frames, and frames that are stored turned.

use super::*;

const PACKET: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
    xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' \
    xmlns:dc='http://purl.org/dc/elements/1.1/' dc:source='by hand'/></rdf:RDF></x:xmpmeta>";

struct Picture(*mut ImagePicture);
impl Drop for Picture {
    fn drop(&mut self) {
        ok(image_picture_release(self.0));
    }
}

/// EXIF with a maker, a place and this orientation; XMP; 300 dpi.
fn described(orientation: u32) -> Picture {
    let mut picture = ptr::null_mut();
    ok(image_picture_create(flat(1, 1, RED).0, &mut picture));
    ok(image_picture_set_property(picture, IMAGE_PROPERTY_MAKE, c"Maker".as_ptr()));
    ok(image_picture_set_gps(picture, 48.0, 11.0, 520.0));
    ok(image_picture_set_orientation(picture, orientation));
    ok(image_picture_set_density(picture, 300.0, 300.0));
    let packet = PACKET.as_bytes();
    ok(image_picture_set_metadata(picture, IMAGE_METADATA_XMP, packet.as_ptr().cast(), packet.len()));
    Picture(picture)
}

/// What a file says of itself.
fn found(file: &[u8]) -> Picture {
    let (source, mut picture) = (source(file), ptr::null_mut());
    ok(image_source_create_metadata(source, &mut picture));
    ok(image_source_release(source));
    Picture(picture)
}

fn property(picture: &Picture) -> Option<Vec<u8>> {
    let mut data = ptr::null_mut();
    ok(image_picture_get_property(picture.0, IMAGE_PROPERTY_MAKE, &mut data));
    (!data.is_null()).then(|| take(data))
}

fn block(picture: &Picture, kind: ImageMetadataType) -> Option<Vec<u8>> {
    let mut data = ptr::null_mut();
    ok(image_picture_get_metadata(picture.0, kind, &mut data));
    (!data.is_null()).then(|| take(data))
}

fn latitude(picture: &Picture) -> f64 {
    let mut all = [0.0; 3];
    let [north, east, up] = &mut all;
    ok(image_picture_get_gps(picture.0, north, east, up));
    all[0]
}

fn frames() -> Vec<Map> {
    (0..3u8).map(|i| flat(12, 8, [i * 60, 200, 9, 255])).collect()
}

/// Codes of a report's warnings.
fn warnings(report: *mut ImageReport) -> Vec<ImageWarning> {
    let mut count = 0;
    ok(image_report_get_warning_count(report, &mut count));
    let code = |index| {
        let (mut code, mut text) = (0, [0; 200]);
        ok(image_report_get_warning(report, index, &mut code, text.as_mut_ptr(), text.len()));
        code
    };
    (0..count).map(code).collect()
}

#[test]
fn a_pictures_metadata_goes_beside_the_frames() {
    let mut report = ptr::null_mut();
    ok(image_report_create(&mut report));
    for format in FORMATS {
        let options = exact(format, 3);
        ok(image_sequence_options_set_report(options.0, report));
        ok(image_sequence_options_set_metadata(options.0, described(6).0));
        let file = pack(&frames(), &options);
        assert_eq!(stream(&frames(), &options), file, "{format:?}");
        assert_eq!(decode(&file).2.len(), 3, "decoders read over it");
        let picture = found(&file);
        let xmp = block(&picture, IMAGE_METADATA_XMP).expect("XMP");
        assert!(String::from_utf8(xmp).unwrap().contains("by hand"));
        if format == c"image/gif" {
            assert_eq!(property(&picture), None);
            assert!(warnings(report).contains(&IMAGE_WARNING_EXIF_DROPPED));
        } else {
            assert_eq!(property(&picture).as_deref(), Some(&b"Maker"[..]));
            let (mut orientation, mut x, mut y) = (0, 0.0, 0.0);
            ok(image_picture_get_orientation(picture.0, &mut orientation));
            assert_eq!(orientation, 1, "the frames are upright");
            assert!((latitude(&picture) - 48.0).abs() < 1e-6);
            ok(image_picture_get_density(picture.0, &mut x, &mut y));
            assert_eq!((x.round(), y.round()), (300.0, 300.0));
        }
        let (mut bytes, mut width, mut height) = (0, 0, 0);
        ok(image_report_get_bytes(report, &mut bytes));
        ok(image_report_get_size(report, &mut width, &mut height));
        assert_eq!((bytes, width, height), (file.len() as u64, 12, 8));
        // The place is removed on request; NULL takes all back.
        ok(image_sequence_options_set_keep_gps(options.0, false));
        assert!(latitude(&found(&pack(&frames(), &options))).is_nan());
        ok(image_sequence_options_set_metadata(options.0, ptr::null()));
        let picture = found(&pack(&frames(), &options));
        assert_eq!((property(&picture), block(&picture, IMAGE_METADATA_XMP)), (None, None));
    }
    ok(image_report_release(report));
}

#[test]
fn another_reader_finds_the_blocks_of_an_apng() {
    let options = exact(c"image/png", 3);
    ok(image_sequence_options_set_metadata(options.0, described(1).0));
    let file = pack(&frames(), &options);
    let reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
    let info = reader.info();
    assert!(info.exif_metadata.as_ref().is_some_and(|exif| exif.windows(5).any(|five| five == b"Maker")));
    assert_eq!(info.utf8_text[0].keyword, "XML:com.adobe.xmp");
    assert!(info.utf8_text[0].get_text().unwrap().contains("by hand"));
    assert_eq!(info.pixel_dims.unwrap().xppu, 11811);
}

#[test]
fn a_sources_metadata_comes_along_when_asked_for() {
    let options = exact(c"image/png", 3);
    ok(image_sequence_options_set_metadata(options.0, described(1).0));
    let original = pack(&frames(), &options);
    for format in FORMATS {
        let options = exact(format, 0);
        assert_eq!(block(&found(&reencode(&original, &options)), IMAGE_METADATA_XMP), None);
        ok(image_sequence_options_set_needs_pack_properties(options.0, true));
        let picture = found(&reencode(&original, &options));
        assert!(block(&picture, IMAGE_METADATA_XMP).is_some(), "{format:?}");
        assert_eq!(property(&picture).is_some(), format != c"image/gif");
        // What is set goes before it.
        let own = described(1);
        ok(image_picture_set_property(own.0, IMAGE_PROPERTY_MAKE, c"Other".as_ptr()));
        ok(image_sequence_options_set_metadata(options.0, own.0));
        let make = property(&found(&reencode(&original, &options)));
        assert!(make.is_none_or(|make| make == b"Other"));
    }
}

#[test]
fn turned_animations_stand_upright_and_keep_their_times() {
    let pixels: Vec<u8> = (0..6 * 4u8).flat_map(|i| [i * 10, 255 - i * 9, i, 255]).collect();
    let maps = [flat(6, 4, BLUE), map(3, 2, IMAGE_PIXEL_FORMAT_RGBA_8888, &pixels[..3 * 2 * 4])];
    let options = exact(c"image/png", 2);
    ok(image_sequence_options_set_offsets(options.0, [0, 0, 3, 1].as_ptr(), 2));
    ok(image_sequence_options_set_delay_times(options.0, [7, 33].as_ptr(), 2));
    ok(image_sequence_options_set_loop_count(options.0, 4));
    let upright = pack(&maps, &options);
    for orientation in 2..=8 {
        let (plain, picture, mut data) = (source(&upright), found(&upright), ptr::null_mut());
        ok(image_picture_set_orientation(picture.0, orientation));
        ok(image_packer_edit_metadata_to_data(plain, picture.0, &mut data));
        ok(image_source_release(plain));
        let tagged = take(data);
        let turned = source(&tagged);
        let size = if orientation < 5 { (6, 4) } else { (4, 6) };
        for format in FORMATS {
            let (width, height, seen) = decode(&reencode(&tagged, &exact(format, 0)));
            assert_eq!((width, height), size, "orientation {orientation}");
            for (index, (frame, millis)) in seen.iter().zip([70, 330]).enumerate() {
                assert_eq!(
                    frame.canvas,
                    canvas_of(turned, index, 24),
                    "orientation {orientation}, frame {index}"
                );
                assert_eq!(frame.millis, millis);
            }
            assert_eq!(loops(&reencode(&tagged, &exact(format, 0))), 4);
        }
        ok(image_source_release(turned));
    }
}
