//! The zip: its directory, read from the end, and where each entry's bytes lie. PyTorch stores them as they are; what
//! is compressed is refused, so that no file is larger than it looks.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::machine::Pickle;
use super::tensors::shown;
use super::{MAX_PICKLE_BYTES, PyTorchError, listed, read_at};
use crate::checkpoint::header::{MAX_TENSORS, TensorEntry};

/// The end record and the longest comment after it.
const END_BYTES: u64 = 22 + 65_535;
/// The longest directory, in bytes.
const MAX_DIRECTORY: u64 = 32 << 20;

/// One file of the archive.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where its local header is.
    header: u64,
    bytes: u64,
    packed: u64,
    method: u16,
    flags: u16,
}

/// Lists the tensors of a zip of `bytes` bytes.
pub fn read(file: &mut (impl Read + Seek), bytes: u64) -> Result<Vec<TensorEntry>, PyTorchError> {
    let (entries, data_end) = directory(file, bytes)?;
    let mut pickles = entries
        .keys()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|folder| folder.is_empty() || folder.ends_with('/'));
    let folder = match (pickles.next(), pickles.next()) {
        (Some(folder), None) => folder,
        (None, _) => {
            return Err(PyTorchError::Form(
                "it is a zip without a data.pkl, so it is not PyTorch's".into(),
            ));
        }
        (Some(_), Some(_)) => return Err(PyTorchError::damaged("it has two entries data.pkl")),
    };
    let mut archive = Archive {
        file,
        entries: &entries,
        data_end,
    };
    let order = format!("{folder}byteorder");
    if entries.contains_key(&order) {
        let order = archive.small(&order, 16)?;
        if order != b"little" {
            return Err(PyTorchError::Form(
                "its numbers have their most significant byte first".into(),
            ));
        }
    }
    let bytes = archive.small(&format!("{folder}data.pkl"), MAX_PICKLE_BYTES)?;
    let pickle = Pickle::read(&bytes)?;
    listed(&pickle, &mut |key, needed| {
        let name = format!("{folder}data/{key}");
        let (start, held) = archive.place(&name)?;
        if held != needed {
            return Err(PyTorchError::damaged(format!(
                "its storage needs {needed} bytes, but {} has {held}",
                shown(&name)
            )));
        }
        Ok(start)
    })
}

struct Archive<'a, F> {
    file: &'a mut F,
    entries: &'a BTreeMap<String, Entry>,
    /// Where the directory starts: data end before it.
    data_end: u64,
}

impl<F: Read + Seek> Archive<'_, F> {
    /// Where an entry's bytes start and how many they are; all of them lie in the file.
    fn place(&mut self, name: &str) -> Result<(u64, u64), PyTorchError> {
        let damaged = |reason: &str| PyTorchError::damaged(format!("{} {reason}", shown(name)));
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| damaged("is not in the file"))?;
        if entry.method != 0 || entry.flags & 1 != 0 {
            return Err(PyTorchError::Form(format!(
                "{} is compressed or encrypted, which PyTorch never does: it claims {} bytes in {}",
                shown(name),
                entry.bytes,
                entry.packed
            )));
        }
        if entry.bytes != entry.packed || entry.header.saturating_add(30) > self.data_end {
            return Err(damaged("has sizes that do not fit together"));
        }
        let local = read_at(self.file, entry.header, 30)?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(damaged("is not where the directory says"));
        }
        let length = |at: usize| u64::from(u16::from_le_bytes([local[at], local[at + 1]]));
        let start = entry.header + 30 + length(26) + length(28);
        match start.checked_add(entry.bytes) {
            Some(end) if end <= self.data_end => Ok((start, entry.bytes)),
            _ => Err(damaged("reaches beyond the data of the file")),
        }
    }

    /// The bytes of an entry that is not long.
    fn small(&mut self, name: &str, most: u64) -> Result<Vec<u8>, PyTorchError> {
        let (start, bytes) = self.place(name)?;
        if bytes > most {
            return Err(PyTorchError::damaged(format!(
                "{} has {bytes} bytes; {most} are the most",
                shown(name)
            )));
        }
        Ok(read_at(self.file, start, bytes)?)
    }
}

/// Little-endian numbers of a record.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.0.get(at..at + width)?;
        Some(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }
}

/// The entries by name, and where the directory starts.
fn directory(
    file: &mut (impl Read + Seek),
    bytes: u64,
) -> Result<(BTreeMap<String, Entry>, u64), PyTorchError> {
    let cut = || PyTorchError::damaged("it is a zip whose end is missing");
    let tail_start = bytes.saturating_sub(END_BYTES + 20);
    let tail = read_at(file, tail_start, bytes - tail_start)?;
    // The last record whose comment ends with the file.
    let end = (0..tail.len().saturating_sub(21))
        .rev()
        .find(|at| {
            let record = Record(&tail[*at..]);
            tail[*at..].starts_with(b"PK\x05\x06")
                && record.number(20, 2) == Some((tail.len() - at - 22) as u64)
        })
        .ok_or_else(cut)?;
    let record = Record(&tail[end..]);
    let field = |at, width| record.number(at, width).ok_or_else(cut);
    let (mut count, mut size, mut start) = (field(10, 2)?, field(12, 4)?, field(16, 4)?);
    let locator = end.checked_sub(20).map(|at| &tail[at..end]);
    if let Some(locator) = locator.filter(|l| l.starts_with(b"PK\x06\x07")) {
        let at = Record(locator).number(8, 8).ok_or_else(cut)?;
        if at.checked_add(56).is_none_or(|end| end > bytes) {
            return Err(cut());
        }
        let wide = read_at(file, at, 56)?;
        let record = Record(&wide);
        if !wide.starts_with(b"PK\x06\x06") {
            return Err(cut());
        }
        let field = |at| record.number(at, 8).ok_or_else(cut);
        (count, size, start) = (field(32)?, field(40)?, field(48)?);
    }
    let fits = start.checked_add(size).is_some_and(|end| end <= bytes);
    if !fits || size > MAX_DIRECTORY || count > MAX_TENSORS as u64 + 1_024 || count * 46 > size {
        return Err(PyTorchError::damaged(format!(
            "its directory claims {count} entries in {size} bytes"
        )));
    }
    let text = read_at(file, start, size)?;
    let mut entries = BTreeMap::new();
    let mut rest = &text[..];
    for _ in 0..count {
        let (name, entry, after) = entry(rest)
            .ok_or_else(|| PyTorchError::damaged("its directory is cut off or out of order"))?;
        rest = after;
        if entries.insert(name.to_owned(), entry).is_some() {
            return Err(PyTorchError::damaged(format!(
                "{} is in the file twice",
                shown(name)
            )));
        }
    }
    Ok((entries, start))
}

/// One entry of the directory, and what follows it.
fn entry(bytes: &[u8]) -> Option<(&str, Entry, &[u8])> {
    let record = Record(bytes);
    if !bytes.starts_with(b"PK\x01\x02") {
        return None;
    }
    let length = |at| record.number(at, 2).map(|n| n as usize);
    let name_end = 46 + length(28)?;
    let extra_end = name_end + length(30)?;
    let end = extra_end + length(32)?;
    let name = std::str::from_utf8(bytes.get(46..name_end)?).ok()?;
    let mut wide = Wide::of(bytes.get(name_end..extra_end)?);
    // In this order, and only those that do not fit into four bytes.
    let bytes_unpacked = wide.or(record.number(24, 4)?)?;
    let packed = wide.or(record.number(20, 4)?)?;
    let header = wide.or(record.number(42, 4)?)?;
    let entry = Entry {
        header,
        bytes: bytes_unpacked,
        packed,
        method: record.number(10, 2)? as u16,
        flags: record.number(8, 2)? as u16,
    };
    Some((name, entry, bytes.get(end..)?))
}

/// The 64-bit numbers of an entry.
struct Wide<'a>(&'a [u8]);

impl<'a> Wide<'a> {
    /// Those of the extra field with the number 1.
    fn of(mut extra: &'a [u8]) -> Self {
        while let Some((head, rest)) = extra.split_first_chunk::<4>() {
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let Some((field, after)) = rest.split_at_checked(length) else {
                break;
            };
            if head[..2] == [1, 0] {
                return Self(field);
            }
            extra = after;
        }
        Self(&[])
    }

    /// The number itself, or the next wide one where it says so.
    fn or(&mut self, number: u64) -> Option<u64> {
        if number != u64::from(u32::MAX) {
            return Some(number);
        }
        let (wide, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*wide))
    }
}
