//! The session in a file of its own while one works: whole or not at all, off the thread that paints.
//!
//! eframe's storage is written in place: a program that is killed while it writes would leave half a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::session::{Session, write_atomically};

use super::tokens::duration;

const SESSION: &str = "session.ron";
const WINDOW: &str = "window.ron";
/// Where a session goes that this version cannot read.
const ASIDE: &str = "session-unreadable.ron";

/// What waits to be written: the newest, never more than one.
#[derive(Default)]
struct Waiting {
    next: Option<(Session, String)>,
    is_over: bool,
}

#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Plain data that is valid between any two statements.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what it is handed; ends when all of it is written.
pub struct Autosave {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
    /// The session as it was handed over last, and when.
    kept: Option<(Session, Instant)>,
}

impl Autosave {
    /// Into a folder that is there.
    pub fn new(folder: &Path) -> Self {
        let desk = Arc::new(Desk::default());
        let (theirs, folder) = (desk.clone(), folder.to_owned());
        let thread = std::thread::Builder::new()
            .name("foresight-autosave".into())
            .spawn(move || write_all(&theirs, &folder))
            .inspect_err(|e| tracing::error!("the thread that saves did not start: {e}"))
            .ok();
        Self {
            desk,
            thread,
            kept: None,
        }
    }

    /// Hands the session over where it changed, not too often; `window` gives what else is kept. Gives when to ask again,
    /// where something is left to write.
    pub fn tend(&mut self, session: &Session, window: impl FnOnce() -> String) -> Option<Duration> {
        if let Some((kept, at)) = &self.kept {
            if kept == session {
                return None;
            }
            let left = duration::KEEP.saturating_sub(at.elapsed());
            if !left.is_zero() {
                return Some(left);
            }
        }
        self.keep(session, window());
        None
    }

    /// Hands the session over as it is.
    pub fn keep(&mut self, session: &Session, window: String) {
        self.kept = Some((session.clone(), Instant::now()));
        self.desk.lock().next = Some((session.clone(), window));
        self.desk.changed.notify_one();
    }
}

impl Drop for Autosave {
    fn drop(&mut self) {
        self.desk.lock().is_over = true;
        self.desk.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that saves ended in a panic");
        }
    }
}

fn write_all(desk: &Desk, folder: &Path) {
    let (mut last_session, mut last_window) = (String::new(), String::new());
    loop {
        let mut waiting = desk.lock();
        let (session, window) = loop {
            if let Some(next) = waiting.next.take() {
                break next;
            }
            if waiting.is_over {
                return;
            }
            let woken = desk.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        };
        drop(waiting);
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            let written = write_atomically(&path, |file| file.write_all(text.as_bytes()));
            if let Err(e) = written {
                tracing::warn!("{}: the session is not kept: {e}", path.display());
            }
        };
        let session = session.to_ron();
        if session != last_session {
            write(SESSION, &session);
            last_session = session;
        }
        if window != last_window {
            write(WINDOW, &window);
            last_window = window;
        }
    }
}

/// What was kept in a folder.
#[derive(Default)]
pub struct Found {
    /// The session.
    pub session: Option<Session>,
    /// What else was kept, as text.
    pub window: Option<String>,
    /// Why a session that is there cannot be shown, and where it is now.
    pub trouble: Option<String>,
}

/// Reads what was kept. What cannot be read is put aside, never written over.
pub fn find(folder: &Path) -> Found {
    let path: PathBuf = folder.join(SESSION);
    let window = std::fs::read_to_string(folder.join(WINDOW)).ok();
    if !path.exists() {
        return Found {
            window,
            ..Found::default()
        };
    }
    match Session::load(&path) {
        Ok(session) => Found {
            session: Some(session),
            window,
            trouble: None,
        },
        Err(e) => {
            let aside = folder.join(ASIDE);
            let moved = std::fs::rename(&path, &aside);
            let place = if moved.is_ok() { &aside } else { &path };
            Found {
                session: None,
                window,
                trouble: Some(format!(
                    "The session of the last run could not be read, and lies in {}. {e}",
                    place.display()
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_session_that_was_handed_over_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut autosave = Autosave::new(folder.path());
        let session = |seed| Session {
            seed,
            ..Session::default()
        };
        assert_eq!(autosave.tend(&session(1), || "one".into()), None);
        assert_eq!(autosave.tend(&session(1), || "no".into()), None);
        let wait = autosave.tend(&session(2), || "two".into());
        assert!(wait.is_some_and(|wait| wait <= duration::KEEP));
        for seed in 3..50 {
            autosave.keep(&session(seed), format!("{seed}"));
        }
        // All that was handed over is written before it ends.
        drop(autosave);
        let found = find(folder.path());
        assert_eq!(found.session, Some(session(49)));
        assert_eq!(found.window.as_deref(), Some("49"));
        assert_eq!(found.trouble, None);
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing half written stays");
    }

    #[test]
    fn what_cannot_be_read_is_put_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find(folder.path()).session.is_none());
        let text = "(format: 1, future: 3)";
        std::fs::write(folder.path().join(SESSION), text).unwrap();
        let found = find(folder.path());
        assert_eq!(found.session, None);
        let trouble = found.trouble.unwrap();
        assert!(
            trouble.contains(ASIDE) && trouble.contains("future"),
            "{trouble}"
        );
        let aside = std::fs::read_to_string(folder.path().join(ASIDE)).unwrap();
        assert_eq!(aside, text);
        assert!(find(folder.path()).trouble.is_none());
    }
}
