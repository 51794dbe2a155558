//! The functions and classes of Python that a file of tensors may name.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Global {
    /// `collections.OrderedDict`: a dictionary.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`, and its predecessor: a view of a storage.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`: a tensor.
    RebuildParameter,
    /// `torch.Size`: a tuple.
    Size,
    /// `torch.device` and element types: of no interest.
    Inert,
    /// The class of a storage.
    Storage(Element),
}

impl Global {
    /// The one of that name; `None` for all that is not known.
    pub fn of(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", "Size") => Some(Self::Size),
            (
                "torch",
                "device" | "float32" | "float16" | "bfloat16" | "float64" | "int64" | "int32"
                | "int16" | "int8" | "uint8" | "bool",
            ) => Some(Self::Inert),
            ("torch" | "torch.cuda", storage) => Element::of_storage(storage).map(Self::Storage),
            _ => None,
        }
    }
}

/// The type of a storage's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// As safetensors spells it.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Element {
    fn of_storage(class: &str) -> Option<Self> {
        let (name, bytes) = match class {
            "FloatStorage" => ("F32", 4),
            "HalfStorage" => ("F16", 2),
            "BFloat16Storage" => ("BF16", 2),
            "DoubleStorage" => ("F64", 8),
            "LongStorage" => ("I64", 8),
            "IntStorage" => ("I32", 4),
            "ShortStorage" => ("I16", 2),
            "CharStorage" => ("I8", 1),
            "ByteStorage" => ("U8", 1),
            "BoolStorage" => ("BOOL", 1),
            _ => return None,
        };
        Some(Self { name, bytes })
    }
}
