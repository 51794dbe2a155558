//! Recently opened files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Newest first, without repeats, at most twelve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentFiles(Vec<PathBuf>);

impl RecentFiles {
    const LIMIT: usize = 12;

    /// Puts `path` first.
    pub fn touch(&mut self, path: &Path) {
        self.0.retain(|p| p != path);
        self.0.insert(0, path.to_owned());
        self.0.truncate(Self::LIMIT);
    }

    /// Forgets `path`, for instance because it is gone.
    pub fn forget(&mut self, path: &Path) {
        self.0.retain(|p| p != path);
    }

    /// Newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }

    /// Whether nothing was opened yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_comes_first_and_only_once() {
        let mut recent = RecentFiles::default();
        for name in ["a", "b", "a"] {
            recent.touch(Path::new(name));
        }
        let names: Vec<_> = recent.iter().map(Path::to_path_buf).collect();
        assert_eq!(names, [PathBuf::from("a"), PathBuf::from("b")]);
    }
}
