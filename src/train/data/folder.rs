//! A folder of class folders.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::gather::{Entry, Gather};
use super::{DataError, DataPlan, Opened, Watch, picture};

/// Folders above one another at most: a part, the class, and some room above.
const MOST_DEPTH: usize = 4;
/// Files and folders at most, pictures or not.
const MOST_ENTRIES: usize = 8_000_000;

/// Reads the pictures in the folders of `root`.
pub fn read(root: &Path, plan: &DataPlan, watch: Watch<'_>) -> Result<Opened, DataError> {
    let mut gather = Gather::new(root.display().to_string(), plan, watch);
    let mut left = MOST_ENTRIES;
    walk(root, root, 0, &mut left, &mut gather)?;
    gather.finish()
}

fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    left: &mut usize,
    gather: &mut Gather<'_>,
) -> Result<(), DataError> {
    let io = |e| DataError::io(folder, e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        if *left == 0 {
            return Err(DataError::TooMuch {
                path: root.display().to_string(),
                what: "files",
                most: MOST_ENTRIES,
            });
        }
        *left -= 1;
        paths.push(entry.map_err(io)?.path());
    }
    paths.sort();
    for path in paths {
        // Links are followed, and what they lead to is looked at: a pipe would never end.
        let Ok(metadata) = fs::metadata(&path) else {
            gather.skip();
            continue;
        };
        if metadata.is_dir() {
            if depth < MOST_DEPTH {
                walk(root, &path, depth + 1, left, gather)?;
            }
            continue;
        }
        let below = path.strip_prefix(root).unwrap_or(&path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        if !metadata.is_file() {
            gather.skip();
            continue;
        }
        // On systems where a backslash may be part of a name it is a name.
        let name = parts.join("/").replace('\\', "_");
        let Entry::Picture(class) = gather.classify(&name)? else {
            continue;
        };
        gather.check_size(&name, metadata.len())?;
        let file = fs::File::open(&path).map_err(|e| DataError::io(&path, e))?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        file.take(picture::MOST_FILE)
            .read_to_end(&mut bytes)
            .map_err(|e| DataError::io(&path, e))?;
        gather.add(class, name, bytes)?;
    }
    Ok(())
}
