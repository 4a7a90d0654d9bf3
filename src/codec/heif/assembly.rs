//! Files of several images that belong together: the coded main image, its gain map as ISO 21496-1 wants it, further
//! auxiliary images, and what HDR images say of the display they were made on.
//!
//! A gain map is an image that is not shown. A derived image of type "tmap" (ISO/IEC 23008-12, Amd. 1) is made of the
//! main image and the map, and the two are alternatives, the derived one first: readers that know it show HDR, all
//! others the main image, which is the primary one.

use super::container::{Container, Group, Item, Kind, Reference};
use crate::{
    codec::gain_map::iso,
    error::Result,
    model::{
        color::{Cicp, Color, Light},
        gain_map::{GainMap, GainMapParams},
        picture::AuxiliaryKind,
    },
    pixels::{self, Orientation},
    sink::Sink,
};

/// What the file says of the images together, and of their light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub size: (u32, u32),
    /// Of the main image.
    pub color: &'a Color,
    /// Of the HDR image, be it the main one or the derived one.
    pub light: Light,
    /// How the pixels of all images are stored.
    pub stored: Orientation,
}

/// Puts the coded images of several files, each of them alone in its own, into one.
pub(super) fn write(
    main: &[u8],
    map: Option<(&GainMap, &[u8])>,
    auxiliaries: &[(AuxiliaryKind, &[u8])],
    facts: &Facts<'_>,
    sink: &mut dyn Sink,
) -> Result<()> {
    let mut file = Container::read(main)?;
    let main = file.primary;
    for (kind, bytes) in auxiliaries {
        let id = file.take(Container::read(bytes)?)?;
        let mut name = [&[0; 4], auxiliary_name(*kind, file.has_brand(b"avif"))].concat();
        name.push(0);
        if let Some(item) = file.item_mut(id) {
            item.hidden = true;
            item.add(b"auxC", true, name);
        }
        file.references.push(Reference { kind: *b"auxl", from: id, to: vec![main] });
    }
    match map {
        Some((map, bytes)) => {
            let id = file.take(Container::read(bytes)?)?;
            if let Some(item) = file.item_mut(id) {
                item.hidden = true;
            }
            let derived = file.add(tone_mapped(map, facts))?;
            file.references.push(Reference { kind: *b"dimg", from: derived, to: vec![main, id] });
            file.groups.push(Group { kind: *b"altr", items: vec![derived, main] });
            file.brands.push(*b"tmap");
        }
        None => {
            if let Some(item) = file.item_mut(main) {
                item.describe_light(&facts.light);
            }
        }
    }
    // Images are turned as a whole, not by their tiles, and the derived one is made of upright ones.
    let whole = |kind: &Kind| matches!(kind, b"hvc1" | b"av01" | b"grid");
    let grids = file.items.iter().filter(|item| item.kind == *b"grid");
    let tiles: Vec<u32> = grids.flat_map(|grid| file.referred(b"dimg", grid.id)).collect();
    let images = file.items.iter_mut().filter(|item| whole(&item.kind) && !tiles.contains(&item.id));
    images.for_each(|item| item.turn(facts.stored));
    file.write(sink)
}

/// The derived image: the map's parameters, and what it looks like with the map applied in full.
fn tone_mapped<'a>(map: &GainMap, facts: &Facts<'_>) -> Item<'a> {
    let cicp = alternate_color(&map.params, map.pixels.color.cicp, facts.color);
    // A version of this form of the metadata, then the same as in JPEG.
    let mut payload = vec![0];
    payload.extend_from_slice(&iso::write(&map.params));
    let mut item = Item {
        id: 0,
        kind: *b"tmap",
        hidden: false,
        names: Default::default(),
        properties: Vec::new(),
        data: Some(vec![payload.into()]),
    };
    let (width, height) = facts.stored.size(facts.size.0, facts.size.1);
    item.add(b"ispe", false, [[0; 4], width.to_be_bytes(), height.to_be_bytes()].concat());
    let bits = if cicp.is_hdr() { 10 } else { 8 };
    item.add(b"pixi", false, vec![0, 0, 0, 0, 3, bits, bits, bits]);
    item.add(b"colr", false, nclx(cicp));
    if cicp.is_hdr() {
        item.describe_light(&facts.light);
    }
    item
}

/// The colour space of the image with the map applied. A map that is applied in other primaries than the main image's
/// brings them along.
fn alternate_color(params: &GainMapParams, map: Cicp, main: &Color) -> Cicp {
    let main = pixels::code_points(main).map_or(9, |cicp| cicp.primaries);
    let primaries = if params.base_color || !map.is_hdr() { main } else { map.primaries };
    let primaries = if primaries == 2 { 1 } else { primaries };
    let transfer = match params.alternate_headroom > params.base_headroom {
        true if map.transfer == 18 => 18,
        true => 16,
        false => 13,
    };
    Cicp { primaries, transfer, matrix: super::matrix_for(primaries), full_range: true }
}

/// A property of code points.
pub(super) fn nclx(cicp: Cicp) -> Vec<u8> {
    let mut body = b"nclx".to_vec();
    for code in [cicp.primaries, cicp.transfer, cicp.matrix] {
        body.extend_from_slice(&u16::from(code).to_be_bytes());
    }
    body.push(u8::from(cicp.full_range) << 7);
    body
}

/// What auxiliary images are called: depth has a name in HEVC (ISO/IEC 23008-2, Annex F) and one for all codecs
/// (ISO/IEC 23091-1); the others have those of OpenHarmony's files.
const NAMES: [(AuxiliaryKind, &[u8]); 7] = [
    (AuxiliaryKind::Depth, b"urn:mpeg:hevc:2015:auxid:2"),
    (AuxiliaryKind::Depth, b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth"),
    (AuxiliaryKind::Depth, b"urn:com:huawei:photo:5:0:0:aux:depthmap"),
    (AuxiliaryKind::Unrefocus, b"urn:com:huawei:photo:5:0:0:aux:unrefocusmap"),
    (AuxiliaryKind::Linear, b"urn:com:huawei:photo:5:0:0:aux:linearhmap"),
    (AuxiliaryKind::Linear, b"urn:com:huawei:photo:5:0:0:aux:linearmap"),
    (AuxiliaryKind::Fragment, b"urn:com:huawei:photo:5:0:0:aux:fragmentmap"),
];

fn auxiliary_name(kind: AuxiliaryKind, is_avif: bool) -> &'static [u8] {
    let mut names = NAMES.iter().filter(|(known, _)| *known == kind).map(|(_, name)| *name);
    let first = names.next().unwrap_or_default();
    if is_avif && kind == AuxiliaryKind::Depth { names.next().unwrap_or(first) } else { first }
}

/// What an auxiliary image of this name is for.
pub(super) fn auxiliary_kind(name: &[u8]) -> Option<AuxiliaryKind> {
    NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
}

/// The derived images of a file that readers are to prefer to `main`, each with its gain map.
pub(super) fn tone_mapped_of(file: &Container<'_>, main: u32) -> Option<(u32, u32)> {
    const TMAP: Kind = *b"tmap";
    // Without the brand readers have to leave derived images of this type alone.
    if !file.has_brand(&TMAP) {
        return None;
    }
    let derived = file.referring(b"dimg", main).filter(|id| file.item(*id).is_some_and(|i| i.kind == TMAP));
    let preferred = |id: &u32| {
        file.groups.iter().any(|group| {
            let place = |wanted| group.items.iter().position(|item| *item == wanted);
            group.kind == *b"altr" && place(*id).is_some_and(|id| place(main).is_some_and(|main| id < main))
        })
    };
    derived.filter(preferred).find_map(|id| {
        let mut inputs = file.referred(b"dimg", id);
        match (inputs.next(), inputs.next(), inputs.next()) {
            (Some(base), Some(map), None) if base == main => Some((id, map)),
            _ => None,
        }
    })
}
