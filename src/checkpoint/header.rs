//! The header of a safetensors file, read with every size checked before anything is allocated for it.
//!
//! Layout: eight bytes, little endian, the length of the header; the header, JSON; the data. The
//! `safetensors` crate reads the same, but allows headers of 100 MB and any number of dimensions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::mixture::shortened;

/// The longest header that is read, in bytes.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// The most tensors in a file.
pub const MAX_TENSORS: usize = 65_536;
/// The most entries of string metadata.
pub const MAX_METADATA: usize = 1_024;
/// The most dimensions of a tensor.
pub const MAX_RANK: usize = 8;

/// One tensor as the header describes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TensorEntry {
    /// Its name.
    pub name: String,
    /// Its element type as the file spells it: `F32`, `BF16`, ...
    pub dtype: String,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// First byte and one past the last, from the start of the data.
    pub range: [u64; 2],
    /// How far apart neighbours are in each dimension, in elements, where the numbers do not lie one after the other;
    /// only PyTorch's files have such tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<u64>>,
}

impl TensorEntry {
    /// Number of elements. Checked when the header was read: it does not overflow.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// A header whose tensors are known to lie in the file: those of safetensors one after the other, without gap or
/// overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The tensors, in the order of their data.
    pub tensors: Vec<TensorEntry>,
    /// String metadata.
    pub metadata: BTreeMap<String, String>,
    /// Where the data starts in the file.
    pub data_start: u64,
}

/// Why a header was refused. The path is added by who knows it.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The system could not read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not even a length.
    #[error("the file has {0} bytes and is too short for a header")]
    TooShort(u64),
    /// The length is impossible.
    #[error("the header claims {claimed} bytes, but {room}")]
    Length {
        /// What the first eight bytes say.
        claimed: u64,
        /// What is possible.
        room: String,
    },
    /// Not JSON, or JSON of another form.
    #[error("the header is damaged: {0}")]
    Json(String),
    /// A tensor does not fit into the file.
    #[error("tensor {tensor}: {reason}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// More or less data than the tensors need.
    #[error("the tensors need {needed} bytes of data, but the file holds {held}")]
    DataLength {
        /// What the tensors need.
        needed: u64,
        /// What is there.
        held: u64,
    },
}

impl Header {
    /// Reads the header of a file of `file_bytes` bytes and leaves the data unread.
    ///
    /// # Errors
    /// On anything that does not hold together; nothing larger than the header itself is allocated before it is checked.
    pub fn read(file: &mut impl Read, file_bytes: u64) -> Result<Self, HeaderError> {
        if file_bytes < 8 {
            return Err(HeaderError::TooShort(file_bytes));
        }
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let claimed = u64::from_le_bytes(length);
        let room = if claimed > file_bytes - 8 {
            format!("{} follow", file_bytes - 8)
        } else if claimed > MAX_HEADER_BYTES {
            format!("{MAX_HEADER_BYTES} are the most that is read")
        } else if claimed < 2 {
            "even an empty one has 2".to_owned()
        } else {
            String::new()
        };
        if !room.is_empty() {
            return Err(HeaderError::Length { claimed, room });
        }
        // At most MAX_HEADER_BYTES, and not more than the file.
        let mut text = vec![0; claimed as usize];
        file.read_exact(&mut text)?;
        let raw: RawHeader = serde_json::from_slice(&text)
            .map_err(|e| HeaderError::Json(shortened(&e.to_string(), 200)))?;
        let mut header = Self {
            tensors: raw.tensors,
            metadata: raw.metadata,
            data_start: 8 + claimed,
        };
        header.check(file_bytes - 8 - claimed)?;
        Ok(header)
    }

    /// The same from a whole file in memory.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        Self::read(&mut &bytes[..], bytes.len() as u64)
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorEntry> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// The element types of the tensors: `F32`, or `BF16, F32`.
    pub fn dtypes(&self) -> String {
        let kinds: BTreeSet<_> = self.tensors.iter().map(|t| t.dtype.as_str()).collect();
        kinds.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// The bytes of a tensor of this header in the `file` that it was parsed from; `None` in any other.
    pub fn data<'a>(&self, entry: &TensorEntry, file: &'a [u8]) -> Option<&'a [u8]> {
        let at = |offset: u64| usize::try_from(self.data_start.checked_add(offset)?).ok();
        file.get(at(entry.range[0])?..at(entry.range[1])?)
    }

    /// Sorts the tensors by their data and checks that they fill `data_bytes` without gap or overlap.
    fn check(&mut self, data_bytes: u64) -> Result<(), HeaderError> {
        let mut names = BTreeSet::new();
        for entry in &self.tensors {
            let fail = |reason: String| {
                Err(HeaderError::Tensor {
                    tensor: shortened(&entry.name, 80),
                    reason,
                })
            };
            if !names.insert(entry.name.as_str()) {
                return fail("listed twice".into());
            }
            let [begin, end] = entry.range;
            if begin > end || end > data_bytes {
                return fail(format!(
                    "its data from {begin} to {end} lie outside the {data_bytes} bytes of data in the file"
                ));
            }
            let elements = entry
                .shape
                .iter()
                .try_fold(1_u64, |product, size| product.checked_mul(*size));
            let needed = elements.and_then(|n| match element_bytes(&entry.dtype) {
                Some(size) => n.checked_mul(size),
                // A type that we do not know: its size cannot be checked, and it is never read.
                None => Some(end - begin),
            });
            if needed != Some(end - begin) {
                return fail(format!(
                    "{} {:?} does not fit its {} bytes",
                    shortened(&entry.dtype, 20),
                    entry.shape,
                    end - begin
                ));
            }
        }
        drop(names);
        self.tensors.sort_by_key(|t| t.range);
        let mut needed = 0;
        for entry in &self.tensors {
            if entry.range[0] != needed {
                return Err(HeaderError::Tensor {
                    tensor: shortened(&entry.name, 80),
                    reason: format!(
                        "its data start at {} where {needed} was expected (overlap or gap)",
                        entry.range[0]
                    ),
                });
            }
            needed = entry.range[1];
        }
        if needed != data_bytes {
            return Err(HeaderError::DataLength {
                needed,
                held: data_bytes,
            });
        }
        Ok(())
    }
}

/// Bytes of one element, for the types of the format.
pub fn element_bytes(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => 1,
        "U16" | "I16" | "F16" | "BF16" => 2,
        "U32" | "I32" | "F32" => 4,
        "U64" | "I64" | "F64" | "C64" => 8,
        _ => return None,
    })
}

struct RawHeader {
    tensors: Vec<TensorEntry>,
    metadata: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Shape,
    data_offsets: [u64; 2],
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = RawHeader;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with one entry for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
        let mut raw = RawHeader {
            tensors: Vec::new(),
            metadata: BTreeMap::new(),
        };
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                raw.metadata = map.next_value::<Metadata>()?.0;
                continue;
            }
            if raw.tensors.len() == MAX_TENSORS {
                return Err(de::Error::custom(format!(
                    "more than {MAX_TENSORS} tensors"
                )));
            }
            let entry: RawEntry = map.next_value()?;
            raw.tensors.push(TensorEntry {
                name,
                dtype: entry.dtype,
                shape: entry.shape.0,
                range: entry.data_offsets,
                strides: None,
            });
        }
        Ok(raw)
    }
}

struct Metadata(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetadataVisitor)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        let mut metadata = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if metadata.len() == MAX_METADATA {
                return Err(de::Error::custom(format!(
                    "more than {MAX_METADATA} entries of metadata"
                )));
            }
            metadata.insert(key, value);
        }
        Ok(Metadata(metadata))
    }
}

struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "at most {MAX_RANK} sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut shape = Vec::with_capacity(MAX_RANK);
        while let Some(size) = seq.next_element()? {
            if shape.len() == MAX_RANK {
                return Err(de::Error::custom(format!(
                    "a tensor of more than {MAX_RANK} dimensions"
                )));
            }
            shape.push(size);
        }
        Ok(Shape(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str, data: usize) -> Vec<u8> {
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    const TWO: &str = r#"{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},"v":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;

    #[test]
    fn a_sound_header_lists_its_tensors_in_the_order_of_their_data() {
        let bytes = file(TWO, 28);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.metadata["a"], "b");
        let names: Vec<_> = header.tensors.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["v", "w"]);
        let w = header.tensor("w").unwrap();
        assert_eq!((w.elements(), w.dtype.as_str()), (6, "F32"));
        assert_eq!(header.data(w, &bytes).unwrap().len(), 24);
    }

    #[test]
    fn what_the_crate_writes_is_read_the_same() {
        let data = [0_u8; 24];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 3], &data)
            .unwrap();
        let bytes = safetensors::serialize([("w", view)], None).unwrap();
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.tensors[0].shape, [2, 3]);
    }

    #[test]
    fn every_header_that_does_not_hold_together_is_refused_with_its_reason() {
        let entry = |shape: &str, range: &str| {
            file(
                &format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":{range}}}}}"#),
                8,
            )
        };
        let mut long = file("{}", 0);
        long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        for (bytes, reason) in [
            (vec![], "too short"),
            (vec![0; 7], "too short"),
            (vec![0; 8], "even an empty one"),
            (long, "claims 18446744073709551615 bytes"),
            (file("[]", 0), "damaged"),
            (file("{\"", 0), "damaged"),
            (file("{}", 8), "need 0 bytes"),
            (file(TWO, 27), "outside"),
            (file(TWO, 29), "need 28 bytes"),
            (entry("[3]", "[0,8]"), "does not fit"),
            (entry("[2]", "[8,0]"), "outside"),
            (entry("[1]", "[4,8]"), "overlap or gap"),
            (entry("[2]", "[0,16]"), "outside"),
            (entry("[4294967296,4294967296]", "[0,8]"), "does not fit"),
            (entry("[1,1,1,1,1,1,1,1,2]", "[0,8]"), "8 dimensions"),
            (entry("[-2]", "[0,8]"), "damaged"),
            (
                file(
                    r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
                    8,
                ),
                "listed twice",
            ),
        ] {
            let message = Header::parse(&bytes).unwrap_err().to_string();
            assert!(message.contains(reason), "{reason}: {message}");
        }
    }
}
