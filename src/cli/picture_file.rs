//! Pictures that commands score, and how their scores are said.

use std::path::Path;

use crate::train::read_whole_picture;

/// A picture of any size as `[3][H][W]`, -1 black and 1 white, and its shape.
///
/// # Errors
/// With the path, when it is no picture.
pub fn picture(path: &Path) -> Result<(Vec<f32>, [usize; 3]), String> {
    let ([channels, height, width], bytes) = read_whole_picture(path)?;
    // A grey picture is the same in every colour.
    let colour = bytes.iter().cycle().take(3 * bytes.len() / channels);
    let values = colour.map(|v| f32::from(*v) / 127.5 - 1.0).collect();
    Ok((values, [3, height, width]))
}

/// Prints files with their scores, line by line with so many digits after the point, or as JSON.
///
/// # Errors
/// When they cannot be written as JSON.
pub fn print_scores(scores: &[(String, f32)], digits: usize, json: bool) -> Result<(), String> {
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
        say!("{score:10.digits$}  {file}");
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
