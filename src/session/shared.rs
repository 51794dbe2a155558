//! Lists whose entries undo shares with the present: written and read as plain lists.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes the entries themselves.
pub(super) fn serialize<T: Serialize, S: Serializer>(
    entries: &[Arc<T>],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(entries.iter().map(AsRef::as_ref))
}

/// Reads them.
pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<Arc<T>>, D::Error> {
    let entries = Vec::<T>::deserialize(from)?;
    Ok(entries.into_iter().map(Arc::new).collect())
}
