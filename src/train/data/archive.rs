//! A `.tar`, `.tar.xz` or `.zip` of class folders, read in one pass and never unpacked to disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::gather::{Entry, Gather};
use super::{DataError, DataPlan, Opened, Watch, picture};

/// Memory that the xz decoder may take: what `xz -9` makes needs 65 MiB.
const MOST_DECODER_BYTES: u64 = 256 << 20;
/// Bytes that an archive may unpack to: so many for each of its own, beside [`MOST_UNPACKED`]. Pictures are packed
/// already, so that an archive of them hardly grows.
const MOST_GROWTH: u64 = 256;
/// See [`MOST_GROWTH`].
const MOST_UNPACKED: u64 = 16 << 20;
/// Bytes of a zip's list of entries for each entry, at least.
const ZIP_ENTRY_BYTES: u64 = 46;
/// Entries at most, pictures or not.
const MOST_ENTRIES: usize = 8_000_000;

/// Reads an archive by what it is, whatever its name.
pub fn read(path: &Path, plan: &DataPlan, watch: Watch<'_>) -> Result<Opened, DataError> {
    let name = path.display().to_string();
    let io = |e| DataError::io(path, e);
    let mut file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut start = Vec::with_capacity(512);
    file.by_ref()
        .take(512)
        .read_to_end(&mut start)
        .map_err(io)?;
    file.rewind().map_err(io)?;
    let most = MOST_UNPACKED.saturating_add(bytes.saturating_mul(MOST_GROWTH));
    let gather = Gather::new(name.clone(), plan, watch);
    if start.starts_with(b"\xfd7zXZ\0") {
        let stream = Stream::new_stream_decoder(MOST_DECODER_BYTES, CONCATENATED)
            .map_err(|e| DataError::archive(&name, e))?;
        tar(XzDecoder::new_stream(file, stream), most, &name, gather)
    } else if start.get(257..262) == Some(b"ustar") {
        tar(BufReader::new(file), most, &name, gather)
    } else if start.starts_with(b"PK\x03\x04") {
        zip(file, bytes, most, &name, gather)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        let reason = "it is packed with gzip, which is not read; xz and zip are";
        Err(DataError::archive(&name, reason))
    } else {
        Err(DataError::Unknown { path: name })
    }
}

/// Lets so many bytes through, then fails: what is left of an archive that grows without end.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(io::Error::other(
                "it unpacks to far more than an archive of pictures would",
            )),
        }
    }
}

fn tar(
    source: impl Read,
    most: u64,
    path: &str,
    mut gather: Gather<'_>,
) -> Result<Opened, DataError> {
    let damaged = |e: io::Error| DataError::archive(path, e);
    let bounded = Bounded {
        inner: source,
        left: most,
    };
    let mut archive = tar::Archive::new(bounded);
    for (number, entry) in archive.entries().map_err(damaged)?.enumerate() {
        let entry = entry.map_err(damaged)?;
        check_count(number, path)?;
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() {
            continue;
        }
        let wanted = gather.classify(&name)?;
        let Entry::Picture(class) = wanted else {
            continue;
        };
        if !kind.is_file() {
            // Links and devices: nothing to read here.
            gather.skip();
            continue;
        }
        gather.check_size(&name, entry.size())?;
        let announced = entry.size();
        let bytes = take(entry, announced).map_err(damaged)?;
        gather.add(class, name, bytes)?;
    }
    gather.finish()
}

fn zip(
    file: File,
    file_bytes: u64,
    most: u64,
    path: &str,
    mut gather: Gather<'_>,
) -> Result<Opened, DataError> {
    let fault = |e: zip::result::ZipError| DataError::archive(path, e);
    let mut left = most;
    let io = |e| DataError::archive(path, e);
    if announced_entries(&file, file_bytes).map_err(io)? > file_bytes / ZIP_ENTRY_BYTES {
        let reason = "it announces more entries than it can hold";
        return Err(DataError::archive(path, reason));
    }
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(fault)?;
    for number in 0..archive.len() {
        check_count(number, path)?;
        let entry = archive.by_index(number).map_err(fault)?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().to_owned();
        let Entry::Picture(class) = gather.classify(&name)? else {
            continue;
        };
        if entry.is_symlink() {
            gather.skip();
            continue;
        }
        gather.check_size(&name, entry.size())?;
        let announced = entry.size();
        let bounded = Bounded { inner: entry, left };
        let bytes = take(bounded, announced).map_err(|e| DataError::archive(path, e))?;
        left = left.saturating_sub(bytes.len() as u64);
        gather.add(class, name, bytes)?;
    }
    gather.finish()
}

/// The most entries that any end record of a zip announces: the reader takes memory for so many before it looks at
/// them. Old records are at the end, new ones (zip64) where a locator at the end says.
fn announced_entries(mut file: &File, file_bytes: u64) -> io::Result<u64> {
    // The longest comment, the old record, a locator and a new record of the usual length.
    const TAIL: u64 = 65_535 + 22 + 20 + 56;
    let start = file_bytes.saturating_sub(TAIL);
    let mut tail = Vec::with_capacity((file_bytes - start) as usize);
    file.seek(io::SeekFrom::Start(start))?;
    file.take(TAIL).read_to_end(&mut tail)?;
    let mut most = 0;
    for at in 0..tail.len() {
        let word = |from: usize| tail.get(at + from..at + from + 8)?.try_into().ok();
        let long = |from: usize| word(from).map_or(0, u64::from_le_bytes);
        if tail[at..].starts_with(b"PK\x05\x06") {
            let count = long(10) & 0xffff;
            // 0xffff stands for "see the new record".
            if count < 0xffff {
                most = most.max(count);
            }
        } else if tail[at..].starts_with(b"PK\x06\x06") {
            most = most.max(long(32));
        } else if tail[at..].starts_with(b"PK\x06\x07") && long(8) < file_bytes {
            let mut record = Vec::with_capacity(40);
            file.seek(io::SeekFrom::Start(long(8)))?;
            file.take(40).read_to_end(&mut record)?;
            if let Some(count) = record.get(32..40).and_then(|b| b.try_into().ok()) {
                most = most.max(u64::from_le_bytes(count));
            }
        }
    }
    file.rewind()?;
    Ok(most)
}

/// The bytes of an entry, which must be as many as were announced: at most [`picture::MOST_FILE`], checked before.
fn take(entry: impl Read, announced: u64) -> io::Result<Vec<u8>> {
    // What is announced need not be there, so that memory grows with what comes.
    let mut bytes = Vec::with_capacity(announced.min(1 << 16) as usize);
    entry
        .take(announced.min(picture::MOST_FILE) + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 == announced {
        Ok(bytes)
    } else {
        Err(io::Error::other(format!(
            "an entry announces {announced} bytes and has {}",
            bytes.len()
        )))
    }
}

fn check_count(number: usize, path: &str) -> Result<(), DataError> {
    if number < MOST_ENTRIES {
        return Ok(());
    }
    Err(DataError::TooMuch {
        path: path.to_owned(),
        what: "entries",
        most: MOST_ENTRIES,
    })
}
