//! Files that others publish and rewards may ask: where they are, for this session and the next.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::engine::scorer_path;
use crate::reward::picture::{PictureKind, ScorerFile, ScorerFiles};
use crate::ui::errands::Pick;

use super::State;

/// How long what was found stays true: the disk is not asked for every picture of the window.
const TRUE_FOR: Duration = Duration::from_secs(2);

/// Where such files are.
#[derive(Default)]
pub struct Scorers {
    /// Where the person said in this session or an earlier one.
    remembered: ScorerFiles,
    /// Which were found, when it was last looked.
    found: Option<(Instant, ScorerFiles, Vec<ScorerFile>)>,
}

impl Scorers {
    /// What is kept for the next start.
    pub fn remembered(&self) -> &ScorerFiles {
        &self.remembered
    }

    /// What was kept at the last.
    pub fn remember(&mut self, files: ScorerFiles) {
        self.remembered = files;
    }
}

impl State {
    /// Where the files are: as the session says, else as the person said before.
    pub fn scorer_files(&self) -> ScorerFiles {
        self.session.images.files.or(&self.scorers.remembered)
    }

    /// The first file that a kind of reward needs and that is nowhere.
    pub fn missing_file(&mut self, kind: &PictureKind) -> Option<ScorerFile> {
        if kind.needs.files.is_empty() {
            return None;
        }
        let files = self.scorer_files();
        let current = self.scorers.found.take();
        let current = current.filter(|(at, of, _)| at.elapsed() < TRUE_FOR && *of == files);
        let (_, _, found) = self.scorers.found.insert(current.unwrap_or_else(|| {
            let there =
                |file: &ScorerFile| scorer_path(*file, &files).is_some_and(|path| path.exists());
            let found = ScorerFile::ALL.into_iter().filter(there).collect();
            (Instant::now(), files, found)
        }));
        let mut needed = kind.needs.files.iter().copied();
        needed.find(|file| !found.contains(file))
    }

    /// Lets the person point at a file.
    pub fn pick_scorer(&mut self, file: ScorerFile) {
        self.pick(Pick::Scorer(file));
    }

    pub(super) fn point_at_scorer(&mut self, file: ScorerFile, path: PathBuf) {
        self.session.images.files.point(file, path.clone());
        self.scorers.remembered.point(file, path);
    }
}
