//! Properties that cameras and editors agree on, in a picture's EXIF.

use super::{
    exif::{Dir, Exif, kind, tag},
    xmp,
};
use crate::{
    bail,
    error::Result,
    model::metadata::{Density, Metadata, block},
    pixels::Orientation,
};

/// Where an image was taken: degrees north and east, metres above the sea.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees north of the equator, -90 to 90.
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180.
    pub longitude: f64,
    /// Metres above the sea, if known.
    pub altitude: Option<f64>,
}

mod gps {
    pub const VERSION: u16 = 0;
    pub const LATITUDE: u16 = 2;
    pub const LONGITUDE: u16 = 4;
    pub const ALTITUDE: u16 = 6;
}

impl Metadata {
    /// EXIF to be changed: its own, or an empty one.
    fn open(&self) -> Result<Exif> {
        self.exif.as_deref().map_or_else(Exif::empty, Exif::new)
    }

    fn close(&mut self, exif: Exif) -> Result<()> {
        self.exif = if exif.is_empty() { None } else { Some(block(exif.bytes())?) };
        Ok(())
    }

    /// Text of EXIF.
    pub fn text(&self, dir: Dir, tag: u16) -> Result<Option<String>> {
        Ok(self.open()?.text(dir, tag))
    }

    /// Sets or removes text of EXIF.
    pub fn set_text(&mut self, dir: Dir, tag: u16, text: Option<&str>) -> Result<()> {
        let mut exif = self.open()?;
        match text {
            Some(text) => exif.set_text(dir, tag, text)?,
            None => exif.remove(dir, tag),
        }
        self.close(exif)
    }

    /// Sets or removes the density, in EXIF too if that has one: readers believe it first.
    pub fn set_density(&mut self, density: Option<Density>) -> Result<()> {
        self.density = density;
        let Ok(mut exif) = self.open() else { return Ok(()) };
        if exif.density().is_none() {
            return Ok(());
        }
        match density {
            Some(density) => exif.set_density(density)?,
            None => [tag::X_RESOLUTION, tag::Y_RESOLUTION, tag::RESOLUTION_UNIT]
                .into_iter()
                .for_each(|tag| exif.remove(Dir::Main, tag)),
        }
        self.close(exif)
    }

    /// Says how the pixels are stored.
    pub fn set_orientation(&mut self, orientation: Orientation) -> Result<()> {
        let mut exif = self.open()?;
        exif.set_short(Dir::Main, tag::ORIENTATION, orientation as u16)?;
        self.close(exif)
    }

    /// Where the image was taken.
    pub fn place(&self) -> Result<Option<Place>> {
        let exif = self.open()?;
        let signed = |tag: u16, minus: &str| -> Option<f64> {
            let [degrees, minutes, seconds] = exif.rationals(Dir::Gps, tag)?;
            let value = degrees + minutes / 60.0 + seconds / 3600.0;
            Some(if exif.text(Dir::Gps, tag - 1)? == minus { -value } else { value })
        };
        let Some((latitude, longitude)) = signed(gps::LATITUDE, "S").zip(signed(gps::LONGITUDE, "W")) else {
            return Ok(None);
        };
        let below = exif.value(Dir::Gps, gps::ALTITUDE - 1).is_some_and(|(_, bytes)| bytes == [1]);
        let altitude = exif.rationals(Dir::Gps, gps::ALTITUDE).map(|[v]| if below { -v } else { v });
        Ok(Some(Place { latitude, longitude, altitude }))
    }

    /// Sets where the image was taken; what was said of it before is gone.
    pub fn set_place(&mut self, place: Place) -> Result<()> {
        let Place { latitude, longitude, altitude } = place;
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            bail!(OutOfRange, "latitude {latitude} and longitude {longitude} are no place on Earth");
        }
        if let Some(altitude) = altitude.filter(|v| !(-1e6..=1e6).contains(v)) {
            bail!(OutOfRange, "an altitude of {altitude} metres is not within 1000000");
        }
        self.remove_place()?;
        let mut exif = self.open()?;
        exif.set(Dir::Gps, gps::VERSION, kind::BYTE, &[2, 3, 0, 0])?;
        for (tag, value, names) in
            [(gps::LATITUDE, latitude, ["N", "S"]), (gps::LONGITUDE, longitude, ["E", "W"])]
        {
            exif.set_text(Dir::Gps, tag - 1, names[usize::from(value < 0.0)])?;
            let (degrees, rest) = (value.abs().floor(), value.abs().fract() * 60.0);
            exif.set_rationals(Dir::Gps, tag, &[degrees, rest.floor(), rest.fract() * 60.0])?;
        }
        if let Some(altitude) = altitude {
            exif.set(Dir::Gps, gps::ALTITUDE - 1, kind::BYTE, &[u8::from(altitude < 0.0)])?;
            exif.set_rationals(Dir::Gps, gps::ALTITUDE, &[altitude.abs()])?;
        }
        self.close(exif)
    }

    /// Removes where the image was taken, from EXIF and XMP: tags, values, and their bytes.
    pub fn remove_place(&mut self) -> Result<()> {
        if self.exif.is_some() {
            let mut exif = self.open()?;
            exif.remove_gps()?;
            self.close(exif)?;
        }
        if let Some(packet) = &self.xmp {
            let (packet, removed) = xmp::strip_gps(packet)?;
            if removed > 0 {
                self.xmp = Some(block(&packet)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_and_what_is_removed_is_gone() {
        let mut metadata = Metadata::default();
        let place = Place { latitude: -33.856_784, longitude: 151.215_297, altitude: Some(-3.5) };
        metadata.set_text(Dir::Main, tag::MAKE, Some("Maker")).unwrap();
        metadata.set_text(Dir::Exif, tag::DATE_TIME_ORIGINAL, Some("2024:05:06 07:08:09")).unwrap();
        metadata.set_place(place).unwrap();
        metadata.set_orientation(Orientation::Left).unwrap();
        metadata.set_text(Dir::Main, tag::MAKE, Some("A maker with a longer name")).unwrap();
        assert_eq!(metadata.text(Dir::Main, tag::MAKE).unwrap().unwrap(), "A maker with a longer name");
        assert_eq!(
            metadata.text(Dir::Exif, tag::DATE_TIME_ORIGINAL).unwrap().unwrap(),
            "2024:05:06 07:08:09"
        );
        assert_eq!(metadata.orientation(), Orientation::Left);
        let read = metadata.place().unwrap().unwrap();
        assert!((read.latitude - place.latitude).abs() < 1e-8, "{read:?}");
        assert!((read.longitude - place.longitude).abs() < 1e-8, "{read:?}");
        assert_eq!(read.altitude, place.altitude);
        metadata.remove_place().unwrap();
        assert_eq!(metadata.place().unwrap(), None);
        metadata.set_text(Dir::Main, tag::MAKE, None).unwrap();
        assert_eq!(metadata.text(Dir::Main, tag::MAKE).unwrap(), None);
        let exif = metadata.exif.as_deref().unwrap();
        assert!(!exif.windows(5).any(|bytes| bytes == b"maker"));
        assert!(metadata.set_place(Place { latitude: 91.0, ..place }).is_err());
        assert!(metadata.set_place(Place { longitude: f64::NAN, ..place }).is_err());
    }
}
