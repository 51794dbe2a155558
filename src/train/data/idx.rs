//! MNIST's files: a magic number, the sizes, the bytes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::{GrayImage, imageops};

use super::{DataError, DataPlan, ImageSet, Part, picture};

/// The files of a part in this folder, images and labels, under any of the names they go by.
pub fn find(folder: &Path, part: Part) -> Option<(PathBuf, PathBuf)> {
    let start = match part {
        Part::Train => "train",
        Part::Test => "t10k",
    };
    ["-", "."].into_iter().find_map(|mark| {
        let images = folder.join(format!("{start}-images{mark}idx3-ubyte"));
        let labels = folder.join(format!("{start}-labels{mark}idx1-ubyte"));
        (images.is_file() && labels.is_file()).then_some((images, labels))
    })
}

/// Reads a pair of files.
pub fn read(images: &Path, labels: &Path, plan: &DataPlan) -> Result<ImageSet, DataError> {
    let (mut image_file, sizes) = open::<3>(images)?;
    let [count, height, width] = sizes;
    let (label_file, [label_count]) = open::<1>(labels)?;
    let fault = |path: &Path, reason: String| DataError::Idx {
        path: path.display().to_string(),
        reason,
    };
    if count == 0 || label_count != count {
        let reason = format!("{label_count} labels for {count} pictures");
        return Err(fault(labels, reason));
    }
    if height == 0 || width == 0 || height > 1024 || width > 1024 {
        let reason = format!("pictures of {width} x {height}; 1 to 1024 are possible");
        return Err(fault(images, reason));
    }
    let too_much = |what, most| DataError::TooMuch {
        path: images.display().to_string(),
        what,
        most,
    };
    if count > plan.most_images {
        return Err(too_much("pictures", plan.most_images));
    }
    if count.saturating_mul(plan.item()) > plan.most_bytes {
        return Err(too_much("bytes of pixels", plan.most_bytes));
    }
    let mut bytes = Vec::with_capacity(count);
    let read = label_file.take(count as u64).read_to_end(&mut bytes);
    read.map_err(|e| DataError::io(labels, e))?;
    if bytes.len() != count {
        return Err(fault(labels, "the file was cut while it was read".into()));
    }
    let most = bytes.iter().max().copied().unwrap_or(0);
    let mut pixels = Vec::with_capacity(count * plan.item());
    let mut raw = vec![0; height * width];
    for _ in 0..count {
        image_file
            .read_exact(&mut raw)
            .map_err(|e| DataError::io(images, e))?;
        if (height, width) == (plan.size, plan.size) && plan.channels == 1 {
            pixels.extend_from_slice(&raw);
            continue;
        }
        // The buffer has the size that is said, so there is one.
        let grey = GrayImage::from_raw(width as u32, height as u32, raw.clone());
        let fitted = picture::fit(
            grey.unwrap_or_default(),
            plan.size,
            imageops::FilterType::Triangle,
        );
        for _ in 0..plan.channels {
            pixels.extend_from_slice(&fitted);
        }
    }
    Ok(ImageSet {
        size: plan.size,
        channels: plan.channels,
        classes: (0..=most).map(|label| label.to_string()).collect(),
        labels: bytes.into_iter().map(u16::from).collect(),
        pixels,
        skipped: 0,
    })
}

/// Opens a file of bytes with `N` sizes, which must be just as long as they say; it stands at the first byte.
fn open<const N: usize>(path: &Path) -> Result<(impl Read, [usize; N]), DataError> {
    let io = |e| DataError::io(path, e);
    let fault = |reason: String| DataError::Idx {
        path: path.display().to_string(),
        reason,
    };
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut file = std::io::BufReader::new(file);
    let start = 4 * (N as u64 + 1);
    if bytes < start {
        return Err(fault(format!(
            "{bytes} bytes are too few for a header of {start}"
        )));
    }
    let mut word = || {
        let mut word = [0; 4];
        file.read_exact(&mut word).map(|()| word)
    };
    let magic = word().map_err(io)?;
    if magic != [0, 0, 8, N as u8] {
        let gzip = if magic.starts_with(&[0x1f, 0x8b]) {
            " It is packed with gzip: unpack it"
        } else {
            ""
        };
        let reason = format!("it starts with {magic:02x?} instead of [00, 00, 08, {N:02x}].{gzip}");
        return Err(fault(reason));
    }
    let mut sizes = [0; N];
    for size in &mut sizes {
        *size = u32::from_be_bytes(word().map_err(io)?);
    }
    let product = sizes
        .iter()
        .try_fold(1_u64, |product, size| product.checked_mul((*size).into()));
    if product != Some(bytes - start) {
        let reason = format!(
            "{sizes:?} bytes are announced, but {} follow",
            bytes - start
        );
        return Err(fault(reason));
    }
    // Their product is at most the file's size, or one of them is zero.
    Ok((file, sizes.map(|size| size as usize)))
}
