//! What the commands for maps of images share: opening one, naming classes, contact sheets.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use image::{ImageFormat, RgbImage};
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::place::Place;
use crate::checkpoint::{
    ClassifierCard, ImageCard, ModelKind, as_tuned, beginning_with_classes, model_kind,
    open_classifier, open_image_map, read_image_map_in, read_states, shipped_classifier,
};
use crate::model::{BurnImageMap, ImageJudge, ImageMap, Memory, Pass, Precision};
use crate::session::{probe, write_atomically};

/// Names of classes that a message lists.
const MOST_NAMES: usize = 20;

/// A map of images, ready to be asked.
pub(super) struct OpenMap {
    pub card: ImageCard,
    pub map: Arc<dyn ImageMap>,
    /// The type that its weights are kept in.
    pub precision: Precision,
}

impl OpenMap {
    /// Opens `path` for the processor, or for another device where that is asked for.
    pub fn open(path: &Path, device: Option<DeviceArg>) -> Result<Self, String> {
        let other = match model_kind(path).map_err(|e| e.to_string())? {
            ModelKind::World => Some("a model of a 2D world"),
            ModelKind::Classifier => Some("a classifier"),
            // What is wrong with another file is said where it is read.
            ModelKind::Images | ModelKind::Other => None,
        };
        if let Some(other) = other {
            return Err(format!(
                "{} is {other}: this command needs a map of images, which 'foresight train --images' makes",
                path.display()
            ));
        }
        if device.is_none_or(|device| device == DeviceArg::Cpu) {
            let (card, map) = open_image_map(path).map_err(|e| e.to_string())?;
            return Ok(Self {
                card,
                map,
                precision: Precision::F32,
            });
        }
        let place = Place::of(device)?;
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        let precision = place.keeps(bytes);
        let (card, net) =
            read_image_map_in(path, &place.device, precision).map_err(|e| e.to_string())?;
        if precision != Precision::F32 {
            eprintln!(
                "{}: weights kept in {precision} on {}",
                path.display(),
                place.hardware
            );
        }
        let map = as_tuned(&card, Arc::new(BurnImageMap::new(net, &place.device)));
        let name = path.display().to_string();
        let states = read_states(path).map_err(|e| e.to_string())?;
        let states = states.map(|states| states.classifier(&name)).transpose();
        let map = beginning_with_classes(map, states.map_err(|e| e.to_string())?.as_ref());
        Ok(Self {
            card,
            map,
            precision,
        })
    }

    /// About what so many states take, as many at once as the map is asked.
    pub fn memory(&self, pass: Pass, rows: usize) -> Memory {
        let at_once = rows.min(self.map.rows_at_once());
        let through = self.map.through(self.precision);
        self.card.model.memory(through, pass, at_once)
    }

    /// Channels, rows, columns.
    pub fn shape(&self) -> [usize; 3] {
        self.card.model.state()
    }

    /// The label that stands for no class.
    pub fn no_class(&self) -> u32 {
        self.card.model.label_dim as u32
    }

    /// The class of a number or a name; `none` for no class.
    pub fn class(&self, text: &str) -> Result<u32, String> {
        let classes = &self.card.classes;
        if text == "none" {
            return Ok(self.no_class());
        }
        let by_name = classes.iter().position(|name| name == text);
        let by_number = text.parse().ok().filter(|k| *k < classes.len());
        by_name.or(by_number).map(|k| k as u32).ok_or_else(|| {
            let shown = classes[..classes.len().min(MOST_NAMES)].join(", ");
            let more = match classes.len().saturating_sub(MOST_NAMES) {
                0 => String::new(),
                more => format!(", {more} more (by number from 0 on)"),
            };
            format!("'{text}' is no class of this model: it knows {shown}{more}, and none")
        })
    }

    /// What a label is called.
    pub fn class_name(&self, label: u32) -> &str {
        let name = self.card.classes.get(label as usize);
        name.map_or("none", String::as_str)
    }

    /// The strongest guidance that the model was trained with.
    pub fn strongest_guidance(&self) -> f32 {
        let scales = self.card.model.class_scales();
        scales.into_iter().fold(1.0, f32::max)
    }
}

/// The classifier of a file; without one the shipped one of pictures of `shape` and, where these are given, of these
/// `classes`. `None` where nothing judges them.
pub(super) fn judge_for(
    file: Option<&Path>,
    shape: [usize; 3],
    classes: Option<&[String]>,
) -> Result<Option<(ClassifierCard, ImageJudge)>, String> {
    let Some(file) = file else {
        let shipped = shipped_classifier(shape).map_err(|e| e.to_string())?;
        return Ok(shipped.filter(|(card, _)| classes.is_none_or(|of| card.classes == of)));
    };
    let (card, judge) = open_classifier(file).map_err(|e| e.to_string())?;
    if card.config.image == shape {
        return Ok(Some((card, judge)));
    }
    Err(format!(
        "{} judges images of {:?}, the model makes {shape:?}: give a classifier of the same images",
        file.display(),
        card.config.image
    ))
}

/// A bar with the share done and the time left.
pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// Moves a bar.
pub(super) fn advance(bar: &ProgressBar, share: f64) {
    bar.set_position((share * 1000.0) as u64);
}

/// Refuses an output that is no PNG in a folder that is there, so that a person need not wait for what cannot be kept.
pub(super) fn check_sheet(path: &Path) -> Result<(), String> {
    let name = path.display();
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if ending.as_deref() != Some("png") {
        return Err(format!(
            "{name}: a sheet is a PNG file: end the name in .png"
        ));
    }
    check_folder(path)
}

/// Refuses a file whose folder is not there or cannot be written to, before anything runs.
pub(super) fn check_folder(path: &Path) -> Result<(), String> {
    let name = path.display();
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(format!(
            "{name}: the folder {} does not exist. Create it first, or choose another place",
            folder.display()
        )),
        _ => probe(path).map_err(|e| {
            format!(
                "{name}: could not be written: {e}. Check free space and permissions of the folder"
            )
        }),
    }
}

/// Images in rows, small ones three times as large.
pub(super) struct Sheet {
    shape: [usize; 3],
    columns: usize,
    cells: Vec<Option<Vec<f32>>>,
}

impl Sheet {
    /// Pixels of a pixel of a small image.
    const SCALE: usize = 3;
    /// Images from this side on are as large as they are.
    const LARGE: usize = 128;
    /// Pixels between two images and around all.
    const GAP: usize = 4;
    /// Grey of the paper.
    const PAPER: u8 = 236;

    /// An empty sheet for images of `shape`.
    pub fn new(shape: [usize; 3], columns: usize) -> Self {
        Self {
            shape,
            columns: columns.max(1),
            cells: Vec::new(),
        }
    }

    /// Adds images, `[n][C H W]`, -1 black and 1 white.
    pub fn add(&mut self, images: &[f32]) {
        let numbers = self.shape.iter().product();
        self.cells
            .extend(images.chunks_exact(numbers).map(|i| Some(i.to_vec())));
    }

    /// Leaves places empty.
    pub fn leave(&mut self, places: usize) {
        let count = self.cells.len() + places;
        self.cells.resize_with(count, || None);
    }

    /// Leaves the rest of the row empty.
    pub fn end_row(&mut self) {
        let whole = self.cells.len().next_multiple_of(self.columns);
        self.cells.resize_with(whole, || None);
    }

    /// The sheet as pixels.
    fn pixels(&self) -> RgbImage {
        let [channels, height, width] = self.shape;
        let scale = if height < Self::LARGE { Self::SCALE } else { 1 };
        let rows = self.cells.len().div_ceil(self.columns).max(1);
        let step = |side: usize| side * scale + Self::GAP;
        let size = |count: usize, side: usize| (count * step(side) + Self::GAP) as u32;
        let mut sheet = RgbImage::from_pixel(
            size(self.columns, width),
            size(rows, height),
            image::Rgb([Self::PAPER; 3]),
        );
        for (k, cell) in self.cells.iter().enumerate() {
            let Some(image) = cell else { continue };
            let top = Self::GAP + (k / self.columns) * step(height);
            let left = Self::GAP + (k % self.columns) * step(width);
            for y in 0..height * scale {
                for x in 0..width * scale {
                    let at = (y / scale) * width + x / scale;
                    let byte = |channel: usize| {
                        let v = image[channel.min(channels - 1) * height * width + at];
                        ((v.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8
                    };
                    let pixel = image::Rgb([byte(0), byte(1), byte(2)]);
                    sheet.put_pixel((left + x) as u32, (top + y) as u32, pixel);
                }
            }
        }
        sheet
    }

    /// Writes the sheet as a PNG, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let mut png = Cursor::new(Vec::new());
        self.pixels()
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|e| e.to_string())?;
        write_atomically(path, |file| std::io::Write::write_all(file, png.get_ref()))
            .map_err(|e| format!("{}: {e}. Check free space and permissions", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_judges_the_pictures_and_classes_that_it_knows() {
        let digits: Vec<String> = (0..10).map(|k| k.to_string()).collect();
        let found = |shape, classes| judge_for(None, shape, classes).unwrap().is_some();
        assert!(found([1, 28, 28], Some(&digits)));
        assert!(found([1, 28, 28], None));
        assert!(!found([1, 28, 28], Some(&digits[..9])));
        assert!(!found([1, 30, 28], Some(&digits)));
        assert!(found([3, 32, 32], None));
        assert!(!found([3, 32, 32], Some(&digits)));
    }

    #[test]
    fn a_sheet_has_its_images_where_they_belong_and_paper_between() {
        let mut sheet = Sheet::new([1, 2, 2], 2);
        sheet.add(&[-1.0, 1.0, 0.0, 5.0]);
        sheet.end_row();
        sheet.add(&[1.0; 8]);
        let pixels = sheet.pixels();
        let side = (2 * (2 * Sheet::SCALE + Sheet::GAP) + Sheet::GAP) as u32;
        assert_eq!(pixels.dimensions(), (side, side));
        let at = |x: usize, y: usize| pixels.get_pixel(x as u32, y as u32).0;
        let gap = Sheet::GAP;
        assert_eq!(at(gap, gap), [0; 3]);
        assert_eq!(at(gap + Sheet::SCALE, gap), [255; 3]);
        assert_eq!(at(gap, gap + Sheet::SCALE), [128; 3]);
        assert_eq!(at(gap + Sheet::SCALE, gap + Sheet::SCALE), [255; 3]);
        assert_eq!(at(0, 0), [Sheet::PAPER; 3]);
        // The second place of the first row is empty.
        assert_eq!(at(2 * gap + 2 * Sheet::SCALE, gap), [Sheet::PAPER; 3]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.png");
        sheet.write(&path).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8(), pixels);
    }

    #[test]
    fn colours_stay_in_their_channels() {
        let mut sheet = Sheet::new([3, 1, 1], 1);
        sheet.add(&[1.0, -1.0, 0.0]);
        let gap = Sheet::GAP as u32;
        assert_eq!(sheet.pixels().get_pixel(gap, gap).0, [255, 0, 128]);
    }

    #[test]
    fn an_output_that_cannot_be_is_refused_before_anything_is_drawn() {
        assert!(
            check_sheet(Path::new("a.jpg"))
                .unwrap_err()
                .contains(".png")
        );
        let message = check_sheet(Path::new("/no/such/folder/a.png")).unwrap_err();
        assert!(message.contains("does not exist"), "{message}");
        check_sheet(Path::new("a.png")).unwrap();
    }
}
