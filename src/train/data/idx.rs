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

/// Reads a pair of files and brings the pictures to the plan's size.
pub fn read(images: &Path, labels: &Path, plan: &DataPlan) -> Result<ImageSet, DataError> {
    let most_items = plan.most_bytes / plan.item();
    let most_images = plan.most_images.min(most_items);
    let set = read_pair(images, labels, most_images, plan.most_bytes)?;
    let [_, height, width] = set.shape;
    if (height, width, plan.channels) == (plan.size, plan.size, 1) {
        return Ok(set);
    }
    let mut pixels = Vec::with_capacity(set.len() * plan.item());
    for i in 0..set.len() {
        // The buffer has the size that is said, so there is one.
        let grey = GrayImage::from_raw(width as u32, height as u32, set.image(i).to_vec());
        let filter = imageops::FilterType::Triangle;
        let fitted = picture::fit(grey.unwrap_or_default(), plan.size, filter);
        for _ in 0..plan.channels {
            pixels.extend_from_slice(&fitted);
        }
    }
    Ok(ImageSet {
        shape: [plan.channels, plan.size, plan.size],
        pixels,
        ..set
    })
}

/// Reads a pair of files of at most so many pictures and bytes.
pub fn read_pair(
    images: &Path,
    labels: &Path,
    most_images: usize,
    most_bytes: usize,
) -> Result<ImageSet, DataError> {
    let (image_file, [count, height, width]) = open::<3>(images)?;
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
    // The file holds as much, so that the product is a size.
    let bytes = count * height * width;
    for (found, most, what) in [
        (count, most_images, "pictures"),
        (bytes, most_bytes, "bytes of pixels"),
    ] {
        if found > most {
            let path = images.display().to_string();
            return Err(DataError::TooMuch { path, what, most });
        }
    }
    let read = |file: &mut dyn Read, path: &Path, bytes: usize| {
        let mut data = vec![0; bytes];
        let read = file.read_exact(&mut data);
        read.map(|()| data).map_err(|e| DataError::io(path, e))
    };
    let pixels = read(&mut { image_file }, images, bytes)?;
    let labels = read(&mut { label_file }, labels, count)?;
    let most = labels.iter().max().copied().unwrap_or(0);
    Ok(ImageSet {
        shape: [1, height, width],
        pixels,
        labels: labels.into_iter().map(u16::from).collect(),
        classes: (0..=most).map(|label| label.to_string()).collect(),
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
