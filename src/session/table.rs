//! The formats of points: CSV, NPZ, safetensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use npyz::WriterBuilder as _;
use npyz::npz::NpzWriter;

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

    #[expect(
        clippy::default_trait_access,
        reason = "npyz does not let us name zip's types"
    )]
    fn write_npz(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        // zip stamps entries with the clock by default; its own default date keeps the bytes the same.
        let options = default_options(NpzWriter::<&mut BufWriter<File>>::array::<f32>)
            .last_modified_time(Default::default());
        let mut npz = NpzWriter::new(file);
        npz.array(self.name, options)?
            .default_dtype()
            .shape(&[self.rows.len() as u64, 2])
            .begin_nd()?
            .extend(self.rows.as_flattened())?;
        if let Some((t, x_t)) = self.state {
            npz.array("x_t", options)?
                .default_dtype()
                .shape(&[2])
                .begin_nd()?
                .extend(x_t)?;
            npz.array("t", options)?
                .default_dtype()
                .shape(&[])
                .begin_nd()?
                .push(&t)?;
        }
        npz.array("seed", options)?
            .default_dtype()
            .shape(&[])
            .begin_nd()?
            .push(&self.seed)?;
        npz.zip_writer().finish().map_err(io::Error::other)?;
        Ok(())
    }

    fn write_safetensors(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        let mut metadata: BTreeMap<&str, String> = self.notes.iter().cloned().collect();
        if let Some((t, [x, y])) = self.state {
            metadata.insert("t", t.to_string());
            metadata.insert("x_t", format!("{x},{y}"));
        }
        metadata.insert("seed", self.seed.to_string());
        // Written by hand: the crate keeps metadata in a map of random order.
        let header = serde_json::json!({
            "__metadata__": metadata,
            self.name: {
                "dtype": "F32",
                "shape": [self.rows.len(), 2],
                "data_offsets": [0, size_of_val(self.rows)],
            },
        });
        let mut header = header.to_string();
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        self.rows
            .as_flattened()
            .iter()
            .try_for_each(|v| file.write_all(&v.to_le_bytes()))
    }
}

/// The default of the options type of `NpzWriter::array`, which npyz does not let us name.
pub(super) fn default_options<'a, W: 'a, O: Default, R>(
    _: impl Fn(&'a mut W, &'a str, O) -> R,
) -> O {
    O::default()
}
