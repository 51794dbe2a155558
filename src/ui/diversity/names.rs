//! What to call a mode: by its place where that is clear, else by number.

use crate::mixture::Mixture;

/// More modes than this are numbered.
const MOST_NAMED: usize = 9;
/// Modes nearer to the middle than this share of the farthest are "centre".
const CENTRE: f64 = 0.3;
const DIRECTIONS: [&str; 8] = [
    "right",
    "upper right",
    "top",
    "upper left",
    "left",
    "lower left",
    "bottom",
    "lower right",
];

/// One name a mode, in the world's order.
pub fn mode_names(mixture: &Mixture) -> Vec<String> {
    let modes = mixture.modes();
    let numbered = || (1..=modes.len()).map(|k| format!("mode {k}")).collect();
    if modes.len() == 1 {
        return vec!["the one mode".to_owned()];
    }
    if modes.len() > MOST_NAMED {
        return numbered();
    }
    let middle = [0, 1].map(|axis| {
        let (min, max) = modes
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), m| {
                (a.min(m.mean[axis]), b.max(m.mean[axis]))
            });
        f64::midpoint(min, max)
    });
    let offsets: Vec<_> = modes
        .iter()
        .map(|m| [m.mean[0] - middle[0], m.mean[1] - middle[1]])
        .collect();
    let farthest = offsets.iter().map(|d| d[0].hypot(d[1])).fold(0.0, f64::max);
    let names: Vec<String> = offsets
        .iter()
        .map(|d| {
            if d[0].hypot(d[1]) <= CENTRE * farthest {
                return "centre".to_owned();
            }
            let eighth = (d[1].atan2(d[0]) / std::f64::consts::FRAC_PI_4).round();
            DIRECTIONS[(eighth as i64).rem_euclid(8) as usize].to_owned()
        })
        .collect();
    let unique = names
        .iter()
        .enumerate()
        .all(|(k, name)| !names[..k].contains(name));
    if unique { names } else { numbered() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;

    #[test]
    fn modes_are_named_by_place_where_that_is_clear() {
        let names = |preset: Preset| mode_names(&preset.mixture());
        assert_eq!(names(Preset::Two), ["left", "right"]);
        assert_eq!(
            names(Preset::Three),
            ["lower left", "centre", "upper right"]
        );
        assert_eq!(names(Preset::Ring8)[2], "top");
        assert_eq!(names(Preset::Grid25)[0], "mode 1");
    }
}
