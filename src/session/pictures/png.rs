//! PNG files: pixels through the `image` crate, and one text chunk by hand, which that crate does not write.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{DynamicImage, GrayImage, ImageEncoder as _, Luma, Rgb, RgbImage};

use crate::session::StoredPicture;

/// What every PNG file begins with.
const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
/// After the signature and the header's chunk.
const AFTER_HEADER: usize = 8 + 12 + 13;
/// What our text is called in the file.
const KEYWORD: &[u8] = b"foresight";
/// The longest text that is read or written: a recipe with the largest state and a few pictures in it.
const MAX_TEXT: usize = 4 << 20;

/// A picture with every pixel `scale` times as wide and high, grey or in colours as it is.
pub fn enlarged(picture: &StoredPicture, scale: u32) -> DynamicImage {
    let (side, scale) = (picture.side as usize, scale.max(1));
    let bytes = picture.bytes();
    let area = side * side;
    let value = |channel: usize, x: u32, y: u32| {
        let at = (y / scale) as usize * side + (x / scale) as usize;
        bytes.get(channel * area + at).copied().unwrap_or(0)
    };
    let wide = picture.side * scale;
    if picture.channels == 1 {
        GrayImage::from_fn(wide, wide, |x, y| Luma([value(0, x, y)])).into()
    } else {
        RgbImage::from_fn(wide, wide, |x, y| {
            Rgb([value(0, x, y), value(1, x, y), value(2, x, y)])
        })
        .into()
    }
}

/// Columns of a grid of `count` cells that is about as wide as high.
pub fn grid_of(count: usize) -> usize {
    ((count as f64).sqrt().ceil() as usize).max(1)
}

/// A PNG file with `text` in a chunk of its own. The same picture gives the same bytes.
///
/// # Errors
/// When the text is too long, or the picture cannot be encoded.
pub fn encode_png(picture: &DynamicImage, text: Option<&str>) -> Result<Vec<u8>, String> {
    let mut file = Cursor::new(Vec::new());
    let encoder = PngEncoder::new(&mut file);
    let (width, height) = (picture.width(), picture.height());
    encoder
        .write_image(picture.as_bytes(), width, height, picture.color().into())
        .map_err(|e| e.to_string())?;
    let mut file = file.into_inner();
    if let Some(text) = text {
        if text.len() > MAX_TEXT {
            return Err(format!("the settings take {} bytes", text.len()));
        }
        // Not compressed, no language, no translated keyword.
        let mut data = KEYWORD.to_vec();
        data.extend([0; 5]);
        data.extend(text.as_bytes());
        let chunk = chunk(*b"iTXt", &data);
        file.splice(AFTER_HEADER..AFTER_HEADER, chunk);
    }
    Ok(file)
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend(kind);
    chunk.extend(data);
    let sum = crc32(&chunk[4..]);
    chunk.extend(sum.to_be_bytes());
    chunk
}

/// Our text in a PNG file; `None` where there is none. Pixels are not looked at.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn text_of(file: &[u8]) -> Result<Option<String>, String> {
    let Some(mut rest) = file.strip_prefix(SIGNATURE) else {
        return Ok(None);
    };
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = &head[4..];
        let Some((data, after)) = body.split_at_checked(length) else {
            return Err(format!(
                "it is damaged: a chunk of {length} bytes is longer than the file"
            ));
        };
        let Some((sum, after)) = after.split_first_chunk::<4>() else {
            return Err("it is damaged: it ends within a chunk".to_owned());
        };
        if let (true, Some(text)) = (
            matches!(kind, b"iTXt" | b"tEXt" | b"zTXt"),
            data.strip_prefix(KEYWORD)
                .and_then(|data| data.strip_prefix(&[0])),
        ) {
            if length > MAX_TEXT + 64 {
                return Err(format!(
                    "its settings take {length} bytes; {MAX_TEXT} are the most"
                ));
            }
            if crc32(&file_part(kind, data)) != u32::from_be_bytes(*sum) {
                return Err("it is damaged: the checksum of its settings is wrong".to_owned());
            }
            let text = match kind {
                b"iTXt" => text.strip_prefix(&[0; 4]),
                b"tEXt" => Some(text),
                _ => None,
            };
            let text = text.ok_or("its settings are compressed, which Foresight does not write")?;
            let text = std::str::from_utf8(text).map_err(|_| "its settings are no text")?;
            return Ok(Some(text.to_owned()));
        }
        if kind == b"IEND" {
            break;
        }
        rest = after;
    }
    Ok(None)
}

fn file_part(kind: &[u8], data: &[u8]) -> Vec<u8> {
    [kind, data].concat()
}

/// The checksum of PNG's chunks.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> DynamicImage {
        let stored = StoredPicture::from_bytes(3, 2, &(0..12).collect::<Vec<u8>>()).unwrap();
        enlarged(&stored, 2)
    }

    #[test]
    fn text_comes_back_and_the_pixels_stay() {
        let file = encode_png(&picture(), Some("t: 0.5, \u{2212}")).unwrap();
        assert_eq!(text_of(&file).unwrap().unwrap(), "t: 0.5, \u{2212}");
        let back = image::load_from_memory(&file).unwrap();
        assert_eq!(back, picture());
        assert_eq!(back.to_rgb8().get_pixel(2, 0).0, [1, 5, 9]);
        let plain = encode_png(&picture(), None).unwrap();
        assert_eq!(text_of(&plain).unwrap(), None);
    }

    #[test]
    fn a_chunk_that_lies_about_its_length_or_sum_is_named() {
        let file = encode_png(&picture(), Some("text")).unwrap();
        let damaged = |at: usize, byte: u8| {
            let mut file = file.clone();
            file[at] = byte;
            text_of(&file).unwrap_err()
        };
        assert!(damaged(AFTER_HEADER, 0xff).contains("longer than the file"));
        let letter = file.windows(4).position(|w| w == b"text").unwrap();
        assert!(damaged(letter, b'T').contains("checksum"));
        for length in [20, 40, 60] {
            // Cut anywhere: a message or nothing, never a panic.
            let _ = text_of(&file[..length]);
        }
        let mut compressed = file[..AFTER_HEADER].to_vec();
        let data = [KEYWORD, &[0, 0, 1, 2, 3]].concat();
        compressed.extend(chunk(*b"zTXt", &data));
        assert!(text_of(&compressed).unwrap_err().contains("compressed"));
        let mut foreign = file[..AFTER_HEADER].to_vec();
        foreign.extend(chunk(*b"tEXt", &[KEYWORD, &[0, 0xff, 0xfe]].concat()));
        assert!(text_of(&foreign).unwrap_err().contains("no text"));
        let mut huge = file[..AFTER_HEADER].to_vec();
        let data = [KEYWORD, &[0], &vec![b'x'; MAX_TEXT + 100][..]].concat();
        huge.extend(chunk(*b"tEXt", &data));
        assert!(text_of(&huge).unwrap_err().contains("are the most"));
        assert!(encode_png(&picture(), Some(&"x".repeat(MAX_TEXT + 1))).is_err());
        assert_eq!(text_of(b"GIF89a").unwrap(), None);
    }
}
