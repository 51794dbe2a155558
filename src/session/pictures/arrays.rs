//! Pictures as arrays that other programs read: NPZ and safetensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use crate::session::arrays::{Numbers, write_npz, write_safetensors};
use crate::session::{ExportError, ExportFormat, write_atomically};

/// A wall and what is needed to make it again.
#[derive(Clone, Debug)]
pub struct PictureArrays<'a> {
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// The draws, `[N][C H W]`, -1 black and 1 white; `draws` in the file.
    pub draws: &'a [f32],
    /// Single pictures, `[C][H][W]`, by name: `x_t`, `mean`, `deviation`, `picture`.
    pub singles: Vec<(&'a str, &'a [f32])>,
    /// Whatever else there is, by name and shape: latents.
    pub more: Vec<(&'a str, Vec<usize>, &'a [f32])>,
    /// Classes and the classifier's probabilities, `[N][K]`; `probabilities` in the file.
    pub probabilities: Option<(usize, &'a [f32])>,
    /// Time of the state, in [0, 1].
    pub t: f64,
    /// Root of the draws' noise.
    pub seed: u64,
    /// More that is worth keeping; only safetensors has a place for it.
    pub notes: &'a [(&'a str, String)],
}

impl PictureArrays<'_> {
    /// The format that the name of `path` asks for, if pictures can be written in it.
    ///
    /// # Errors
    /// When they cannot, or the file could not be created.
    pub fn check(path: &Path) -> Result<ExportFormat, String> {
        let name = path.display();
        match ExportFormat::check(path).map_err(|e| e.to_string())? {
            ExportFormat::Csv => Err(format!(
                "{name}: pictures are no table: end the name in .npz or .safetensors"
            )),
            format => Ok(format),
        }
    }

    /// Writes the arrays in the format that the name of `path` asks for: whole, or not at all. The same arrays give the
    /// same bytes.
    ///
    /// # Errors
    /// As [`Self::check`], and when the system refuses to write.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let format = Self::check(path)?;
        write_atomically(path, |file| match format {
            ExportFormat::Safetensors => self.write_safetensors(file),
            _ => self.write_npz(file),
        })
        .map_err(|source| {
            let path = path.to_owned();
            ExportError::Io { path, source }.to_string()
        })
    }

    /// Every array with its name and shape.
    fn arrays(&self) -> Vec<(&str, Vec<usize>, &[f32])> {
        let [c, h, w] = self.shape;
        let count = self.draws.len() / (c * h * w).max(1);
        let mut arrays = vec![("draws", vec![count, c, h, w], self.draws)];
        for (name, values) in &self.singles {
            arrays.push((name, vec![c, h, w], values));
        }
        if let Some((classes, values)) = self.probabilities {
            arrays.push(("probabilities", vec![count, classes], values));
        }
        arrays.extend(self.more.iter().cloned());
        arrays
    }

    fn write_npz(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        let pictures = self.arrays().into_iter();
        let mut arrays: Vec<_> = pictures
            .map(|(name, shape, values)| (name, shape, Numbers::F32(values)))
            .collect();
        let t = Numbers::F64(std::slice::from_ref(&self.t));
        arrays.push(("t", Vec::new(), t));
        arrays.push(("seed", Vec::new(), Numbers::U64(self.seed)));
        write_npz(file, &arrays)
    }

    fn write_safetensors(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        let mut metadata: BTreeMap<&str, String> = self.notes.iter().cloned().collect();
        metadata.insert("t", self.t.to_string());
        metadata.insert("seed", self.seed.to_string());
        write_safetensors(file, &metadata, &self.arrays())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) {
        let draws: Vec<f32> = (0..24).map(|k| k as f32 / 24.0).collect();
        let notes = [("source", "one-step".to_owned())];
        let arrays = PictureArrays {
            more: Vec::new(),
            shape: [3, 2, 2],
            draws: &draws,
            singles: vec![("x_t", &draws[..12]), ("mean", &draws[12..])],
            probabilities: Some((2, &draws[..4])),
            t: 0.25,
            seed: u64::MAX,
            notes: &notes,
        };
        arrays.write(path).unwrap();
    }

    #[test]
    fn npz_reads_back_and_is_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
        write(&one);
        write(&two);
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        let mut npz = npyz::npz::NpzArchive::open(&one).unwrap();
        let draws = npz.by_name("draws").unwrap().unwrap();
        assert_eq!(draws.shape(), [2, 3, 2, 2]);
        assert_eq!(draws.into_vec::<f32>().unwrap()[23], 23.0 / 24.0);
        let mut shape = |name: &str| npz.by_name(name).unwrap().unwrap().shape().to_vec();
        assert_eq!(shape("mean"), [3, 2, 2]);
        assert_eq!(shape("probabilities"), [2, 2]);
        let seed: Vec<u64> = npz.by_name("seed").unwrap().unwrap().into_vec().unwrap();
        assert_eq!(seed, [u64::MAX]);
    }

    #[test]
    fn safetensors_reads_back_with_its_notes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write(&path);
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("draws").unwrap().shape(), [2, 3, 2, 2]);
        let mean = file.tensor("mean").unwrap();
        let first = f32::from_le_bytes(mean.data()[..4].try_into().unwrap());
        assert_eq!(first, 0.5);
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(metadata["source"], "one-step");
        assert_eq!(metadata["t"], "0.25");
        let message = PictureArrays::check(&folder.path().join("a.csv")).unwrap_err();
        assert!(message.contains(".npz"), "{message}");
    }
}
