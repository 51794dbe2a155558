//! What a pickle can hold.

use super::globals::{Element, Global};
use super::pickle::Text;

/// A value on the stack or in a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// `None`, bytes, large numbers: of no interest.
    Inert,
    /// A fraction.
    Float(f64),
    /// A whole number; truth values are 0 and 1.
    Int(i64),
    /// A text.
    Text(Text),
    /// A known function or class.
    Global(Global),
    /// What lies in the arena.
    Node(u32),
}

/// There may be one for every four bytes of the pickle, in vectors that double.
const _: () = assert!(size_of::<Value>() <= 16);

/// A value that contains others.
#[derive(Debug)]
pub enum Node {
    /// A list or tuple.
    List(Vec<Value>),
    /// A dictionary, in the order of its making.
    Dict(Vec<(Value, Value)>),
    /// Numbers in the file.
    Storage(Storage),
    /// A view of a storage.
    Tensor(Box<View>),
}

/// Numbers that lie somewhere in the file.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    /// Their type.
    pub element: Element,
    /// The name of the place.
    pub key: Text,
    /// How many there are.
    pub count: u64,
}

/// A tensor.
#[derive(Debug, Clone)]
pub struct View {
    /// The storage that it sees.
    pub storage: Storage,
    /// Its first element there.
    pub offset: u64,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// How far apart neighbours are in each dimension, in elements.
    pub strides: Vec<u64>,
}
