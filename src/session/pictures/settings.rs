//! What an exported picture says of itself: a text chunk of its PNG file, and reading it back from anybody's file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::png;
use crate::mixture::shortened;
use crate::session::images::Images;
use crate::session::{CheckpointRef, KeptPicture, Made};

/// The largest picture file that is looked into, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// How a picture was made, as its file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSettings {
    /// Version of this format; 1.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// What the classifier said, if it was asked.
    #[serde(default)]
    pub label: Option<String>,
    /// What makes it again.
    pub made: Made,
}

impl PictureSettings {
    /// Of a picture that can be made again. A map of pictures is named without its folder: that is nobody else's business.
    pub fn of(kept: &KeptPicture) -> Option<Self> {
        let mut made = kept.made.clone()?;
        if let CheckpointRef::File(path) = made.checkpoint_mut() {
            *path = path.file_name().map(Into::into).unwrap_or_default();
        }
        Some(Self {
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            label: kept.label.clone(),
            made,
        })
    }

    /// As RON text.
    pub fn to_ron(&self) -> String {
        // Plain data with string keys: `ron` has no way to fail on it.
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default()).unwrap_or_default()
    }

    /// Reads the text of a chunk.
    fn from_ron(text: &str) -> Result<Self, String> {
        let settings: Self = ron::from_str(text).map_err(|e| {
            let reason = shortened(&e.to_string(), 300);
            format!("its settings are not what Foresight writes: {reason}")
        })?;
        if settings.format != 1 {
            return Err(format!(
                "its settings have format {}, but this version reads format 1. Use a newer Foresight",
                settings.format
            ));
        }
        let label = settings.label.as_ref().map_or(0, String::len);
        if settings.version.len() > 40 || label > Images::MAX_TEXT {
            return Err("its settings have a text that is too long".to_owned());
        }
        match settings.made.fault() {
            Some(expected) => Err(format!("its settings cannot be: {expected}")),
            None => Ok(settings),
        }
    }
}

/// The settings in a PNG file; `None` where there are none, as in other programs' files.
///
/// # Errors
/// With the path, and what is wrong with the file or the text in it.
pub fn read_settings(path: &Path) -> Result<Option<PictureSettings>, String> {
    let name = path.display();
    let io = |e: std::io::Error| format!("{name}: {e}. Check that the file exists and can be read");
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(format!("{name}: this is not a file"));
    }
    if metadata.len() > MAX_FILE {
        return Err(format!(
            "{name}: a picture file of {} bytes is too large; {MAX_FILE} are the most",
            metadata.len()
        ));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The file may grow while it is read.
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
    png::text_of(&bytes)
        .and_then(|text| {
            text.map(|text| PictureSettings::from_ron(&text))
                .transpose()
        })
        .map_err(|reason| format!("{name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{DrawRecipe, StoredPicture, encode_png, enlarged};

    fn kept() -> KeptPicture {
        let images = Images {
            checkpoint: CheckpointRef::File("/home/somebody/maps/digits.safetensors".into()),
            seed: u64::MAX,
            ..Images::default()
        };
        KeptPicture {
            picture: StoredPicture::from_bytes(1, 2, &[0, 80, 160, 255]).unwrap(),
            label: Some("9".into()),
            t: images.t,
            seed: images.seed,
            item: 5,
            starred: true,
            made: Some(Made::Draw(Box::new(DrawRecipe::of(
                &images,
                "ab12".into(),
                5,
            )))),
            reward: None,
            by_batch: false,
        }
    }

    fn file_with(text: Option<&str>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        let picture = enlarged(&kept().picture, 3);
        std::fs::write(&path, encode_png(&picture, text).unwrap()).unwrap();
        (folder, path)
    }

    #[test]
    fn settings_come_back_and_the_folder_of_the_map_stays_at_home() {
        let settings = PictureSettings::of(&kept()).unwrap();
        let text = settings.to_ron();
        assert!(!text.contains("somebody"), "{text}");
        let (_folder, path) = file_with(Some(&text));
        assert_eq!(read_settings(&path).unwrap(), Some(settings));
        // The picture itself is an ordinary PNG.
        let picture = image::open(&path).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (6, 6));
        assert_eq!(picture.get_pixel(3, 0).0, [80]);
    }

    #[test]
    fn a_picture_without_settings_says_nothing_of_its_making() {
        let (_folder, path) = file_with(None);
        assert_eq!(read_settings(&path).unwrap(), None);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(4).any(|w| w == b"iTXt" || w == b"tEXt"));
    }

    #[test]
    fn hostile_settings_end_in_a_message() {
        let sound = PictureSettings::of(&kept()).unwrap().to_ron();
        let deep = format!("(format: 1, version: {}", "(".repeat(200_000));
        let wide = format!(
            "(format: 1, version: \"{}\", made: Draw(()))",
            "x".repeat(900_000)
        );
        for (text, word) in [
            (sound.replace("t: 0.3", "t: 7.0"), "a time lies in [0, 1]"),
            (sound.replace("item: 5", "item: 4000000000"), "1,024"),
            (sound.replace("format: 1", "format: 2"), "format 2"),
            (
                sound.replace("Generated", "Ordered"),
                "not what Foresight writes",
            ),
            (
                sound.replace(
                    "Generated(\n",
                    "Stored(picture: (channels: 3, side: 4000000000, pixels: \"\"), from: \"\",\n",
                ),
                "p.png",
            ),
            (deep, "not what Foresight writes"),
            (wide, "not what Foresight writes"),
            ("rm -rf".to_owned(), "not what Foresight writes"),
            (String::new(), "not what Foresight writes"),
        ] {
            let (_folder, path) = file_with(Some(&text));
            let message = read_settings(&path).unwrap_err();
            assert!(message.contains(word), "{message}");
            assert!(message.contains("p.png"), "{message}");
            assert!(message.len() < 1_000, "{}", message.len());
        }
    }
}
