//! Draws as files that other programs read: CSV, NPZ, safetensors. Plain slices only, no tensors.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::table::Table;

/// Why draws could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ending of the name belongs to no format.
    #[error(
        "{path}: cannot tell the format from {ending}. End the name in {}",
        ExportFormat::ENDINGS
    )]
    Ending {
        /// The file.
        path: PathBuf,
        /// What the name ends in, quoted, or "a name without an ending".
        ending: String,
    },
    /// The folder does not exist.
    #[error("{path}: the folder {folder} does not exist. Create it first, or choose another place")]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The folder that is missing.
        folder: PathBuf,
    },
    /// The path is a folder.
    #[error("{path} is a folder. Give the name of a file, such as draws.csv")]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error(
        "{path}: could not be written: {source}. Check free space and permissions of the folder"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How draws are written; the ending of the file's name decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Text: the header `x,y`, then one draw a line.
    Csv,
    /// NumPy: `draws` [N, 2] f32, `x_t` [2] f64, `t` [] f64, `seed` [] u64; of finished samples `samples` and `seed`.
    Npz,
    /// `draws` or `samples` [N, 2] f32; `t` and `x_t` of draws, `seed` and the notes as string metadata.
    Safetensors,
}

impl ExportFormat {
    /// The accepted endings, for messages.
    pub const ENDINGS: &'static str = ".csv, .npz or .safetensors";

    /// The format that the name of `path` asks for, in upper or lower case.
    ///
    /// # Errors
    /// When the ending is none of [`Self::ENDINGS`].
    pub fn from_path(path: &Path) -> Result<Self, ExportError> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("npz") => Ok(Self::Npz),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => Err(ExportError::Ending {
                path: path.to_owned(),
                ending: ending.map_or_else(
                    || "a name without an ending".into(),
                    |e| format!("\".{e}\""),
                ),
            }),
        }
    }

    /// The same, and checks that the file could be created, so that a person need not wait for draws that cannot be kept.
    ///
    /// # Errors
    /// On an unknown ending, a missing folder, or where `path` is itself a folder.
    pub fn check(path: &Path) -> Result<Self, ExportError> {
        if path.is_dir() {
            return Err(ExportError::IsFolder {
                path: path.to_owned(),
            });
        }
        let format = Self::from_path(path)?;
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(ExportError::NoFolder {
                path: path.to_owned(),
                folder: folder.to_owned(),
            });
        }
        probe(path).map_err(|source| ExportError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(format)
    }
}

/// Draws from `p(x_1 | x_t)` and what is needed to make them again.
#[derive(Clone, Copy, Debug)]
pub struct DrawsExport<'a> {
    /// The draws [N, 2], world coordinates.
    pub draws: &'a [[f32; 2]],
    /// Time of the state, in [0, 1].
    pub t: f64,
    /// The state, world coordinates.
    pub x_t: [f64; 2],
    /// Root of the noise.
    pub seed: u64,
    /// More that is worth keeping (source, world, checkpoint hash); only safetensors has a place for it.
    pub notes: &'a [(&'a str, String)],
}

impl DrawsExport<'_> {
    /// Writes the draws in the format that the name of `path` asks for: whole, or not at all. The same draws give the same bytes.
    ///
    /// # Errors
    /// As [`ExportFormat::check`], and when the system refuses to write.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let table = Table {
            name: "draws",
            rows: self.draws,
            state: Some((self.t, self.x_t)),
            seed: self.seed,
            notes: self.notes,
        };
        table.write(path)
    }
}

/// Finished samples, which belong to no one state, and what is needed to make them again.
#[derive(Clone, Copy, Debug)]
pub struct SamplesExport<'a> {
    /// The samples [N, 2], world coordinates.
    pub samples: &'a [[f32; 2]],
    /// Root of the noise.
    pub seed: u64,
    /// More that is worth keeping; only safetensors has a place for it.
    pub notes: &'a [(&'a str, String)],
}

impl SamplesExport<'_> {
    /// As [`DrawsExport::write`]; the array is called `samples`, and there is no `t` and no `x_t`.
    ///
    /// # Errors
    /// As there.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let table = Table {
            name: "samples",
            rows: self.samples,
            state: None,
            seed: self.seed,
            notes: self.notes,
        };
        table.write(path)
    }
}

/// The folder that holds `path`; the current one for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A name beside `path` for what is not whole yet.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let id = std::process::id();
    Ok(folder_of(path).join(format!(".{}.{id}.part", name.to_string_lossy())))
}

/// Sees that [`write_atomically`] could write there, before a person waits for what is to be written. What is there
/// stays as it is.
///
/// # Errors
/// What the system says.
pub fn probe(path: &Path) -> io::Result<()> {
    let part = beside(path)?;
    File::create(&part)?;
    std::fs::remove_file(&part)
}

/// Writes a file whole or not at all: into a temporary one in the same folder, which then takes the name.
///
/// # Errors
/// What the system says; the old file, if there was one, is then as it was.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let part = beside(path)?;
    let written = (|| {
        let mut file = BufWriter::new(File::create(&part)?);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        std::fs::rename(&part, path)
    })();
    if written.is_err() {
        // Best effort: the cause of the failure is the message that counts.
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: [[f32; 2]; 3] = [[0.1, -2.5e-8], [1.0 / 3.0, 4e6], [-0.0, 1.0]];

    fn export(notes: &[(&'static str, String)], path: &Path) -> Result<(), ExportError> {
        DrawsExport {
            draws: &DRAWS,
            t: 0.3,
            x_t: [-0.5, 1.2],
            seed: u64::MAX,
            notes,
        }
        .write(path)
    }

    #[test]
    fn csv_reads_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draws.csv");
        export(&[], &path).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        assert_eq!(reader.headers().unwrap(), vec!["x", "y"]);
        let back: Vec<[f32; 2]> = reader.deserialize().map(Result::unwrap).collect();
        assert_eq!(bits(&back), bits(&DRAWS));
    }

    #[test]
    fn npz_reads_back_with_its_small_arrays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draws.npz");
        export(&[], &path).unwrap();
        let mut npz = npyz::npz::NpzArchive::open(&path).unwrap();
        let draws = npz.by_name("draws").unwrap().unwrap();
        assert_eq!(draws.shape(), [3, 2]);
        let draws: Vec<f32> = draws.into_vec().unwrap();
        assert_eq!(draws, DRAWS.as_flattened());
        let x_t: Vec<f64> = npz.by_name("x_t").unwrap().unwrap().into_vec().unwrap();
        assert_eq!(x_t, [-0.5, 1.2]);
        let t = npz.by_name("t").unwrap().unwrap();
        assert!(t.shape().is_empty());
        assert_eq!(t.into_vec::<f64>().unwrap(), [0.3]);
        let seed: Vec<u64> = npz.by_name("seed").unwrap().unwrap().into_vec().unwrap();
        assert_eq!(seed, [u64::MAX]);
    }

    #[test]
    fn safetensors_reads_back_with_its_notes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draws.safetensors");
        export(&[("source", "one-step".into())], &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let draws = file.tensor("draws").unwrap();
        assert_eq!(draws.shape(), [3, 2]);
        let back: Vec<f32> = draws
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert_eq!(back, DRAWS.as_flattened());
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(metadata["source"], "one-step");
        assert_eq!(metadata["x_t"], "-0.5,1.2");
        assert_eq!(metadata["seed"], u64::MAX.to_string());
    }

    #[test]
    fn finished_samples_carry_no_time_and_no_state() {
        let folder = tempfile::tempdir().unwrap();
        let notes = [("method", "mfm-gf".to_owned())];
        let export = SamplesExport {
            samples: &DRAWS,
            seed: 11,
            notes: &notes,
        };
        let path = folder.path().join("samples.csv");
        export.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().next(), Some("x,y"));
        assert_eq!(text.lines().count(), 4);
        let path = folder.path().join("samples.npz");
        export.write(&path).unwrap();
        let mut npz = npyz::npz::NpzArchive::open(&path).unwrap();
        let mut names: Vec<String> = npz.array_names().map(str::to_owned).collect();
        names.sort();
        assert_eq!(names, ["samples", "seed"]);
        let samples = npz.by_name("samples").unwrap().unwrap();
        assert_eq!(samples.into_vec::<f32>().unwrap(), DRAWS.as_flattened());
        let path = folder.path().join("samples.safetensors");
        export.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        let mut keys: Vec<&String> = metadata.keys().collect();
        keys.sort();
        assert_eq!(keys, ["method", "seed"]);
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.names(), ["samples"]);
    }

    #[test]
    fn the_same_draws_give_the_same_bytes_and_no_draws_are_fine() {
        let folder = tempfile::tempdir().unwrap();
        for ending in ["csv", "npz", "safetensors"] {
            let (a, b) = (
                folder.path().join(format!("a.{ending}")),
                folder.path().join(format!("b.{ending}")),
            );
            let notes = [("b", "1".to_owned()), ("a", "2".to_owned())];
            export(&notes, &a).unwrap();
            export(&notes, &b).unwrap();
            assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
            let empty = DrawsExport {
                draws: &[],
                t: 0.0,
                x_t: [0.0; 2],
                seed: 0,
                notes: &[],
            };
            empty.write(&a).unwrap();
        }
    }

    #[test]
    fn a_bad_name_or_place_is_refused_with_path_and_hint() {
        let folder = tempfile::tempdir().unwrap();
        for (path, hint) in [
            (
                folder.path().join("draws.xlsx"),
                ".csv, .npz or .safetensors",
            ),
            (folder.path().join("draws"), "without an ending"),
            (folder.path().join("nowhere/draws.csv"), "Create it first"),
            (folder.path().to_owned(), "is a folder"),
        ] {
            let message = export(&[], &path).unwrap_err().to_string();
            assert!(message.contains(hint), "{message}");
            assert!(message.contains(path.to_str().unwrap()), "{message}");
        }
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draws.csv");
        std::fs::write(&path, "old").unwrap();
        let failed = write_atomically(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    fn bits(points: &[[f32; 2]]) -> Vec<u32> {
        points.as_flattened().iter().map(|v| v.to_bits()).collect()
    }
}
