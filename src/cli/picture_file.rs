//! Pictures that commands score, and how their scores are said.

use std::path::Path;

use image::{ImageReader, Limits};

/// The longest side of a picture, and the memory that its decoder may take.
const MAX_SIDE: u32 = 8_192;
const MAX_PICTURE_BYTES: u64 = 512 << 20;

/// A picture of any size as `[3][H][W]`, -1 black and 1 white, and its shape.
///
/// # Errors
/// With the path, when it is no picture.
pub fn picture(path: &Path) -> Result<(Vec<f32>, [usize; 3]), String> {
    let wrong = |reason: String| format!("{}: {reason}. Choose a PNG or JPEG file", path.display());
    let mut reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|e| wrong(e.to_string()))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PICTURE_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| wrong(e.to_string()))?.to_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let bytes = picture.as_raw();
    let values: Vec<f32> = (0..3)
        .flat_map(|channel| bytes.iter().skip(channel).step_by(3))
        .map(|byte| f32::from(*byte) / 127.5 - 1.0)
        .collect();
    Ok((values, [3, height, width]))
}

/// Prints files with their scores, line by line or as JSON.
///
/// # Errors
/// When they cannot be written as JSON.
pub fn print_scores(scores: &[(String, f32)], json: bool) -> Result<(), String> {
    if json {
        let said: Vec<_> = scores
            .iter()
            .map(|(file, score)| serde_json::json!({ "file": file, "score": score }))
            .collect();
        let json = serde_json::to_string_pretty(&said).map_err(|e| e.to_string())?;
        say!("{json}");
        return Ok(());
    }
    for (file, score) in scores {
        say!("{score:8.5}  {file}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_size_and_its_channels_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        let colours = image::RgbImage::from_fn(3, 2, |x, _| image::Rgb([255, 0, x as u8 * 51]));
        colours.save(&path).unwrap();
        let (values, shape) = picture(&path).unwrap();
        assert_eq!(shape, [3, 2, 3]);
        assert!(values[..6].iter().all(|v| *v == 1.0));
        assert!(values[6..12].iter().all(|v| *v == -1.0));
        assert!((values[13] + 0.6).abs() < 1e-6 && (values[14] + 0.2).abs() < 1e-6);
        let missing = folder.path().join("none.png");
        assert!(picture(&missing).is_err());
    }
}
