//! Files as PyTorch writes them, made by hand: small pickles, zips of stored entries, and the format before them.

/// A tensor to be written: name, class of its storage, shape, strides, and its bytes.
#[derive(Clone)]
pub struct Written {
    pub name: String,
    pub class: &'static str,
    pub width: usize,
    pub shape: Vec<usize>,
    pub strides: Option<Vec<usize>>,
    pub bytes: Vec<u8>,
}

impl Written {
    pub fn floats(name: &str, shape: &[usize], values: &[f32]) -> Self {
        Self {
            name: name.into(),
            class: "FloatStorage",
            width: 4,
            shape: shape.to_vec(),
            strides: None,
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

/// A pickle that is being written.
#[derive(Clone, Default)]
pub struct Pickled(pub Vec<u8>);

impl Pickled {
    pub fn new() -> Self {
        Self(vec![0x80, 2])
    }

    pub fn op(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn text(self, text: &str) -> Self {
        self.op(b"X")
            .op(&(text.len() as u32).to_le_bytes())
            .op(text.as_bytes())
    }

    pub fn int(self, number: usize) -> Self {
        match i32::try_from(number) {
            Ok(small) => self.op(b"J").op(&small.to_le_bytes()),
            Err(_) => self.op(&[0x8a, 8]).op(&(number as u64).to_le_bytes()),
        }
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.op(b"c")
            .op(module.as_bytes())
            .op(b"\n")
            .op(name.as_bytes())
            .op(b"\n")
    }

    fn sizes(self, sizes: &[usize]) -> Self {
        let all = sizes.iter().fold(self.op(b"("), |p, n| p.int(*n));
        all.op(b"t")
    }

    /// `_rebuild_tensor_v2` of `count` numbers in the storage called `key`.
    pub fn tensor(self, tensor: &Written, key: &str, count: usize, old: bool) -> Self {
        let strides = tensor.strides.clone().unwrap_or_else(|| {
            let inner = |d: usize| tensor.shape[d + 1..].iter().product();
            (0..tensor.shape.len()).map(inner).collect()
        });
        let start = self
            .global("torch._utils", "_rebuild_tensor_v2")
            .op(b"((")
            .text("storage")
            .global("torch", tensor.class)
            .text(key)
            .text("cpu")
            .int(count);
        let start = if old { start.op(b"N") } else { start };
        start
            .op(b"tQK\0")
            .sizes(&tensor.shape)
            .sizes(&strides)
            .op(b"\x89")
            .global("collections", "OrderedDict")
            .op(b")RtR")
    }

    /// An ordered dictionary of tensors, storages called `first` and so on.
    pub fn dict(self, tensors: &[Written], first: usize, old: bool) -> Self {
        let start = self.global("collections", "OrderedDict").op(b")R(");
        let all = tensors.iter().enumerate().fold(start, |p, (i, tensor)| {
            let count = tensor.bytes.len() / tensor.width;
            p.text(&tensor.name)
                .tensor(tensor, &(first + i).to_string(), count, old)
        });
        // With the attribute that `state_dict` leaves on it.
        all.op(b"u}").text("_metadata").op(b"}sb")
    }

    pub fn end(self) -> Vec<u8> {
        self.op(b".").0
    }
}

/// A zip of stored entries.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let start = out.len() as u32;
        // Version, flags, method, time, date; the checksum is not looked at.
        let mut common = vec![0; 14];
        common[0] = 20;
        for size in [bytes.len() as u32; 2] {
            common.extend(size.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        out.extend((entries.len() as u16).to_le_bytes());
    }
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// The file around a pickle and the storages that it names 0, 1, ...
pub fn archive(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<_> = (0..storages.len())
        .map(|i| format!("model/data/{i}"))
        .collect();
    let mut entries: Vec<(&str, &[u8])> =
        vec![("model/data.pkl", pickle), ("model/byteorder", b"little")];
    entries.extend(
        names
            .iter()
            .zip(storages)
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice())),
    );
    entries.push(("model/version", b"3\n"));
    zip(&entries)
}

/// What `torch.save` writes of a dictionary of tensors.
pub fn saved(tensors: &[Written]) -> Vec<u8> {
    let storages: Vec<_> = tensors.iter().map(|t| t.bytes.clone()).collect();
    archive(&Pickled::new().dict(tensors, 0, false).end(), &storages)
}

/// What it wrote before version 1.6.
pub fn saved_of_old(tensors: &[Written]) -> Vec<u8> {
    let mut out = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    out.extend(Pickled::new().int(1001).end());
    out.extend(Pickled::new().op(b"}").end());
    out.extend(Pickled::new().dict(tensors, 0, true).end());
    let keys = (0..tensors.len()).fold(Pickled::new().op(b"]("), |p, i| p.text(&i.to_string()));
    out.extend(keys.op(b"e").end());
    for tensor in tensors {
        out.extend(((tensor.bytes.len() / tensor.width) as u64).to_le_bytes());
        out.extend(&tensor.bytes);
    }
    out
}
