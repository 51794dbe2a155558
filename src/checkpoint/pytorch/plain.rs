//! A pickle that holds lists of numbers alone, outside of any PyTorch file. Nothing is run here either.

use std::collections::BTreeMap;

use super::PyTorchError;
use super::machine::Pickle;
use super::values::{Node, Value};

/// The lists of a pickled dictionary of lists of numbers.
///
/// # Errors
/// On whatever else it holds.
pub fn number_lists(bytes: &[u8]) -> Result<BTreeMap<String, Vec<f64>>, PyTorchError> {
    let pickle = Pickle::read(bytes)?;
    let Some(Node::Dict(pairs)) = pickle.node(pickle.result) else {
        return Err(PyTorchError::damaged("it is no dictionary"));
    };
    let mut lists = BTreeMap::new();
    for (key, value) in pairs {
        let (Value::Text(key), Some(Node::List(items))) = (key, pickle.node(*value)) else {
            return Err(PyTorchError::damaged("it is no dictionary of lists"));
        };
        let number = |item: &Value| match item {
            Value::Float(number) => Ok(*number),
            Value::Int(number) => Ok(*number as f64),
            _ => Err(PyTorchError::damaged(
                "a list of it holds other than numbers",
            )),
        };
        let numbers: Result<Vec<f64>, _> = items.iter().map(number).collect();
        lists.insert(pickle.said(*key).to_owned(), numbers?);
    }
    Ok(lists)
}
