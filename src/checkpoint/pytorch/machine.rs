//! The machine that a pickle is a program for, without its dangerous half: it builds numbers, texts, lists,
//! dictionaries, storages and tensors, and can call nothing.
//!
//! Values that contain others lie in an arena and are named by number, so that a value which contains itself is no
//! trouble here. What may be made is bounded by the length of the pickle.

use super::PyTorchError;
use super::calls::named;
use super::globals::Global;
use super::pickle::{Reader, Text, said};
use super::values::{Node, Storage, Value};
use crate::mixture::shortened;

/// The most values that wait on the stack.
const MAX_STACK: usize = 16_384;
/// Nodes and items that every pickle may have, however short.
const SMALL: usize = 4_096;

/// What a pickle holds.
pub struct Pickle<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    /// What it comes to.
    pub result: Value,
    /// How many bytes it took.
    pub taken: usize,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle from the start of `bytes`.
    ///
    /// # Errors
    /// On opcodes and names that are not known, and on whatever does not hold together.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PyTorchError> {
        let mut machine = Machine {
            reader: Reader::new(bytes),
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            most: SMALL + bytes.len() / 8,
            most_kept: SMALL + bytes.len() / 4,
            items_left: SMALL + bytes.len() / 4,
        };
        let result = machine.run()?;
        Ok(Self {
            bytes,
            result,
            taken: machine.reader.taken(),
            nodes: machine.nodes,
        })
    }

    /// The node of a value, if it is one.
    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(at) => self.nodes.get(at as usize),
            _ => None,
        }
    }

    /// Every storage that was named, in the order of naming.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// What a text says.
    pub fn said(&self, text: Text) -> &'a str {
        said(self.bytes, text)
    }
}

/// The machine at work.
pub struct Machine<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Value>,
    /// The most nodes.
    most: usize,
    /// The most values that are kept to be recalled.
    most_kept: usize,
    /// Items that may still be put into containers.
    items_left: usize,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value, PyTorchError> {
        loop {
            let opcode = self.reader.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), PyTorchError> {
        match opcode {
            // Protocol: later ones have opcodes that are refused one by one.
            0x80 => self.reader.byte().map(drop),
            // A frame's length, of no interest.
            0x95 => self.reader.take(8).map(drop),
            b'(' => self.mark(),
            b'0' => self.pop().map(drop),
            b'1' => self.popped_to_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            b'N' => self.push(Value::Inert),
            0x88 => self.push(Value::Int(1)),
            0x89 => self.push(Value::Int(0)),
            b'K' => {
                let [byte] = self.reader.array()?;
                self.push(Value::Int(byte.into()))
            }
            b'M' => {
                let number = u16::from_le_bytes(self.reader.array()?);
                self.push(Value::Int(number.into()))
            }
            b'J' => {
                let number = i32::from_le_bytes(self.reader.array()?);
                self.push(Value::Int(number.into()))
            }
            0x8a => {
                let count = self.reader.byte()?;
                self.long(count.into())
            }
            0x8b => {
                let count = u32::from_le_bytes(self.reader.array()?);
                self.long(count.into())
            }
            b'G' => {
                let number = f64::from_be_bytes(self.reader.array()?);
                self.push(Value::Float(number))
            }
            b'X' | b'T' => {
                let count = u32::from_le_bytes(self.reader.array()?);
                self.text(count.into())
            }
            0x8c | b'U' => {
                let count = self.reader.byte()?;
                self.text(count.into())
            }
            0x8d => {
                let count = u64::from_le_bytes(self.reader.array()?);
                self.text(count)
            }
            b'C' => {
                let count = self.reader.byte()?;
                self.inert(count.into())
            }
            b'B' => {
                let count = u32::from_le_bytes(self.reader.array()?);
                self.inert(count.into())
            }
            0x8e => {
                let count = u64::from_le_bytes(self.reader.array()?);
                self.inert(count)
            }
            b']' | b')' => self.node(Node::List(Vec::new())),
            b'}' => self.node(Node::Dict(Vec::new())),
            b't' | b'l' => {
                let items = self.popped_to_mark()?;
                self.list(items)
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.room_above(count)?;
                let items = self.stack.split_off(start);
                self.list(items)
            }
            b'd' => {
                let items = self.popped_to_mark()?;
                self.node(Node::Dict(Vec::new()))?;
                self.set(&items)
            }
            b's' => {
                let start = self.room_above(2)?;
                let items = self.stack.split_off(start);
                self.set(&items)
            }
            b'u' => {
                let items = self.popped_to_mark()?;
                self.set(&items)
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])
            }
            b'e' => {
                let items = self.popped_to_mark()?;
                self.append(&items)
            }
            b'q' => {
                let at = self.reader.byte()?;
                self.remember(at.into())
            }
            b'r' => {
                let at = u32::from_le_bytes(self.reader.array()?);
                self.remember(at as usize)
            }
            0x94 => self.remember(self.memo.len()),
            b'h' => {
                let at = self.reader.byte()?;
                self.recall(at.into())
            }
            b'j' => {
                let at = u32::from_le_bytes(self.reader.array()?);
                self.recall(at as usize)
            }
            b'c' => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                self.global(module, name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(PyTorchError::damaged("its pickle has a name that is none"));
                };
                self.global(module, name)
            }
            b'Q' => self.storage(),
            b'R' => self.reduce(),
            b'b' => self.build(),
            other => Err(PyTorchError::Foreign(format!(
                "the opcode {}",
                named(other)
            ))),
        }
    }

    pub(super) fn pop(&mut self) -> Result<Value, PyTorchError> {
        let start = self.room_above(1)?;
        Ok(self.stack.split_off(start)[0])
    }

    fn top(&self) -> Result<Value, PyTorchError> {
        let start = self.room_above(1)?;
        Ok(self.stack[start])
    }

    /// Where the last `count` values start; none of them may lie below a mark.
    fn room_above(&self, count: usize) -> Result<usize, PyTorchError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(start),
            _ => Err(PyTorchError::damaged("its pickle takes what is not there")),
        }
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), PyTorchError> {
        if self.stack.len() + self.marks.len() >= MAX_STACK {
            return Err(PyTorchError::damaged(format!(
                "its pickle has more than {MAX_STACK} values waiting"
            )));
        }
        self.stack.push(value);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), PyTorchError> {
        // Counts as a value.
        self.push(Value::Inert)?;
        self.stack.pop();
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn popped_to_mark(&mut self) -> Result<Vec<Value>, PyTorchError> {
        match self.marks.pop() {
            Some(start) => Ok(self.stack.split_off(start)),
            None => Err(PyTorchError::damaged("its pickle lacks a mark")),
        }
    }

    fn inert(&mut self, count: u64) -> Result<(), PyTorchError> {
        self.reader.take(count)?;
        self.push(Value::Inert)
    }

    fn text(&mut self, count: u64) -> Result<(), PyTorchError> {
        let text = self.reader.text(count)?;
        self.push(Value::Text(text))
    }

    /// A number in two's complement; those that need more than 64 bits are of no interest.
    fn long(&mut self, count: u64) -> Result<(), PyTorchError> {
        let bytes = self.reader.take(count)?;
        if bytes.len() > 8 {
            return self.push(Value::Inert);
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    pub(super) fn node(&mut self, node: Node) -> Result<(), PyTorchError> {
        if self.nodes.len() >= self.most {
            return Err(too_much());
        }
        let at = self.nodes.len() as u32;
        self.nodes.push(node);
        self.push(Value::Node(at))
    }

    fn list(&mut self, items: Vec<Value>) -> Result<(), PyTorchError> {
        self.count(items.len())?;
        self.node(Node::List(items))
    }

    /// Counts items before they are kept.
    fn count(&mut self, items: usize) -> Result<(), PyTorchError> {
        self.items_left = self.items_left.checked_sub(items).ok_or_else(too_much)?;
        Ok(())
    }

    /// Puts keys and values into the dictionary below them.
    fn set(&mut self, items: &[Value]) -> Result<(), PyTorchError> {
        self.count(items.len())?;
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top_node()? {
            Node::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err(PyTorchError::damaged(
                "its pickle has a key without a place",
            )),
        }
    }

    fn append(&mut self, items: &[Value]) -> Result<(), PyTorchError> {
        self.count(items.len())?;
        match self.top_node()? {
            Node::List(list) => {
                list.extend_from_slice(items);
                Ok(())
            }
            _ => Err(PyTorchError::damaged(
                "its pickle appends to what is no list",
            )),
        }
    }

    pub(super) fn top_node(&mut self) -> Result<&mut Node, PyTorchError> {
        match self.top()? {
            // Nodes are only ever added.
            Value::Node(at) => Ok(&mut self.nodes[at as usize]),
            _ => Err(PyTorchError::damaged("its pickle fills what holds nothing")),
        }
    }

    fn remember(&mut self, at: usize) -> Result<(), PyTorchError> {
        let value = self.top()?;
        // Picklers count from 0, the oldest from 1.
        if at > self.memo.len() + 1 || at >= self.most_kept {
            return Err(too_much());
        }
        if at >= self.memo.len() {
            self.memo.resize(at + 1, Value::Inert);
        }
        self.memo[at] = value;
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), PyTorchError> {
        match self.memo.get(at).copied() {
            Some(value) => self.push(value),
            None => Err(PyTorchError::damaged(format!(
                "its pickle recalls value {at}, which it never kept"
            ))),
        }
    }

    fn global(&mut self, module: Text, name: Text) -> Result<(), PyTorchError> {
        let (module, name) = (self.reader.said(module), self.reader.said(name));
        match Global::of(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(PyTorchError::Foreign(format!(
                "{}.{}",
                shortened(module, 80).escape_debug(),
                shortened(name, 80).escape_debug()
            ))),
        }
    }
}

fn too_much() -> PyTorchError {
    PyTorchError::damaged("its pickle holds more values than its length allows for")
}
