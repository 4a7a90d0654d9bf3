//! Gain maps and metadata of other makers.

use super::*;

/// What another reader makes of it, where it is installed.
fn check_with_exiftool(file: &[u8]) {
    let tags = ["-Title", "-Rating", "-NumberOfImages", "-DirectoryItemSemantic", "-validate", "-warning"];
    let seen = exiftool(file, &[&["-a", "-s", "-G1"][..], &tags].concat());
    let Some(seen) = seen else { return eprintln!("exiftool is not here: its part is left out") };
    for (tag, values) in [
        ("Title", &["Harbour"][..]),
        ("Rating", &["4"]),
        ("NumberOfImages", &["2"]),
        ("DirectoryItemSemantic", &["Primary", "GainMap"]),
    ] {
        // A list is on one line or on several, by exiftool's version.
        let lines = seen.lines().filter(|line| line.contains(&format!(" {tag} ")));
        let found: Vec<_> = lines.flat_map(|line| line.split_once(": ").unwrap().1.split(", ")).collect();
        assert_eq!(found, values, "{tag}: {seen}");
    }
    assert!(!seen.contains("Duplicate"), "{seen}");
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

/// A JPEG without application segments.
fn bare(jpeg: &[u8]) -> Vec<u8> {
    let first = segments(jpeg).into_iter().find(|(marker, ..)| !(0xe0..=0xef).contains(marker)).unwrap();
    [&jpeg[..2], &jpeg[first.1..]].concat()
}

/// Two JPEG images and the index of the Multi-Picture Format that names the second, with further segments in each.
fn pair(main: &[u8], of_main: &[u8], map: &[u8], of_map: &[u8]) -> Vec<u8> {
    let (main, map) = (bare(main), [&[0xff, 0xd8], of_map, &bare(map)[2..]].concat());
    const INDEX: usize = 4 + 8 + 2 + 3 * 12 + 4 + 32;
    let size = main.len() + of_main.len() + INDEX + 4;
    let origin = 2 + of_main.len() + 8;
    let mut index = b"MPF\0MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    index.extend_from_slice(b"\xb0\0\0\x07\0\0\0\x040100\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02");
    index.extend_from_slice(b"\xb0\x02\0\x07\0\0\0\x20\0\0\0\x32\0\0\0\0");
    for (attribute, size, offset) in [(0x03_0000, size, 0), (0, map.len(), size - origin)] {
        for value in [attribute, size as u32, offset as u32, 0] {
            index.extend_from_slice(&value.to_be_bytes());
        }
    }
    [&[0xff, 0xd8], of_main, &segment(0xe2, &index), &main[2..], &map].concat()
}

/// EXIF with nothing but Apple's maker note: HDRHeadroom 1.5, HDRGain 0.01, which make 2.3 stops.
fn apples_exif() -> Vec<u8> {
    let mut note = b"Apple iOS\0\0\x01MM\0\x02".to_vec();
    note.extend_from_slice(b"\0\x21\0\x0a\0\0\0\x01\0\0\0\x28\0\x30\0\x0a\0\0\0\x01\0\0\0\x30");
    [3u32, 2, 1, 100].iter().for_each(|v| note.extend_from_slice(&v.to_be_bytes()));
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0".to_vec();
    tiff.extend_from_slice(b"\0\x01\x92\x7c\0\x07");
    tiff.extend_from_slice(&(note.len() as u32).to_be_bytes());
    tiff.extend_from_slice(b"\0\0\0\x2c\0\0\0\0");
    segment(0xe1, &[b"Exif\0\0", &tiff[..], &note].concat())
}

#[test]
fn apples_gain_maps_are_read_and_moved() {
    let mut options = quick("image/jpeg", 97, &[]);
    options.dynamic_range = DynamicRange::Sdr;
    let (base, _) = pack(Input::Pixels(Arc::new(SKY.pixels())), &options);
    let samples = (0..100 * 75).map(|i| ((i % 100) * 255 / 99) as u8).collect();
    let map = Pixels::from_vec(100, 75, PixelFormat::Gray8, samples).unwrap();
    let (map, _) = pack(Input::Pixels(Arc::new(map)), &options);
    let xmp = |version: u32, more: &str| {
        let space = "http://ns.apple.com/HDRGainMap/1.0/";
        let description = format!(
            "<rdf:Description xmlns:HDRGainMap=\"{space}\" xmlns:apdi=\"http://ns.apple.com/pixeldatainfo/1.0/\">\
             <apdi:AuxiliaryImageType>urn:com:apple:photo:2020:aux:hdrgainmap</apdi:AuxiliaryImageType>\
             <HDRGainMap:HDRGainMapVersion>{version}</HDRGainMap:HDRGainMapVersion>{more}</rdf:Description>"
        );
        segment(0xe1, &[XMP, xmp::packet(&description).as_bytes()].concat())
    };
    let headroom = "<HDRGainMap:HDRGainMapHeadroom>4.0</HDRGainMap:HDRGainMapHeadroom>";
    let newer = pair(&base, &[], &map, &xmp(131_072, headroom));
    let older = pair(&base, &apples_exif(), &map, &xmp(65_536, ""));
    if let Ok(folder) = std::env::var("HDR_TEST_FILES") {
        std::fs::write(format!("{folder}/apple.jpg"), &newer).unwrap();
    }
    let (light, samples) = (decode(&base).to_rgb8(), decode(&map).to_luma8());
    for (file, stops) in [(&newer, 2.0f64), (&older, 2.3)] {
        let source = Arc::new(ImageSource::from_copy(file).unwrap());
        let (again, report) = pack(Input::Source(source.clone()), &quick("image/jpeg", 100, &[]));
        assert!(report.warnings.iter().all(|w| w.code != Code::GainMapDropped), "{:?}", report.warnings);
        let images = images(&again);
        let params = iso::read(body(images[1].1, 0xe2, iso::NAME).unwrap()).unwrap();
        assert!((f64::from(params.alternate_headroom) - stops).abs() < 1e-3, "{params:?}");
        // As Apple's documentation has it: base x (1 + (headroom - 1) x sample), the sample with BT.709's transfer.
        let moved = decode(images[1].1).to_luma8();
        assert_eq!(moved.dimensions(), (100, 75));
        for (old, new) in samples.pixels().zip(moved.pixels()) {
            let gain = 1.0 + (stops.exp2() - 1.0) * bt709_to_light(f64::from(old.0[0]) / 255.0);
            let new = (f64::from(params.max[0]) * f64::from(new.0[0]) / 255.0).exp2();
            assert!((new / gain - 1.0).abs() < 0.03, "{gain} became {new}");
        }
        let picture = codec::decode::picture(&source, &Limits::default()).unwrap();
        let bright = develop::bright(&picture, f32::INFINITY, PixelFormat::RgbaF32).unwrap();
        for (i, pixel) in light.pixels().enumerate().filter(|(i, _)| i % 400 % 40 == 20) {
            let sample = f64::from((i as u32 % 400 / 4) * 255 / 99) / 255.0;
            let gain = 1.0 + (stops.exp2() - 1.0) * bt709_to_light(sample);
            let at =
                |c: usize| f64::from(f32::from_ne_bytes(bright.plane(0).0.as_chunks::<4>().0[4 * i + c]));
            let [r, ..] = [at(0), at(1), at(2)];
            // The base's profile is gone: it is sRGB now, whose red weighs 0.6274, 0.3293 and 0.0433 in BT.2020.
            let base = pixel.0.map(|v| srgb_to_light(f64::from(v) / 255.0));
            let red = (0.6274 * base[0] + 0.3293 * base[1] + 0.0433 * base[2]) * gain;
            assert!((r / red - 1.0).abs() < 0.05, "{i}: {r}, expected {red}");
        }
    }
    // A map that does not say how bright is none.
    let mute = pair(&base, &[], &map, &xmp(65_536, ""));
    let source = Arc::new(ImageSource::from_copy(&mute).unwrap());
    let (again, _) = pack(Input::Source(source), &quick("image/jpeg", 90, &[]));
    assert!(body(&again, 0xe2, b"MPF\0").is_none());
}

#[test]
fn xmp_of_the_callers_and_that_of_the_gain_map_share_a_packet() {
    let user = "<?xpacket begin=\"\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
        <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
        <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
        xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdrgm:Version=\"1.0\" \
        xmlns:Container=\"http://ns.google.com/photos/1.0/container/\" \
        xmlns:Item=\"http://ns.google.com/photos/1.0/container/item/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
        xmp:Rating=\"4\"><dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">Harbour</rdf:li></rdf:Alt></dc:title>\
        <Container:Directory><rdf:Seq><rdf:li rdf:parseType=\"Resource\"><Container:Item Item:Semantic=\"Primary\" \
        Item:Mime=\"image/jpeg\"/></rdf:li><rdf:li rdf:parseType=\"Resource\"><Container:Item \
        Item:Semantic=\"GainMap\" Item:Mime=\"image/jpeg\" Item:Length=\"99\"/></rdf:li></rdf:Seq>\
        </Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>";
    let mut picture = Picture::new(Arc::new(SKY.pixels()));
    picture.metadata.xmp = Some(user.as_bytes().into());
    let mut options = quick("image/jpeg", 90, &[]);
    options.needs_pack_properties = true;
    let (mut file, _) = pack(Input::Picture(Arc::new(picture)), &options);
    // Once more from the file: nothing piles up.
    for _ in 0..2 {
        let images = images(&file);
        let packet = std::str::from_utf8(body(images[0].1, 0xe1, XMP).unwrap()).unwrap();
        for once in
            ["hdrgm:Version=", "<Container:Directory", "Item:Semantic=\"GainMap\"", "Harbour", "Rating=\"4\""]
        {
            assert_eq!(packet.matches(once).count(), 1, "{once} in {packet}");
        }
        assert!(packet.contains(&format!("Item:Length=\"{}\"", images[1].1.len())));
        check_with_exiftool(&file);
        let source = Arc::new(ImageSource::from_copy(&file).unwrap());
        file = pack(Input::Source(source), &options).0;
    }
}

/// Readers that know XMP alone find the map by its directory.
#[test]
fn other_xmp_leaves_the_gain_map_its_directory() {
    let plain = |text: &str| {
        xmp::packet(&format!(
            "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" dc:source=\"{text}\"/>"
        ))
    };
    let length = |file: &[u8]| xmp::gain_map_length(body(file, 0xe1, XMP).unwrap());
    let file = pack_sky(&quick("image/jpeg", 80, &[]));
    let other = pack_sky(&quick("image/jpeg", 20, &[]));
    let foreign = body(&other, 0xe1, XMP).unwrap();
    assert_ne!(length(&file), length(&other));
    let source = |file: &[u8]| ImageSource::from_copy(file).unwrap();
    let edited = |file: &[u8], packet: Option<&[u8]>| {
        let mut metadata = codec::decode::properties(&source(file)).unwrap();
        metadata.xmp = packet.map(Arc::from);
        let mut out = Buffer::default();
        codec::metadata::exchange(&source(file), &metadata, &mut out).unwrap();
        out.as_slice().to_vec()
    };
    let own = codec::decode::properties(&source(&file)).unwrap().xmp.unwrap();
    assert!(edited(&file, Some(&own)) == file);
    let (short, long) = (plain("a book"), plain(&"a book".repeat(20_000)));
    for (packet, kept) in
        [(None, 0), (Some(short.as_bytes()), 1), (Some(long.as_bytes()), 20_000), (Some(foreign), 0)]
    {
        let new = edited(&file, packet);
        let images = images(&new);
        assert_eq!(length(&new), Some(images[1].1.len()));
        assert!(String::from_utf8_lossy(body(&new, 0xe1, XMP).unwrap()).contains(" hdrgm:Version=\"1.0\""));
        assert!(images[1].1 == self::images(&file)[1].1);
        let read = codec::decode::properties(&source(&new)).unwrap().xmp.unwrap();
        assert_eq!(String::from_utf8_lossy(&read).matches("a book").count(), kept);
        // Once more, as it is now.
        assert!(edited(&new, Some(&read)).len() >= new.len());
        assert_eq!(length(&edited(&new, Some(&read))), length(&new));
    }
    // An image without a map gets none by its directory.
    let mut sdr = quick("image/jpeg", 80, &[]);
    sdr.dynamic_range = DynamicRange::Sdr;
    assert_eq!(length(&edited(&pack_sky(&sdr), Some(foreign))), None);
}
