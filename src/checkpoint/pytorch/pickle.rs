//! The bytes of a pickle, taken one piece after the other.

use super::PyTorchError;

/// Where a text lies in the pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    start: u32,
    end: u32,
}

/// A pickle that is being read.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the first byte on. At most 4 GiB, which the limit on pickles holds well below.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were taken.
    pub const fn taken(&self) -> usize {
        self.at
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], PyTorchError> {
        let rest = &self.bytes[self.at..];
        let Some(piece) = usize::try_from(count).ok().and_then(|n| rest.get(..n)) else {
            return Err(PyTorchError::damaged(format!(
                "its pickle asks for {count} bytes where {} are left",
                rest.len()
            )));
        };
        self.at += piece.len();
        Ok(piece)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], PyTorchError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, PyTorchError> {
        self.array().map(|[byte]| byte)
    }

    /// A text of `count` bytes.
    pub fn text(&mut self, count: u64) -> Result<Text, PyTorchError> {
        let start = self.at as u32;
        if std::str::from_utf8(self.take(count)?).is_err() {
            return Err(PyTorchError::damaged("its pickle has a text that is none"));
        }
        let end = self.at as u32;
        Ok(Text { start, end })
    }

    /// A text up to the end of its line.
    pub fn line(&mut self) -> Result<Text, PyTorchError> {
        let rest = &self.bytes[self.at..];
        let Some(count) = rest.iter().position(|b| *b == b'\n') else {
            return Err(PyTorchError::damaged("its pickle has a name without end"));
        };
        let text = self.text(count as u64)?;
        self.at += 1;
        Ok(text)
    }

    /// What a text says.
    pub fn said(&self, text: Text) -> &'a str {
        said(self.bytes, text)
    }
}

/// What a text of the pickle `bytes` says.
pub fn said(bytes: &[u8], text: Text) -> &str {
    let piece = bytes.get(text.start as usize..text.end as usize);
    // It was checked when it was taken.
    piece
        .and_then(|b| std::str::from_utf8(b).ok())
        .unwrap_or_default()
}
