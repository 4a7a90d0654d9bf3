//! Our declarations of libheif's structs and numbers, compared with the header that is installed.

use std::{
    fmt::Write as _,
    io::Write as _,
    mem::offset_of,
    process::{Command, Stdio},
};

use super::{
    engine::{Chroma, Compression},
    library::{HeifEncodingOptions, HeifError, HeifNclx, HeifWriter},
    objects::Channel,
    reading::Interleaved,
};

/// A C program that compiles if and only if libheif's header agrees with us.
fn assertions() -> String {
    let mut c = String::from("#include <stddef.h>\n#include <libheif/heif.h>\n");
    let mut same = |theirs: &str, ours: usize| {
        writeln!(c, "_Static_assert({theirs} == {ours}, \"{theirs} is not {ours}\");").unwrap();
    };
    macro_rules! offsets {
        ($ours:ty, $theirs:literal: $($field:ident $name:literal),+) => { $(
            same(concat!("offsetof(struct ", $theirs, ", ", $name, ")"), offset_of!($ours, $field));
        )+ };
    }
    // These two cross by value or are ours to allocate: the size counts too.
    same("sizeof(struct heif_error)", size_of::<HeifError>());
    offsets!(HeifError, "heif_error": code "code", subcode "subcode", message "message");
    offsets!(HeifWriter, "heif_writer": writer_api_version "writer_api_version", write "write");
    offsets!(HeifNclx, "heif_color_profile_nclx": version "version", color_primaries "color_primaries",
        transfer_characteristics "transfer_characteristics", matrix_coefficients "matrix_coefficients",
        full_range_flag "full_range_flag");
    offsets!(HeifEncodingOptions, "heif_encoding_options": version "version",
        save_alpha_channel "save_alpha_channel",
        macos_compatibility_workaround "macOS_compatibility_workaround",
        save_two_colr_boxes_when_icc_and_nclx_available "save_two_colr_boxes_when_ICC_and_nclx_available",
        output_nclx_profile "output_nclx_profile",
        macos_compatibility_workaround_no_nclx_profile "macOS_compatibility_workaround_no_nclx_profile");
    for (theirs, ours) in [
        ("heif_compression_HEVC", Compression::Hevc as usize),
        ("heif_compression_AV1", Compression::Av1 as usize),
        ("heif_chroma_monochrome", Chroma::Gray as usize),
        ("heif_chroma_420", Chroma::Yuv420 as usize),
        ("heif_chroma_422", Chroma::Yuv422 as usize),
        ("heif_chroma_444", Chroma::Yuv444 as usize),
        ("heif_chroma_interleaved_RGB", Interleaved::Rgb8 as usize),
        ("heif_chroma_interleaved_RGBA", Interleaved::Rgba8 as usize),
        ("heif_chroma_interleaved_RRGGBB_LE", Interleaved::Rgb16 as usize),
        ("heif_chroma_interleaved_RRGGBBAA_LE", Interleaved::Rgba16 as usize),
        ("heif_channel_Y", Channel::Y as usize),
        ("heif_channel_Cb", Channel::Cb as usize),
        ("heif_channel_Cr", Channel::Cr as usize),
        ("heif_channel_Alpha", Channel::Alpha as usize),
        ("heif_channel_interleaved", Channel::Interleaved as usize),
        ("heif_colorspace_YCbCr", 0),
        ("heif_colorspace_RGB", 1),
        ("heif_colorspace_monochrome", 2),
        ("heif_error_Invalid_input", 2),
        ("heif_error_Unsupported_filetype", 3),
        ("heif_error_Unsupported_feature", 4),
        ("heif_error_Memory_allocation_error", 6),
        ("heif_error_Decoder_plugin_error", 7),
        ("heif_error_Encoding_error", 9),
        ("heif_suberror_Security_limit_exceeded", 1000),
        ("heif_suberror_Unsupported_codec", 3000),
        ("heif_suberror_Cannot_write_output_data", 5000),
    ] {
        same(theirs, ours);
    }
    c
}

fn compile(c: &str) -> std::process::Output {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut child = Command::new(compiler)
        .args(["-std=c11", "-fsyntax-only", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a C compiler (CC)");
    child.stdin.take().unwrap().write_all(c.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn declarations_agree_with_the_installed_header() {
    if !compile("#include <libheif/heif.h>\n").status.success() {
        // The header is for this test alone: the product needs none.
        let told = std::env::var_os("IMAGE_PACKER_TEST_WITHOUT_LIBHEIF").is_some();
        assert!(
            told,
            "no libheif/heif.h: apt install libheif-dev, or set IMAGE_PACKER_TEST_WITHOUT_LIBHEIF=1"
        );
        eprintln!("NOT TESTED: libheif/heif.h is not installed");
        return;
    }
    let output = compile(&assertions());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // And it would have told.
    let wrong = assertions().replacen("== 0,", "== 3,", 1);
    assert!(!compile(&wrong).status.success());
}
