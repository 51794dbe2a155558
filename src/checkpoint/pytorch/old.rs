//! Files from before PyTorch 1.6: a magic number, a version, the writing machine, the tensors and the keys of their
//! storages, each a pickle; then the storages, each its number of elements and its bytes.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::machine::Pickle;
use super::tensors::shown;
use super::values::{Node, Value};
use super::{MAX_PICKLE_BYTES, PyTorchError, listed, read_at};
use crate::checkpoint::header::{MAX_TENSORS, TensorEntry};

/// The first bytes: a pickled number.
pub const MAGIC: &[u8] = &[0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46];

/// Lists the tensors of such a file of `bytes` bytes.
pub fn read(file: &mut (impl Read + Seek), bytes: u64) -> Result<Vec<TensorEntry>, PyTorchError> {
    let head = read_at(file, 0, bytes.min(MAX_PICKLE_BYTES))?;
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::read(&head[at..])?;
        at += pickle.taken;
        Ok::<_, PyTorchError>(pickle)
    };
    // The magic number, which brought us here.
    next()?;
    if next()?.result != Value::Int(1001) {
        return Err(PyTorchError::Form(
            "it has a version of the old format that is not known".into(),
        ));
    }
    // Byte order and sizes of the machine: every one that PyTorch runs on is alike in what matters here.
    next()?;
    let (pickle, keys) = (next()?, next()?);
    let Some(Node::List(items)) = keys.node(keys.result) else {
        return Err(PyTorchError::damaged("it has no list of storages"));
    };
    if items.len() > MAX_TENSORS {
        return Err(PyTorchError::damaged(format!(
            "it has {} storages; {MAX_TENSORS} are the most",
            items.len()
        )));
    }
    let order: BTreeMap<&str, usize> = items
        .iter()
        .enumerate()
        .filter_map(|(i, key)| match key {
            Value::Text(text) => Some((keys.said(*text), i)),
            _ => None,
        })
        .collect();
    let sizes = sizes(&pickle, &order)?;
    let mut starts = Vec::with_capacity(sizes.len());
    let mut start = at as u64;
    for size in &sizes {
        let Some((element, count)) = *size else {
            return Err(PyTorchError::Form(
                "it has storages that no tensor sees".into(),
            ));
        };
        let end = count
            .checked_mul(element)
            .and_then(|n| n.checked_add(start + 8));
        let Some(end) = end.filter(|end| *end <= bytes) else {
            return Err(PyTorchError::damaged(format!(
                "it needs more than its {bytes} bytes for a storage of {count} numbers"
            )));
        };
        let said = read_at(file, start, 8)?;
        if said != count.to_le_bytes() {
            return Err(PyTorchError::damaged(format!(
                "a storage of {count} numbers has another size where it lies"
            )));
        }
        starts.push(start + 8);
        start = end;
    }
    listed(&pickle, &mut |key, _| match order.get(key) {
        // The sizes were checked above.
        Some(i) => Ok(starts[*i]),
        None => Err(PyTorchError::damaged(format!(
            "storage {} is not in the file",
            shown(key)
        ))),
    })
}

/// Bytes of an element and number of elements of every storage, in the order of the file.
fn sizes(
    pickle: &Pickle<'_>,
    order: &BTreeMap<&str, usize>,
) -> Result<Vec<Option<(u64, u64)>>, PyTorchError> {
    let mut sizes = vec![None; order.len()];
    for storage in pickle.storages() {
        let key = pickle.said(storage.key);
        let size = (storage.element.bytes(), storage.count);
        let Some(known) = order.get(key).and_then(|i| sizes.get_mut(*i)) else {
            return Err(PyTorchError::damaged(format!(
                "storage {} is not in the file",
                shown(key)
            )));
        };
        if known.is_some_and(|known| known != size) {
            return Err(PyTorchError::damaged(format!(
                "storage {} is of two types or sizes",
                shown(key)
            )));
        }
        *known = Some(size);
    }
    Ok(sizes)
}
