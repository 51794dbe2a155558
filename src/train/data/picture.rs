//! One picture: decoded within limits, resized and cropped.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Limits, Pixel};

use super::{DataPlan, Part};

/// The largest picture file that is read.
pub const MOST_FILE: u64 = 64 << 20;
/// The longest side.
const MOST_SIDE: u32 = 16_384;
/// Pixels for each byte of a file at most, beside a million: deflate and blocks of one colour stay below.
const MOST_PIXELS_A_BYTE: u64 = 1_100;

/// Whether a file of this name is taken for a picture.
pub fn is_picture(name: &str) -> bool {
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    !name.starts_with('.') && matches!(end.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// The bytes `[channels][size][size]` of a PNG or JPEG file: the shorter side resized, the longer one cropped around its
/// middle. `channels`: 1 or 3.
///
/// # Errors
/// With the path and what is wrong. Sizes are checked before memory is taken for them.
pub fn read_picture(path: &Path, size: usize, channels: usize) -> Result<Vec<u8>, String> {
    let plan = DataPlan::new(size, channels, Part::Train);
    plan.check().map_err(|e| e.to_string())?;
    let decoded = decode(&file_bytes(path)?, &plan);
    decoded.map_err(|reason| refused(path, &reason))
}

/// A PNG or JPEG file at its own size: `[C, H, W]`, one channel where it has no colours, and its bytes in that order.
///
/// # Errors
/// As [`read_picture`].
pub fn read_whole_picture(path: &Path) -> Result<([usize; 3], Vec<u8>), String> {
    let bytes = file_bytes(path)?;
    let whole = || {
        let picture = decoded(&bytes)?;
        let (rows, columns) = (picture.height() as usize, picture.width() as usize);
        Ok(if picture.color().has_color() {
            ([3, rows, columns], planes(&picture.into_rgb8().into_raw()))
        } else {
            ([1, rows, columns], picture.into_luma8().into_raw())
        })
    };
    let read = catch_unwind(AssertUnwindSafe(whole));
    let read: Result<_, String> = read.unwrap_or_else(|_| Err("the decoder failed".into()));
    read.map_err(|reason| refused(path, &reason))
}

fn refused(path: &Path, reason: &str) -> String {
    format!("{}: {reason}. Choose a PNG or JPEG file", path.display())
}

/// What a picture file holds, within limits.
fn file_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let io = |e: std::io::Error| format!("{name}: {e}. Check that the file exists and can be read");
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(format!(
            "{name}: this is not a file. Choose a PNG or JPEG file"
        ));
    }
    if metadata.len() > MOST_FILE {
        return Err(format!(
            "{name}: a picture file of {} bytes is too large; {MOST_FILE} are the most",
            metadata.len()
        ));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The file may grow while it is read.
    file.take(MOST_FILE).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// The bytes `[channels][size][size]` of a PNG or JPEG file.
///
/// # Errors
/// What is wrong with the file.
pub fn decode(bytes: &[u8], plan: &DataPlan) -> Result<Vec<u8>, String> {
    // The decoders are sound Rust, but not ours: a panic in one of them is one bad picture.
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(bytes, plan)))
        .unwrap_or_else(|_| Err("the decoder failed".into()))
}

/// The pixels of a file, upright.
fn decoded(bytes: &[u8]) -> Result<DynamicImage, String> {
    let Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = image::guess_format(bytes) else {
        return Err("it is neither PNG nor JPEG".into());
    };
    let damaged =
        |e: image::ImageError| format!("it is damaged: {}", super::error::plain(&e.to_string()));
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(512 << 20);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > (1 << 20) + MOST_PIXELS_A_BYTE * bytes.len() as u64 {
        return Err(format!(
            "it claims {width} x {height} pixels in {} bytes",
            bytes.len()
        ));
    }
    if pixels == 0 {
        return Err("it has no pixels".into());
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn decode_unguarded(bytes: &[u8], plan: &DataPlan) -> Result<Vec<u8>, String> {
    let picture = decoded(bytes)?;
    let filter = FilterType::CatmullRom;
    Ok(if plan.channels == 1 {
        fit(picture.into_luma8(), plan.size, filter)
    } else {
        planes(&fit(picture.into_rgb8(), plan.size, filter))
    })
}

/// Pixel after pixel to channel after channel.
fn planes(pixels: &[u8]) -> Vec<u8> {
    (0..3)
        .flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied())
        .collect()
}

/// The shorter side resized to `size`, the longer one cropped around its middle. Pixel after pixel.
pub fn fit<P>(picture: ImageBuffer<P, Vec<u8>>, size: usize, filter: FilterType) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    let size = size as u32;
    let (width, height) = picture.dimensions();
    if (width, height) == (size, size) {
        return picture.into_raw();
    }
    // Crop first: what is cut off need not be resized. Sides are at least 1 and at most 16384.
    let side = width.min(height);
    let (x, y) = ((width - side) / 2, (height - side) / 2);
    let square = imageops::crop_imm(&picture, x, y, side, side);
    if side == size {
        return square.to_image().into_raw();
    }
    imageops::resize(&*square, size, size, filter).into_raw()
}
