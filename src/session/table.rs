//! The formats of points: CSV, NPZ, safetensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::arrays::{Numbers, write_npz, write_safetensors};
use super::export::{ExportError, ExportFormat, write_atomically};

/// Points and what belongs to them, as every format holds them.
pub(super) struct Table<'a> {
    /// What the points are called in the file.
    pub name: &'a str,
    /// `[N, 2]`.
    pub rows: &'a [[f32; 2]],
    /// Time and place of the state that they are draws for.
    pub state: Option<(f64, [f64; 2])>,
    pub seed: u64,
    pub notes: &'a [(&'a str, String)],
}

impl Table<'_> {
    /// Writes it in the format that the name of `path` asks for, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let format = ExportFormat::check(path)?;
        write_atomically(path, |file| match format {
            ExportFormat::Csv => self.write_csv(file),
            ExportFormat::Npz => self.write_npz(file),
            ExportFormat::Safetensors => self.write_safetensors(file),
        })
        .map_err(|source| ExportError::Io {
            path: path.to_owned(),
            source,
        })
    }

    fn write_csv(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        writeln!(file, "x,y")?;
        // Rust prints the shortest decimal that reads back as the same f32.
        self.rows
            .iter()
            .try_for_each(|[x, y]| writeln!(file, "{x},{y}"))
    }

    fn write_npz(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        let points = Numbers::F32(self.rows.as_flattened());
        let mut arrays = vec![(self.name, vec![self.rows.len(), 2], points)];
        if let Some((t, x_t)) = &self.state {
            arrays.push(("x_t", vec![2], Numbers::F64(x_t)));
            arrays.push(("t", Vec::new(), Numbers::F64(std::slice::from_ref(t))));
        }
        arrays.push(("seed", Vec::new(), Numbers::U64(self.seed)));
        write_npz(file, &arrays)
    }

    fn write_safetensors(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        let mut metadata: BTreeMap<&str, String> = self.notes.iter().cloned().collect();
        if let Some((t, [x, y])) = self.state {
            metadata.insert("t", t.to_string());
            metadata.insert("x_t", format!("{x},{y}"));
        }
        metadata.insert("seed", self.seed.to_string());
        let points = self.rows.as_flattened();
        let arrays = [(self.name, vec![self.rows.len(), 2], points)];
        write_safetensors(file, &metadata, &arrays)
    }
}
