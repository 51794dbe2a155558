//! Moving pictures: one GIF file, or numbered PNG files.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage};

use super::encode_png;
use crate::session::write_atomically;

/// Time that a frame of a GIF is shown.
const FRAME_MS: u32 = 60;
/// Speed of the choice of colours, 1 best to 30: grey pictures and few colours are exact at any.
const SPEED: i32 = 10;

/// How frames are written; the ending of the file's name decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    /// One file that moves.
    Gif,
    /// `name-0001.png`, `name-0002.png` and on.
    Png,
}

impl FrameFormat {
    /// The format that the name of `path` asks for.
    ///
    /// # Errors
    /// When the ending is neither `.gif` nor `.png`.
    pub fn from_path(path: &Path) -> Result<Self, String> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("gif") => Ok(Self::Gif),
            Some("png") => Ok(Self::Png),
            _ => Err(format!(
                "{}: frames are written as one .gif or as numbered .png files: end the name in one of these",
                path.display()
            )),
        }
    }
}

/// Writes frames one after the other: all of them, or none.
pub struct FrameWriter;

impl FrameWriter {
    /// Writes `count` frames that `next` makes of their number; `None` from it gives the work up, and nothing stays.
    /// Gives whether all were written. The same frames give the same bytes.
    ///
    /// # Errors
    /// With the path, when a frame cannot be made or written.
    pub fn write(
        path: &Path,
        count: u32,
        next: &mut dyn FnMut(u32) -> Result<Option<RgbImage>, String>,
    ) -> Result<bool, String> {
        match FrameFormat::from_path(path)? {
            FrameFormat::Gif => gif(path, count, next),
            FrameFormat::Png => pngs(path, count, next),
        }
    }

    /// The file of a frame of a sequence.
    pub fn numbered(path: &Path, frame: u32) -> PathBuf {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{stem}-{:04}.png", frame + 1))
    }
}

fn gif(
    path: &Path,
    count: u32,
    next: &mut dyn FnMut(u32) -> Result<Option<RgbImage>, String>,
) -> Result<bool, String> {
    let mut given_up = false;
    let mut trouble = None;
    let written = write_atomically(path, |file: &mut BufWriter<File>| {
        let mut encoder = GifEncoder::new_with_speed(file, SPEED);
        let other = |e: image::ImageError| std::io::Error::other(e);
        encoder.set_repeat(Repeat::Infinite).map_err(other)?;
        for frame in 0..count {
            match next(frame) {
                Ok(Some(picture)) => {
                    let delay = Delay::from_numer_denom_ms(FRAME_MS, 1);
                    let picture = DynamicImage::from(picture).into_rgba8();
                    let frame = Frame::from_parts(picture, 0, 0, delay);
                    encoder.encode_frame(frame).map_err(other)?;
                }
                Ok(None) => {
                    given_up = true;
                    return Err(std::io::Error::other("given up"));
                }
                Err(message) => {
                    trouble = Some(message);
                    return Err(std::io::Error::other("no frame"));
                }
            }
        }
        Ok(())
    });
    match (written, trouble) {
        (_, Some(message)) => Err(message),
        (Err(_), None) if given_up => Ok(false),
        (Err(e), None) => Err(could_not(path, &e)),
        (Ok(()), None) => Ok(true),
    }
}

fn pngs(
    path: &Path,
    count: u32,
    next: &mut dyn FnMut(u32) -> Result<Option<RgbImage>, String>,
) -> Result<bool, String> {
    let mut written = Vec::new();
    let mut all = || -> Result<bool, String> {
        for frame in 0..count {
            let Some(picture) = next(frame)? else {
                return Ok(false);
            };
            let bytes = encode_png(&picture.into(), None)?;
            let file = FrameWriter::numbered(path, frame);
            write_atomically(&file, |to| std::io::Write::write_all(to, &bytes))
                .map_err(|e| could_not(&file, &e))?;
            written.push(file);
        }
        Ok(true)
    };
    let result = all();
    if !matches!(result, Ok(true)) {
        for file in written {
            // Best effort: the cause of the failure is the message that counts.
            let _ = std::fs::remove_file(file);
        }
    }
    result
}

fn could_not(path: &Path, e: &std::io::Error) -> String {
    format!(
        "{}: could not be written: {e}. Check free space and permissions of the folder",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::AnimationDecoder as _;
    use image::codecs::gif::GifDecoder;

    fn frame(k: u32) -> RgbImage {
        RgbImage::from_fn(8, 6, |x, y| {
            image::Rgb([(x * 20 + k) as u8, (y * 30) as u8, 7])
        })
    }

    #[test]
    fn a_gif_holds_every_frame_and_is_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            let done = FrameWriter::write(&path, 5, &mut |k| Ok(Some(frame(k)))).unwrap();
            assert!(done);
            std::fs::read(path).unwrap()
        };
        let bytes = write("a.gif");
        assert_eq!(bytes, write("b.gif"));
        let decoder = GifDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 5);
        let third = image::DynamicImage::from(frames[2].buffer().clone()).into_rgb8();
        assert_eq!(third, frame(2), "48 colours are exact");
    }

    #[test]
    fn numbered_files_stand_side_by_side_and_none_stay_when_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scrub.png");
        assert_eq!(
            FrameWriter::write(&path, 3, &mut |k| Ok(Some(frame(k)))),
            Ok(true)
        );
        let second = image::open(folder.path().join("scrub-0002.png")).unwrap();
        assert_eq!(second.into_rgb8(), frame(1));
        let other = folder.path().join("other.png");
        let given_up = FrameWriter::write(&other, 3, &mut |k| Ok((k < 2).then(|| frame(k))));
        assert_eq!(given_up, Ok(false));
        let failed = FrameWriter::write(&folder.path().join("x.gif"), 3, &mut |k| {
            if k == 1 {
                Err("no map".into())
            } else {
                Ok(Some(frame(k)))
            }
        });
        assert_eq!(failed, Err("no map".into()));
        let stopped = FrameWriter::write(&folder.path().join("y.gif"), 3, &mut |_| Ok(None));
        assert_eq!(stopped, Ok(false));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        let message = FrameFormat::from_path(Path::new("a.mp4")).unwrap_err();
        assert!(message.contains(".gif"), "{message}");
    }
}
