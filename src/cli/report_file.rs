//! Reports as files: their place is tried before hours are spent, and they are written when all is done.

use std::fs::OpenOptions;
use std::path::Path;

use serde::Serialize;

use crate::session::probe;

/// Refuses, before anything runs, a report that could not be written or would take the samples' place.
///
/// # Errors
/// With a message for the person.
pub(super) fn check_report(path: &Path, out: Option<&Path>) -> Result<(), String> {
    let name = path.display();
    if out == Some(path) {
        return Err(format!(
            "{name} is asked for twice: give --out and --json names of their own"
        ));
    }
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(format!(
            "{name} cannot be written: give the name of a file in a folder that exists"
        ));
    }
    // Beside pipes and the like nothing can be written.
    let tried = if path.exists() && !path.is_file() {
        OpenOptions::new().append(true).open(path).map(drop)
    } else {
        probe(path)
    };
    tried.map_err(|e| {
        format!("{name}: could not be written: {e}. Check free space and permissions of the folder")
    })
}

/// Writes a report as JSON.
///
/// # Errors
/// With a message for the person.
pub(super) fn write_report(path: &Path, report: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(report).map_err(|e| e.to_string())?;
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_tried_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        check_report(&path, None).unwrap();
        assert!(!path.exists());
        write_report(&path, &[1, 2]).unwrap();
        check_report(&path, None).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<[u8; 2]>(&text).unwrap(), [1, 2]);
        let twice = check_report(&path, Some(&path)).unwrap_err();
        assert!(twice.contains("names of their own"), "{twice}");
        for wrong in [
            folder.path().join("gone/figures.json"),
            folder.path().into(),
        ] {
            let message = check_report(&wrong, None).unwrap_err();
            assert!(message.contains("a folder that exists"), "{message}");
        }
        #[cfg(target_os = "linux")]
        check_report(Path::new("/dev/null"), None).unwrap();
    }
}
