//! Colour ramps: a few stops from the caller, 256 entries for the shader.

use super::pipeline::premultiplied;

/// Entries of a ramp on the device.
pub(super) const ENTRIES: usize = 256;

/// Colours from 0 to 1, at even distances, in gamma space with alpha not multiplied in. Between
/// stops they are mixed with alpha multiplied in, so that a stop that is clear lends no colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    stops: Vec<[f32; 4]>,
}

impl Ramp {
    /// A ramp through these stops: the first is 0, the last is 1. Without any, clear.
    pub fn new(stops: &[[f32; 4]]) -> Self {
        Self {
            stops: stops.to_vec(),
        }
    }

    /// The colour at `x` in [0, 1], alpha multiplied in.
    fn at(&self, x: f32) -> [f32; 4] {
        let Some(&last) = self.stops.last() else {
            return [0.0; 4];
        };
        let place = x.clamp(0.0, 1.0) * (self.stops.len() - 1) as f32;
        let low = premultiplied(self.stops[place as usize]);
        let high = premultiplied(self.stops.get(place as usize + 1).copied().unwrap_or(last));
        let mix = place.fract();
        std::array::from_fn(|c| low[c] + mix * (high[c] - low[c]))
    }

    /// `[256]`, alpha multiplied in.
    pub(super) fn entries(&self) -> Vec<[f32; 4]> {
        (0..ENTRIES)
            .map(|i| self.at(i as f32 / (ENTRIES - 1) as f32))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_meets_its_stops_and_a_clear_stop_lends_no_colour() {
        let ramp = Ramp::new(&[[1.0, 1.0, 1.0, 0.0], [0.2, 0.4, 0.6, 1.0]]);
        let entries = ramp.entries();
        assert_eq!(entries[0], [0.0; 4]);
        assert_eq!(entries[255], [0.2, 0.4, 0.6, 1.0]);
        let half = ramp.at(0.5);
        assert!(
            (half[3] - 0.5).abs() < 1e-6 && (half[0] - 0.1).abs() < 1e-6,
            "{half:?}"
        );
        assert_eq!(Ramp::new(&[]).entries()[7], [0.0; 4]);
        assert_eq!(Ramp::new(&[[1.0; 4]]).entries()[255], [1.0; 4]);
    }
}
