//! A named mixture, and the files that hold one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::shortened;
use super::import::{DEFAULT_BANDWIDTH, PointCloud};
use super::{Mixture, MixtureError, Preset};

/// Largest RON file that is read.
const MAX_RON_BYTES: u64 = 4 << 20;

/// A mixture with a name: what a person opens, edits and saves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Short name, as on the command line.
    pub name: String,
    /// Name on screen.
    pub title: String,
    /// The clean-data distribution.
    pub mixture: Mixture,
}

impl World {
    /// A world that ships with the app.
    pub fn preset(preset: Preset) -> Self {
        Self {
            name: preset.name().to_owned(),
            title: preset.title().to_owned(),
            mixture: preset.mixture(),
        }
    }

    /// Reads a world from RON text.
    ///
    /// # Errors
    /// Text that is not RON, unknown fields, or a mixture that is not usable.
    pub fn from_ron(text: &str) -> Result<Self, MixtureError> {
        ron::from_str(text).map_err(|error| MixtureError::Ron(Box::new(error)))
    }

    /// The world as RON; [`World::from_ron`] gives back the same bits.
    pub fn to_ron(&self) -> String {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
            // The serialiser fails on maps with odd keys and on failing writers; a world has neither.
            .expect("a world of strings and numbers always serialises")
    }

    /// Reads a world file: RON, or a point cloud when the name ends in `.csv`.
    ///
    /// # Errors
    /// A file that cannot be read, is too large or holds no usable world; the message carries the path.
    pub fn load(path: &Path) -> Result<Self, MixtureError> {
        if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"))
        {
            return Self::from_csv(path, DEFAULT_BANDWIDTH);
        }
        read_text(path)
            .and_then(|text| Self::from_ron(&text))
            .map_err(|error| error.in_file(path))
    }

    /// A point cloud `x,y[,w]` as a mixture of round Gaussians of standard deviation `bandwidth`.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is not a point, too many points, or an unusable bandwidth.
    pub fn from_csv(path: &Path, bandwidth: f64) -> Result<Self, MixtureError> {
        let mixture = PointCloud::load(path)?
            .mixture(bandwidth)
            .map_err(|error| error.in_file(path))?;
        let name = path
            .file_stem()
            .map_or_else(|| "points".into(), |stem| stem.to_string_lossy())
            .into_owned();
        Ok(Self {
            title: name.clone(),
            name,
            mixture,
        })
    }

    /// A preset by name, or else a file by path.
    ///
    /// # Errors
    /// Neither a preset nor a file, or a file that [`World::load`] refuses.
    pub fn resolve(name_or_path: &str) -> Result<Self, MixtureError> {
        if let Some(preset) = Preset::from_name(name_or_path) {
            return Ok(Self::preset(preset));
        }
        let path = Path::new(name_or_path);
        let looks_like_a_file = path.extension().is_some() || path.components().count() > 1;
        if path.exists() || looks_like_a_file {
            return Self::load(path);
        }
        Err(MixtureError::UnknownWorld {
            given: shortened(name_or_path, 200),
            presets: Preset::names(),
        })
    }

    /// Twelve hexadecimal digits of the SHA-256 of the distribution's numbers; names do not count.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for mode in self.mixture.modes() {
            let (mean, cov) = (mode.mean, mode.cov);
            for value in [mode.weight, mean[0], mean[1], cov.xx, cov.xy, cov.yy] {
                // Adding 0 turns -0 into 0.
                hash.update((value + 0.0).to_le_bytes());
            }
        }
        let digest = hash.finalize();
        let first = u64::from_be_bytes(std::array::from_fn(|i| digest[i]));
        format!("{:012x}", first >> 16)
    }
}

/// Opens a regular file of at most `limit` bytes; what is read from it is bounded as well, should it grow meanwhile.
pub(super) fn open_bounded(path: &Path, limit: u64) -> Result<impl Read + use<>, MixtureError> {
    // Asked before opening: opening a pipe without a writer would wait for ever.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(MixtureError::NotAFile);
    }
    let bytes = metadata.len();
    if bytes > limit {
        return Err(MixtureError::TooLarge { bytes, limit });
    }
    Ok(File::open(path)?.take(limit))
}

fn read_text(path: &Path) -> Result<String, MixtureError> {
    let mut text = String::new();
    open_bounded(path, MAX_RON_BYTES)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        World::from_ron(text).unwrap_err().to_string()
    }

    #[test]
    fn a_saved_world_reads_back_as_the_same_bits() {
        for preset in Preset::ALL {
            let world = World::preset(preset);
            let back = World::from_ron(&world.to_ron()).unwrap();
            assert_eq!(back, world);
            assert_eq!(back.fingerprint(), world.fingerprint());
        }
    }

    #[test]
    fn fingerprints_see_numbers_and_not_names() {
        let mut world = World::preset(Preset::Two);
        let before = world.fingerprint();
        world.title = "Another name".into();
        assert_eq!(world.fingerprint(), before);
        world.mixture = world.mixture.with_mode_moved(0, [-2.0, 1e-9]).unwrap();
        assert_ne!(world.fingerprint(), before);
        assert_eq!(before.len(), 12);
    }

    #[test]
    fn unknown_fields_are_refused_at_every_level() {
        let text = World::preset(Preset::Two).to_ron();
        assert!(message(&text.replacen("name:", "colour: 3, name:", 1)).contains("colour"));
        assert!(message(&text.replacen("modes:", "colour: 3, modes:", 1)).contains("colour"));
        assert!(message(&text.replacen("weight:", "colour: 3, weight:", 1)).contains("colour"));
        assert!(message(&text.replacen("xx:", "colour: 3, xx:", 1)).contains("colour"));
    }

    #[test]
    fn a_world_with_a_bad_mode_is_refused_by_number_and_reason() {
        let text = World::preset(Preset::Two).to_ron();
        assert!(message(&text.replacen("xx: 0.25", "xx: 0.0", 1)).contains("mode 1"));
        assert!(message(&text.replacen("weight: 0.3", "weight: -0.3", 1)).contains("mode 2"));
        assert!(message(&text.replacen("weight: 0.3", "weight: NaN", 1)).contains("weight"));
        assert!(message(&text.replacen("weight: 0.3", "weight: inf", 1)).contains("weight"));
        for broken in [
            "",
            "(",
            "\u{0}",
            &"(".repeat(100_000),
            "(name:\"a\",title:\"b\",mixture:(modes:[]))",
        ] {
            assert!(World::from_ron(broken).is_err());
        }
    }

    #[test]
    fn ten_thousand_mutated_world_files_are_read_or_refused_but_never_panic() {
        let good = World::preset(Preset::Ring8).to_ron().into_bytes();
        let mut accepted = 0;
        for case in 0..10_000 {
            let mutated = crate::mixture::reference::mutated(&good, case);
            let Ok(world) = World::from_ron(&String::from_utf8_lossy(&mutated)) else {
                continue;
            };
            // Whatever is accepted can be computed with.
            accepted += 1;
            let mixture = world.mixture;
            assert!((mixture.weights().iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for t in [0.0, 0.5, 1.0] {
                let b = mixture.velocity(t, [0.3, -0.2]);
                assert!(
                    b.iter().all(|v| v.is_finite()),
                    "{b:?} at {t} in {mixture:?}"
                );
            }
        }
        assert!(
            accepted > 100,
            "mutations must not all be refused outright: {accepted}"
        );
    }

    #[test]
    fn a_bad_file_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.ron");
        std::fs::write(&path, "(name: 3)").unwrap();
        assert!(
            World::load(&path)
                .unwrap_err()
                .to_string()
                .contains("odd.ron")
        );
        std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        assert!(
            World::load(&path)
                .unwrap_err()
                .to_string()
                .contains("odd.ron")
        );
        File::create(&path)
            .unwrap()
            .set_len(MAX_RON_BYTES + 1)
            .unwrap();
        let large = World::load(&path).unwrap_err().to_string();
        assert!(
            large.contains("4194305 bytes") && large.contains("odd.ron"),
            "{large}"
        );
        assert!(
            World::load(folder.path())
                .unwrap_err()
                .to_string()
                .contains("regular file")
        );
        assert!(
            World::load(&folder.path().join("gone.ron"))
                .unwrap_err()
                .to_string()
                .contains("gone.ron")
        );
    }

    #[test]
    fn names_and_paths_both_lead_to_worlds() {
        assert_eq!(
            World::resolve("ring8").unwrap(),
            World::preset(Preset::Ring8)
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.ron");
        std::fs::write(&path, World::preset(Preset::Moons).to_ron()).unwrap();
        assert_eq!(
            World::resolve(path.to_str().unwrap()).unwrap(),
            World::preset(Preset::Moons)
        );
        let unknown = World::resolve("rnig8").unwrap_err().to_string();
        assert!(
            unknown.contains("rnig8") && unknown.contains("ring8"),
            "{unknown}"
        );
    }
}
