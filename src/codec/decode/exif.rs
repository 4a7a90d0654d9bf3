//! The one thing of EXIF that decoding needs: which way is up.

use crate::{codec::metadata::numbers::Order, pixels::Orientation};

/// The orientation in a block of EXIF, from its TIFF header on (EXIF 2.32, tag 0x0112 of the first directory).
pub fn orientation(exif: &[u8]) -> Orientation {
    find(exif).and_then(Orientation::from_exif).unwrap_or_default()
}

fn find(exif: &[u8]) -> Option<u16> {
    let order = Order::of(exif)?;
    let short = |at: usize| order.u16_at(exif, at);
    let directory = order.u32_at(exif, 4)? as usize;
    let count = usize::from(short(directory)?);
    // Tag, type, number of values, value: 12 bytes. Type 3 is a 16-bit number.
    let entries = (0..count).map(|index| directory.saturating_add(2 + index * 12));
    let mut found = entries.filter(|&at| short(at) == Some(0x0112) && short(at + 2) == Some(3));
    short(found.next()? + 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_and_any_damage() {
        let little = b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\0\0\0\0\0\0\0\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0";
        assert_eq!(find(little), Some(6));
        assert_eq!(find(big), Some(8));
        for exif in [&little[..], big] {
            for len in 0..exif.len() {
                find(&exif[..len]);
            }
            for at in 0..exif.len() {
                let mut damaged = exif.to_vec();
                damaged[at] = 0xff;
                orientation(&damaged);
            }
        }
    }
}
