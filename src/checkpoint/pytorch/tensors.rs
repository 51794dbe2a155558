//! From what a pickle holds to a list of tensors: dictionaries in dictionaries become names with dots, and every view
//! is checked against its storage.

use std::collections::{BTreeMap, BTreeSet};

use super::PyTorchError;
use super::machine::Pickle;
use super::values::{Node, Storage, Value, View};
use crate::checkpoint::header::{MAX_TENSORS, TensorEntry};
use crate::mixture::shortened;

/// How deep dictionaries may lie in one another.
const MAX_DEPTH: usize = 8;
/// The most entries that are looked at.
const MAX_ENTRIES: usize = 1 << 20;
/// The longest name, in bytes.
const MAX_NAME: usize = 1_024;
/// The most bytes of all names; a hundred thousand long ones.
const MAX_NAMES: usize = 16 << 20;

/// Gives the first byte of a storage of that key, after making sure that it has as many bytes as are said.
type Place<'a> = &'a mut dyn FnMut(&str, u64) -> Result<u64, PyTorchError>;

/// Lists the tensors, in the order of their data.
pub fn list(pickle: &Pickle<'_>, place: Place<'_>) -> Result<Vec<TensorEntry>, PyTorchError> {
    let mut found = Found {
        pickle,
        place,
        places: BTreeMap::new(),
        tensors: Vec::new(),
        entries: 0,
        bytes: 0,
    };
    match pickle.node(pickle.result) {
        // A tensor that was saved alone.
        Some(Node::Tensor(view)) => found.add("tensor", view)?,
        _ => found.walk("", pickle.result, 0)?,
    }
    let mut tensors = found.tensors;
    if tensors.is_empty() {
        return Err(PyTorchError::Form("it holds no tensors".into()));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = tensors.iter().find(|t| !names.insert(t.name.as_str())) {
        return Err(PyTorchError::damaged(format!(
            "tensor {} is listed twice",
            shown(&twice.name)
        )));
    }
    tensors.sort_by_key(|t| t.range);
    Ok(tensors)
}

struct Found<'a, 'b> {
    pickle: &'a Pickle<'b>,
    place: Place<'a>,
    /// Type and first byte of every storage that was asked for.
    places: BTreeMap<&'b str, (&'static str, u64, u64)>,
    tensors: Vec<TensorEntry>,
    entries: usize,
    /// Of all names so far.
    bytes: usize,
}

impl Found<'_, '_> {
    fn walk(&mut self, prefix: &str, value: Value, depth: usize) -> Result<(), PyTorchError> {
        let pickle = self.pickle;
        let dict: &mut dyn Iterator<Item = (String, Value)> = match pickle.node(value) {
            Some(Node::Dict(pairs)) => &mut pairs.iter().filter_map(|(key, value)| match key {
                Value::Text(text) => Some((pickle.said(*text).to_owned(), *value)),
                Value::Int(number) => Some((number.to_string(), *value)),
                _ => None,
            }),
            Some(Node::List(items)) => &mut items
                .iter()
                .enumerate()
                .map(|(i, value)| (i.to_string(), *value)),
            _ => return Ok(()),
        };
        if depth == MAX_DEPTH {
            return Err(PyTorchError::damaged(format!(
                "its dictionaries lie more than {MAX_DEPTH} deep in one another"
            )));
        }
        for (key, value) in dict {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(PyTorchError::damaged(format!(
                    "it has more than {MAX_ENTRIES} entries"
                )));
            }
            let inner = pickle.node(value);
            if !matches!(inner, Some(Node::Tensor(_) | Node::Dict(_) | Node::List(_))) {
                continue;
            }
            let dot = if prefix.is_empty() { "" } else { "." };
            if prefix.len() + key.len() >= MAX_NAME {
                return Err(PyTorchError::damaged(format!(
                    "the name {} is longer than {MAX_NAME} bytes",
                    shown(&key)
                )));
            }
            let name = format!("{prefix}{dot}{key}");
            match inner {
                Some(Node::Tensor(view)) => self.add(&name, view)?,
                _ => self.walk(&name, value, depth + 1)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, view: &View) -> Result<(), PyTorchError> {
        self.bytes += name.len();
        if self.tensors.len() == MAX_TENSORS || self.bytes > MAX_NAMES {
            return Err(PyTorchError::damaged(format!(
                "it has more than {MAX_TENSORS} tensors, or their names are longer than {MAX_NAMES} bytes"
            )));
        }
        let fault =
            |reason: String| PyTorchError::damaged(format!("tensor {}: {reason}", shown(name)));
        let storage = view.storage;
        let start = self.start(&storage).map_err(|e| match e {
            PyTorchError::Damaged(reason) => fault(reason),
            other => other,
        })?;
        let elements = view
            .shape
            .iter()
            .try_fold(1_u64, |product, size| product.checked_mul(*size));
        let elements = elements.filter(|n| *n <= storage.count).ok_or_else(|| {
            fault(format!(
                "its shape {:?} is larger than its storage of {} numbers",
                view.shape, storage.count
            ))
        })?;
        // One past the last number that it sees, from the start of the storage.
        let reach = if elements == 0 {
            Some(view.offset.min(storage.count))
        } else {
            let steps = view.shape.iter().zip(&view.strides);
            steps
                .map(|(size, stride)| (size - 1).checked_mul(*stride))
                .try_fold(view.offset, |sum, step| sum.checked_add(step?))
                .and_then(|last| last.checked_add(1))
        };
        let reach = reach.filter(|n| *n <= storage.count).ok_or_else(|| {
            fault(format!(
                "offset {} and strides {:?} of the shape {:?} lead outside its storage of {} numbers",
                view.offset, view.strides, view.shape, storage.count
            ))
        })?;
        let width = storage.element.bytes();
        let first = view.offset.min(reach);
        self.tensors.push(TensorEntry {
            name: name.to_owned(),
            dtype: storage.element.name().to_owned(),
            shape: view.shape.clone(),
            // No overflow: the storage lies in the file.
            range: [start + first * width, start + reach * width],
            strides: (elements > 0 && !is_plain(view)).then(|| view.strides.clone()),
        });
        Ok(())
    }

    /// The first byte of a storage that has as many bytes as its numbers need.
    fn start(&mut self, storage: &Storage) -> Result<u64, PyTorchError> {
        let key = self.pickle.said(storage.key);
        let kind = (storage.element.name(), storage.count);
        if let Some((name, count, start)) = self.places.get(key) {
            if (*name, *count) == kind {
                return Ok(*start);
            }
            return Err(PyTorchError::damaged(format!(
                "storage {} is of two types or sizes",
                shown(key)
            )));
        }
        let bytes = storage.count.checked_mul(storage.element.bytes());
        let Some(bytes) = bytes else {
            return Err(PyTorchError::damaged(format!(
                "storage {} claims {} numbers",
                shown(key),
                storage.count
            )));
        };
        let start = (self.place)(key, bytes)?;
        self.places.insert(key, (kind.0, kind.1, start));
        Ok(start)
    }
}

/// Whether the numbers lie one after the other, the last dimension innermost.
fn is_plain(view: &View) -> bool {
    let mut step = 1;
    for (size, stride) in view.shape.iter().zip(&view.strides).rev() {
        if *size > 1 && *stride != step {
            return false;
        }
        // At most the number of elements, which was checked.
        step *= size;
    }
    true
}

/// A name of the file, short and without what a terminal would obey.
pub fn shown(name: &str) -> String {
    shortened(name, 80).escape_debug().to_string()
}
