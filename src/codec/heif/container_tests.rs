//! Files of items, sound and unsound.

use super::container::{Container, Group, Item, Reference};
use crate::sink::memory::Buffer;

fn item(kind: &[u8; 4], data: &'static [u8]) -> Item<'static> {
    Item {
        id: 0,
        kind: *kind,
        hidden: kind == b"hvc1",
        names: b"name\0"[..].into(),
        properties: Vec::new(),
        data: Some(vec![data.into()]),
    }
}

/// A grid of two tiles, with alpha and a description.
fn grid() -> Container<'static> {
    let mut file = Container { brands: vec![*b"heic", *b"mif1", *b"heic"], ..Container::default() };
    let ids = [("grid", "g"), ("hvc1", "one"), ("hvc1", "second"), ("av01", "alpha"), ("Exif", "text")]
        .map(|(kind, data)| file.add(item(kind.as_bytes().try_into().unwrap(), data.as_bytes())).unwrap());
    file.primary = ids[0];
    for id in [ids[1], ids[2]] {
        file.item_mut(id).unwrap().add(b"irot", true, vec![1]);
        file.item_mut(id).unwrap().add(b"ispe", false, vec![0; 12]);
    }
    file.item_mut(ids[3]).unwrap().add(b"auxC", true, b"\0\0\0\0urn:mpeg:hevc:2015:auxid:1\0".to_vec());
    for (kind, from, to) in [
        (*b"dimg", ids[0], vec![ids[1], ids[2]]),
        (*b"auxl", ids[3], vec![ids[0]]),
        (*b"cdsc", ids[4], vec![ids[0]]),
    ] {
        file.references.push(Reference { kind, from, to });
    }
    file.groups.push(Group { kind: *b"altr", items: vec![ids[0], ids[1]] });
    file
}

fn written(file: &Container<'_>) -> Vec<u8> {
    let mut bytes = Buffer::default();
    file.write(&mut bytes).unwrap();
    bytes.as_slice().to_vec()
}

#[test]
fn what_is_written_is_read() {
    let file = grid();
    let bytes = written(&file);
    let read = Container::read(&bytes).unwrap();
    assert_eq!((&read.brands, read.primary), (&file.brands, file.primary));
    assert_eq!((&read.references, &read.groups), (&file.references, &file.groups));
    assert_eq!(read.items.len(), file.items.len());
    for (a, b) in read.items.iter().zip(&file.items) {
        assert_eq!((a.id, a.kind, a.hidden, &a.names), (b.id, b.kind, b.hidden, &b.names));
        assert_eq!((&a.properties, a.bytes().unwrap()), (&b.properties, b.bytes().unwrap()));
    }
    // Shaping properties come last.
    assert_eq!(read.items[1].properties.iter().map(|p| p.kind).collect::<Vec<_>>(), [*b"ispe", *b"irot"]);
}

#[test]
fn an_image_is_cut_out_with_its_parts() {
    let bytes = written(&grid());
    let file = Container::read(&bytes).unwrap();
    let whole = written(&file.alone(file.primary).unwrap());
    let whole = Container::read(&whole).unwrap();
    assert_eq!(
        whole.items.iter().map(|item| item.kind).collect::<Vec<_>>(),
        [*b"grid", *b"hvc1", *b"hvc1", *b"av01"]
    );
    assert_eq!(whole.references.len(), 2);
    let tile = written(&file.alone(3).unwrap());
    let tile = Container::read(&tile).unwrap();
    assert_eq!((tile.items.len(), tile.primary, tile.items[0].hidden), (1, 1, false));
    assert_eq!(tile.items[0].bytes().unwrap(), b"second");
    assert!(file.alone(99).is_err());
}

#[test]
fn images_made_of_themselves_end() {
    let mut file = grid();
    let primary = file.primary;
    file.references[0].to = vec![primary, primary, 2];
    assert!(file.alone(primary).is_err(), "a grid of itself");
    // A chain of more derived images than anybody makes.
    let mut file = grid();
    for _ in 0..100 {
        let last = file.items.last().unwrap().id;
        let next = file.add(item(b"iden", b"")).unwrap();
        file.references.push(Reference { kind: *b"dimg", from: next, to: vec![last] });
    }
    let last = file.items.last().unwrap().id;
    assert!(file.alone(last).is_err());
}

#[test]
fn small_files_do_not_become_large_ones() {
    let mut file = grid();
    let large = vec![7u8; 1 << 20];
    let pieces = || (0..100).map(|_| large.as_slice().into()).collect::<Vec<_>>();
    file.item_mut(2).unwrap().data = Some(pieces());
    file.size = 2 << 20;
    assert!(file.alone(file.primary).is_err());
    assert!(file.alone(3).is_ok());
}

#[test]
fn damage_is_an_error_at_worst() {
    let bytes = written(&grid());
    let look = |bytes: &[u8]| {
        if let Ok(file) = Container::read(bytes) {
            for id in 0..8 {
                if let Ok(alone) = file.alone(id) {
                    let _ = alone.write(&mut Buffer::default());
                }
            }
        }
    };
    for length in 0..bytes.len() {
        look(&bytes[..length]);
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 0x44, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            look(&damaged);
        }
    }
    let mut file = grid();
    file.references[0].to = vec![42];
    assert!(file.write(&mut Buffer::default()).is_err(), "a part that is not there");
}
