//! Pictures on their way into a set: read one after the other, decoded side by side, sorted by name at the end.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::error::plain;
use super::{DataError, DataPlan, ImageSet, MOST_CLASSES, Opened, Part, Watch, picture};

/// Encoded bytes that are held before they are decoded together.
const BATCH_BYTES: usize = 16 << 20;
/// Files that are held before they are decoded together.
const BATCH_FILES: usize = 1024;

/// What a name within a data set stands for.
pub enum Entry {
    /// A picture of the part that is read, with its class.
    Picture(String),
    /// A picture of another part, or no picture.
    Other,
}

/// A data set that grows.
pub struct Gather<'a> {
    path: String,
    plan: &'a DataPlan,
    watch: Watch<'a>,
    waiting: Vec<(String, String, Vec<u8>)>,
    waiting_bytes: usize,
    /// Class and name of each picture, in the order of `pixels`.
    names: Vec<(String, String)>,
    classes: BTreeSet<String>,
    pixels: Vec<u8>,
    skipped: usize,
}

impl<'a> Gather<'a> {
    pub fn new(path: String, plan: &'a DataPlan, watch: Watch<'a>) -> Self {
        Self {
            path,
            plan,
            watch,
            waiting: Vec::new(),
            waiting_bytes: 0,
            names: Vec::new(),
            classes: BTreeSet::new(),
            pixels: Vec::new(),
            skipped: 0,
        }
    }

    /// What `name`, with `/` between folders, stands for. The last folder is the class; a folder above it may say
    /// which part it is.
    pub fn classify(&mut self, name: &str) -> Result<Entry, DataError> {
        let mut parts: Vec<&str> = name
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if parts.contains(&"..") || name.starts_with('/') || name.contains('\\') {
            return Err(DataError::Traversal {
                path: self.path.clone(),
                entry: plain(name),
            });
        }
        let file = parts.pop().unwrap_or_default();
        let class = parts.pop();
        let part = parts
            .iter()
            .find_map(|part| Part::of_folder(part))
            .unwrap_or(Part::Train);
        match class {
            // macOS leaves folders of this name in archives.
            Some(class)
                if picture::is_picture(file)
                    && part == self.plan.part
                    && !parts.contains(&"__MACOSX")
                    && class.len() <= 255 =>
            {
                Ok(Entry::Picture(class.to_owned()))
            }
            _ => {
                self.skipped += 1;
                Ok(Entry::Other)
            }
        }
    }

    /// Counts a thing that is no picture.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Refuses a file by its size, before it is read.
    pub fn check_size(&self, name: &str, bytes: u64) -> Result<(), DataError> {
        if bytes <= picture::MOST_FILE {
            return Ok(());
        }
        Err(DataError::Picture {
            path: self.path.clone(),
            entry: plain(name),
            reason: format!("it has {bytes} bytes; {} are the most", picture::MOST_FILE),
        })
    }

    /// Takes a picture in.
    pub fn add(&mut self, class: String, name: String, bytes: Vec<u8>) -> Result<(), DataError> {
        let count = self.names.len() + self.waiting.len() + 1;
        if count > self.plan.most_images {
            return Err(self.too_much("pictures", self.plan.most_images));
        }
        if count * self.plan.item() > self.plan.most_bytes {
            return Err(self.too_much("bytes of pixels", self.plan.most_bytes));
        }
        if !self.classes.contains(&class) {
            if self.classes.len() == MOST_CLASSES {
                return Err(self.too_much("classes", MOST_CLASSES));
            }
            self.classes.insert(class.clone());
        }
        self.waiting_bytes += bytes.len();
        self.waiting.push((class, name, bytes));
        if self.waiting.len() == BATCH_FILES || self.waiting_bytes > BATCH_BYTES {
            self.decode()?;
        }
        Ok(())
    }

    fn too_much(&self, what: &'static str, most: usize) -> DataError {
        DataError::TooMuch {
            path: self.path.clone(),
            what,
            most,
        }
    }

    fn decode(&mut self) -> Result<(), DataError> {
        self.waiting_bytes = 0;
        let decoded: Vec<_> = std::mem::take(&mut self.waiting)
            .into_par_iter()
            .map(|(class, name, bytes)| {
                let pixels = picture::decode(&bytes, self.plan);
                (class, name, pixels)
            })
            .collect();
        for (class, name, pixels) in decoded {
            let pixels = pixels.map_err(|reason| DataError::Picture {
                path: self.path.clone(),
                entry: plain(&name),
                reason,
            })?;
            self.pixels.extend_from_slice(&pixels);
            self.names.push((class, name));
        }
        if (self.watch)(self.names.len()) {
            Ok(())
        } else {
            Err(DataError::Cancelled)
        }
    }

    /// The set, sorted by class and name.
    pub fn finish(mut self) -> Result<Opened, DataError> {
        self.decode()?;
        if self.names.is_empty() {
            return Err(DataError::Nothing {
                path: self.path,
                part: match self.plan.part {
                    Part::Train => "training",
                    Part::Test => "test",
                },
                skipped: self.skipped,
            });
        }
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|a, b| self.names[*a].cmp(&self.names[*b]));
        let sorted = order.iter().enumerate().all(|(place, from)| place == *from);
        let item = self.plan.item();
        let pixels = if sorted {
            self.pixels
        } else {
            let mut pixels = Vec::with_capacity(self.pixels.len());
            for from in &order {
                pixels.extend_from_slice(&self.pixels[from * item..][..item]);
            }
            pixels
        };
        let classes: Vec<String> = self.classes.into_iter().collect();
        let label = |class: &String| {
            // Every class was put into the set, and there are at most MOST_CLASSES.
            classes.binary_search(class).unwrap_or_default() as u16
        };
        let images = ImageSet {
            shape: [self.plan.channels, self.plan.size, self.plan.size],
            labels: order
                .iter()
                .map(|from| label(&self.names[*from].0))
                .collect(),
            classes: classes.iter().map(|class| plain(class)).collect(),
            pixels,
        };
        Ok(Opened {
            images,
            skipped: self.skipped,
        })
    }
}
