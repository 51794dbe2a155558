//! Tensors of a file as checked `f32` numbers.

use half::{bf16, f16};

use super::header::{Header, TensorEntry};
use crate::mixture::shortened;

/// The numbers of a tensor, which must have `shape`, be of type F32, F16 or BF16, and be finite.
/// Halves are converted; `file` is what `header` was parsed from.
///
/// # Errors
/// What is wrong, to be put after the tensor's name: "has the shape ...".
pub fn floats(
    header: &Header,
    entry: &TensorEntry,
    shape: &[usize],
    file: &[u8],
) -> Result<Vec<f32>, String> {
    let same = entry.shape.len() == shape.len()
        && entry.shape.iter().zip(shape).all(|(a, b)| *a == *b as u64);
    if !same {
        return Err(format!(
            "has the shape {:?} where {shape:?} was expected",
            entry.shape
        ));
    }
    let Some(data) = header.data(entry, file) else {
        return Err("lies outside the file".into());
    };
    numbers(entry, data)
}

/// The numbers of a tensor whose bytes are `data`, which must be finite.
///
/// # Errors
/// As [`floats`].
pub fn numbers(entry: &TensorEntry, data: &[u8]) -> Result<Vec<f32>, String> {
    let values: Vec<f32> = match entry.dtype.as_str() {
        "F32" => chunks(data, f32::from_le_bytes),
        "F16" => chunks(data, |b| f16::from_le_bytes(b).to_f32()),
        "BF16" => chunks(data, |b| bf16::from_le_bytes(b).to_f32()),
        other => {
            return Err(format!(
                "has the type {}; F32, F16 and BF16 are possible",
                shortened(other, 20)
            ));
        }
    };
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(format!(
            "holds {} at element {at} of {}; every weight must be a finite number",
            values[at],
            values.len()
        )),
        None => Ok(values),
    }
}

fn chunks<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks()
        .0
        .iter()
        .map(|chunk| read(*chunk))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dtype: &str, data: &[u8]) -> Vec<u8> {
        let count = data.len()
            / if dtype == "F32" || dtype == "I32" {
                4
            } else {
                2
            };
        let json = format!(
            r#"{{"w":{{"dtype":"{dtype}","shape":[{count}],"data_offsets":[0,{}]}}}}"#,
            data.len()
        );
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn read(dtype: &str, data: &[u8], shape: &[usize]) -> Result<Vec<f32>, String> {
        let bytes = file(dtype, data);
        let header = Header::parse(&bytes).unwrap();
        floats(&header, &header.tensors[0], shape, &bytes)
    }

    #[test]
    fn halves_become_the_same_numbers() {
        let f16s: Vec<u8> = [1.5, -0.25]
            .map(|v| f16::from_f32(v).to_le_bytes())
            .concat();
        assert_eq!(read("F16", &f16s, &[2]).unwrap(), [1.5, -0.25]);
        let bf16s: Vec<u8> = [1.5, -0.25]
            .map(|v| bf16::from_f32(v).to_le_bytes())
            .concat();
        assert_eq!(read("BF16", &bf16s, &[2]).unwrap(), [1.5, -0.25]);
    }

    #[test]
    fn wrong_shapes_types_and_numbers_are_named() {
        let ones = [1_f32.to_le_bytes(); 2].concat();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let data = [1_f32.to_le_bytes(), bad.to_le_bytes()].concat();
            assert!(
                read("F32", &data, &[2])
                    .unwrap_err()
                    .contains("element 1 of 2")
            );
        }
        assert!(
            read("F32", &ones, &[3])
                .unwrap_err()
                .contains("[3] was expected")
        );
        assert!(
            read("F32", &ones, &[2, 1])
                .unwrap_err()
                .contains("the shape [2]")
        );
        assert!(read("I32", &ones, &[2]).unwrap_err().contains("type I32"));
        let overflow = f16::INFINITY.to_le_bytes();
        assert!(read("F16", &overflow, &[1]).unwrap_err().contains("finite"));
    }
}
