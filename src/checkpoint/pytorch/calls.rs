//! What a pickle calls, without calling it: what each known function would give is built here.

use super::PyTorchError;
use super::globals::Global;
use super::machine::Machine;
use super::values::{Node, Storage, Value, View};
use crate::checkpoint::header::MAX_RANK;

impl Machine<'_> {
    /// A persistent number: `("storage", class, key, device, elements)`, and in old files a view's description.
    pub(super) fn storage(&mut self) -> Result<(), PyTorchError> {
        let value = self.pop()?;
        let wrong =
            || PyTorchError::damaged("its pickle has a storage without type, place or size");
        let items = self.items(value).ok_or_else(wrong)?;
        let [
            Value::Text(kind),
            Value::Global(Global::Storage(element)),
            Value::Text(key),
            _,
            Value::Int(count),
            more @ ..,
        ] = items
        else {
            return Err(wrong());
        };
        if self.reader.said(*kind) != "storage" {
            return Err(wrong());
        }
        if more.iter().any(|value| *value != Value::Inert) {
            return Err(PyTorchError::Form(
                "it has a storage that is part of another".into(),
            ));
        }
        let count = u64::try_from(*count).map_err(|_| wrong())?;
        let storage = Storage {
            element: *element,
            key: *key,
            count,
        };
        self.node(Node::Storage(storage))
    }

    fn items(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Node(at) => match self.nodes.get(at as usize)? {
                Node::List(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    /// "Calls" a known function: what it would give is built here.
    pub(super) fn reduce(&mut self) -> Result<(), PyTorchError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let wrong = |what: &str| PyTorchError::damaged(format!("its pickle has {what}"));
        let Value::Global(function) = function else {
            return Err(wrong("a call of what is no function"));
        };
        let items = self
            .items(arguments)
            .ok_or_else(|| wrong("a call without arguments"))?;
        match (function, items) {
            (Global::OrderedDict, []) => self.node(Node::Dict(Vec::new())),
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let view = self.view([*storage, *offset, *shape, *strides]);
                let view = view.ok_or_else(|| wrong("a tensor without storage or shape"))?;
                if view.shape.len() != view.strides.len() || view.shape.len() > MAX_RANK {
                    return Err(wrong("a tensor of too many dimensions"));
                }
                self.node(Node::Tensor(Box::new(view)))
            }
            (Global::RebuildParameter, [tensor, ..]) | (Global::Size, [tensor]) => {
                let tensor = *tensor;
                self.push(tensor)
            }
            (Global::Inert, _) => self.push(Value::Inert),
            _ => Err(wrong("a call with other arguments than are known")),
        }
    }

    fn view(&self, [storage, offset, shape, strides]: [Value; 4]) -> Option<View> {
        let Value::Node(at) = storage else {
            return None;
        };
        let Node::Storage(storage) = self.nodes.get(at as usize)? else {
            return None;
        };
        let Value::Int(offset) = offset else {
            return None;
        };
        Some(View {
            storage: *storage,
            offset: u64::try_from(offset).ok()?,
            shape: self.sizes(shape)?,
            strides: self.sizes(strides)?,
        })
    }

    /// A tuple of numbers that are not negative.
    fn sizes(&self, value: Value) -> Option<Vec<u64>> {
        let items = self.items(value)?;
        // One more than may be is enough to be refused for it.
        let items = items.iter().take(MAX_RANK + 1);
        items
            .map(|item| match item {
                Value::Int(number) => u64::try_from(*number).ok(),
                _ => None,
            })
            .collect()
    }

    /// Gives an object its attributes: dictionaries have some that are of no interest.
    pub(super) fn build(&mut self) -> Result<(), PyTorchError> {
        self.pop()?;
        match self.top_node()? {
            Node::Dict(_) => Ok(()),
            _ => Err(PyTorchError::Foreign("attributes of an object".into())),
        }
    }
}

/// The name of an opcode that is refused.
pub(super) fn named(opcode: u8) -> String {
    let name = match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x82..=0x84 => "EXT",
        b'P' => "PERSID",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        b'I' => "INT",
        b'L' => "LONG",
        b'F' => "FLOAT",
        b'S' => "STRING",
        b'V' => "UNICODE",
        b'g' => "GET",
        b'p' => "PUT",
        _ => return format!("{opcode:#04x}"),
    };
    format!("{name} ({opcode:#04x})")
}
