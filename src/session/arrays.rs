//! Arrays in the formats of other programs: NPZ and safetensors. The same arrays give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use npyz::WriterBuilder as _;
use npyz::npz::NpzWriter;

/// What an array holds.
#[derive(Clone, Copy)]
pub(super) enum Numbers<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
    /// One whole number.
    U64(u64),
}

/// An array with its name and shape; one number has none.
pub(super) type Array<'a> = (&'a str, Vec<usize>, Numbers<'a>);

/// Writes an archive that numpy reads.
#[expect(
    clippy::default_trait_access,
    reason = "npyz does not let us name zip's types"
)]
pub(super) fn write_npz(file: &mut BufWriter<File>, arrays: &[Array<'_>]) -> io::Result<()> {
    // zip stamps entries with the clock by default; its own default date keeps the bytes the same.
    let options = default_options(NpzWriter::<&mut BufWriter<File>>::array::<f32>)
        .last_modified_time(Default::default());
    let mut npz = NpzWriter::new(file);
    // No function: the type of the options has no name.
    macro_rules! put {
        ($name:ident, $shape:ident, $values:expr) => {
            npz.array($name, options)?
                .default_dtype()
                .shape(&$shape)
                .begin_nd()?
                .extend($values)?
        };
    }
    for (name, shape, numbers) in arrays {
        let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        match numbers {
            Numbers::F32(values) => put!(name, shape, *values),
            Numbers::F64(values) => put!(name, shape, *values),
            Numbers::U64(value) => put!(name, shape, [value]),
        }
    }
    npz.zip_writer().finish().map_err(io::Error::other)?;
    Ok(())
}

/// Writes arrays of single precision, by name and shape, with what is said of them.
pub(super) fn write_safetensors(
    file: &mut BufWriter<File>,
    metadata: &BTreeMap<&str, String>,
    arrays: &[(&str, Vec<usize>, &[f32])],
) -> io::Result<()> {
    // Written by hand: the crate keeps metadata in a map of random order.
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    let mut from = 0;
    for (name, shape, values) in arrays {
        let to = from + size_of_val(*values);
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [from, to],
        });
        header.insert((*name).to_owned(), entry);
        from = to;
    }
    let mut header = serde_json::Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for (_, _, values) in arrays {
        values
            .iter()
            .try_for_each(|v| file.write_all(&v.to_le_bytes()))?;
    }
    Ok(())
}

/// The default of the options type of `NpzWriter::array`, which npyz does not let us name.
fn default_options<'a, W: 'a, O: Default, R>(_: impl Fn(&'a mut W, &'a str, O) -> R) -> O {
    O::default()
}
