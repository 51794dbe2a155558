//! The rooms under `src/` and who may know whom. The tables come first; the rest reads the sources and compares.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may use. Nothing points up: every room is listed after those it uses.
/// Unit tests are free to compare with any room.
const ARROWS: &[(&str, &[&str])] = &[
    ("process", &[]),
    ("gpu", &[]),
    ("mixture", &["process"]),
    ("model", &["process"]),
    ("metrics", &["process", "mixture", "model"]),
    ("checkpoint", &["process", "mixture", "model"]),
    ("lookahead", &["process", "mixture", "model", "metrics"]),
    ("reward", &["process", "mixture", "model"]),
    (
        "steer",
        &[
            "process",
            "mixture",
            "model",
            "metrics",
            "lookahead",
            "reward",
        ],
    ),
    (
        "session",
        &["process", "mixture", "lookahead", "reward", "steer"],
    ),
    (
        "train",
        &[
            "process",
            "mixture",
            "model",
            "metrics",
            "checkpoint",
            "lookahead",
            "reward",
        ],
    ),
    (
        "engine",
        &[
            "process",
            "gpu",
            "mixture",
            "model",
            "metrics",
            "checkpoint",
            "lookahead",
            "reward",
            "steer",
            "session",
            "train",
        ],
    ),
    ("render", &["gpu", "mixture"]),
    (
        "ui",
        &[
            "process",
            "gpu",
            "mixture",
            "model",
            "metrics",
            "checkpoint",
            "lookahead",
            "reward",
            "steer",
            "session",
            "train",
            "engine",
            "render",
        ],
    ),
    (
        "cli",
        &[
            "process",
            "gpu",
            "mixture",
            "model",
            "metrics",
            "checkpoint",
            "lookahead",
            "reward",
            "steer",
            "session",
            "train",
            "engine",
            "render",
        ],
    ),
];

/// Crates by the first letters of their names, and the rooms that must not mention them.
const FORBIDDEN_CRATES: &[(&[&str], &[&str])] = &[
    (
        &["egui", "eframe"],
        &[
            "process",
            "mixture",
            "model",
            "metrics",
            "checkpoint",
            "lookahead",
            "reward",
            "steer",
            "session",
            "train",
            "engine",
        ],
    ),
    (
        &["burn", "cubecl"],
        &["process", "mixture", "metrics", "reward", "session", "ui"],
    ),
];

/// The only file that may name a colour.
const COLOURS: &str = "ui/tokens.rs";
/// What naming a colour looks like; `Color32::TRANSPARENT` and `PLACEHOLDER` are the absence of one.
const COLOUR_PATTERNS: &[&str] = &[
    "Color32::",
    "Rgba::from",
    "Hsva::",
    "hex_color!",
    "wgpu::Color::",
];
const NO_COLOURS: &[&str] = &["TRANSPARENT", "PLACEHOLDER", "default"];

/// The most lines that a source file may have.
const MAX_LINES: usize = 500;

/// One source file: its room (`main` for the binary, `lib` for the list of rooms), its path under `src/`, its text and its code without comments and strings.
struct Source {
    room: String,
    path: String,
    text: String,
    code: String,
}

#[test]
fn the_arrows_point_down_only() {
    for (index, (room, uses)) in ARROWS.iter().enumerate() {
        for used in *uses {
            assert!(
                ARROWS[..index].iter().any(|(name, _)| name == used),
                "the table lets {room} use {used}, which is not listed before it"
            );
        }
    }
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<_> = sources().into_iter().map(|s| s.room).collect();
    let known: BTreeSet<_> = ARROWS
        .iter()
        .map(|(room, _)| (*room).to_owned())
        .chain(["main".to_owned(), "lib".to_owned()])
        .collect();
    assert_eq!(
        rooms, known,
        "rooms under src/ and rooms in the table differ"
    );
}

#[test]
fn no_room_uses_a_room_above_it() {
    let rooms: Vec<_> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut complaints = String::new();
    let sources = sources();
    let tests = test_files(&sources);
    for source in &sources {
        if tests.iter().any(|test| source.path.starts_with(test)) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == source.room) else {
            continue; // `main` and `lib` may use every room.
        };
        for used in used_rooms(without_tests(&source.code)) {
            if rooms.contains(&used.as_str())
                && used != source.room
                && !allowed.contains(&used.as_str())
            {
                let _ = writeln!(
                    complaints,
                    "src/{}: {} must not use {used}",
                    source.path, source.room
                );
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn screens_and_tensors_stay_in_their_rooms() {
    let mut complaints = String::new();
    for source in sources() {
        for (crates, rooms) in FORBIDDEN_CRATES {
            if !rooms.contains(&source.room.as_str()) {
                continue;
            }
            for word in words(&source.code) {
                if crates
                    .iter()
                    .any(|c| word == *c || word.starts_with(&format!("{c}_")))
                {
                    let _ = writeln!(
                        complaints,
                        "src/{}: {} must not mention {word}",
                        source.path, source.room
                    );
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn colours_live_in_tokens_alone() {
    let mut complaints = String::new();
    for source in sources().iter().filter(|s| s.path != COLOURS) {
        for (number, line) in source.code.lines().enumerate() {
            for pattern in COLOUR_PATTERNS {
                let named = line
                    .split(pattern)
                    .skip(1)
                    .any(|rest| !NO_COLOURS.iter().any(|absent| rest.starts_with(absent)));
                if named {
                    let _ = writeln!(
                        complaints,
                        "src/{}:{}: name this colour in {COLOURS}",
                        source.path,
                        number + 1
                    );
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn source_files_stay_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|s| (s.path, s.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    assert!(
        long.is_empty(),
        "more than {MAX_LINES} lines, split them: {long:?}"
    );
}

#[test]
fn the_reader_of_sources_sees_what_it_should() {
    let code = code_only(
        "use crate::{gpu::Frame, mixture::{self, World}}; // crate::ui\n\
         /* crate::cli /* nested */ */ let a = \"crate::engine\"; let b = r#\"crate::\"train\"#;\n\
         let c = '\"'; let d: &'static str = crate::session::NAME; pub(crate) fn f() {}\n\
         use super::super::render::X; foresight::model::Y",
    );
    let used: Vec<_> = used_rooms(&code).into_iter().collect();
    assert_eq!(
        used,
        ["gpu", "mixture", "model", "render", "session"],
        "{code}"
    );
}

/// All `.rs` files under `src/`.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("the folder was listed a moment ago");
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(source(&root, &path));
            }
        }
    }
    assert!(found.len() > 20, "only {} sources found", found.len());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn source(root: &Path, path: &PathBuf) -> Source {
    let text = std::fs::read_to_string(path).expect("sources are readable text");
    let inside = path.strip_prefix(root).expect("found under the root");
    let path = inside.to_string_lossy().replace('\\', "/");
    let room = path.split('/').next().unwrap_or_default();
    Source {
        room: room.trim_end_matches(".rs").to_owned(),
        code: code_only(&text),
        path,
        text,
    }
}

/// The code before the unit tests, which come last in a file.
fn without_tests(code: &str) -> &str {
    code.match_indices("#[cfg(test)]")
        .find(|(at, test)| inline_module(&code[at + test.len()..]))
        .map_or(code, |(at, _)| &code[..at])
}

fn inline_module(after: &str) -> bool {
    let brace = after.find(['{', ';']);
    after.trim_start().starts_with("mod ") && brace.is_some_and(|at| after[at..].starts_with('{'))
}

/// How the paths start of the files that some file declares as `#[cfg(test)] mod name;`, with `pub` or without.
fn test_files(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let folder = match file {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => source.path.trim_end_matches(".rs").to_owned(),
        };
        for declared in source.code.split("#[cfg(test)]").skip(1) {
            // Tests of other rooms may share it.
            let words = declared.split_whitespace();
            let mut parts = words.skip_while(|word| word.starts_with("pub"));
            if let (Some("mod"), Some(name)) = (parts.next(), parts.next())
                && let Some(name) = name.strip_suffix(';')
            {
                found.push(format!("{folder}/{name}.rs"));
                found.push(format!("{folder}/{name}/"));
            }
        }
    }
    found
}

/// The text without comments, and with empty strings; lines stay lines.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    // Keeps the line breaks of what is left out.
    let skip = |code: &mut String, skipped: &str| {
        code.push(' ');
        code.extend(skipped.chars().filter(|c| *c == '\n'));
    };
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, code.chars().last()) {
            length
        } else if c == '"' {
            string(rest)
        } else if let Some(length) = character(rest) {
            length
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        skip(&mut code, &rest[..length]);
        rest = &rest[length..];
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') && before != Some('b') {
        return None;
    }
    let hashes = text.strip_prefix('r')?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let body = hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + length)
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; `None` for lifetimes and everything else.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if let Some(escape) = body.strip_prefix('\\') {
        let skipped = escape.chars().next()?.len_utf8();
        return Some(2 + skipped + escape[skipped..].find('\'')? + 1);
    }
    let c = body.chars().next()?;
    body[c.len_utf8()..]
        .starts_with('\'')
        .then(|| 2 + c.len_utf8())
}

/// The first names after `crate::`, `foresight::` and `super::super::`, groups in braces included.
fn used_rooms(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for prefix in ["crate::", "foresight::", "super::super::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                used.extend(group_heads(group));
            } else {
                used.extend(words(rest).next().map(str::to_owned));
            }
        }
    }
    used
}

/// The first word of each member of `{a::b, c::{d, e}}`, the opening brace being read already.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut member) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(std::mem::take(&mut member)),
            _ if depth == 0 => member.push(c),
            _ => {}
        }
    }
    heads.push(member);
    heads
        .iter()
        .filter_map(|m| words(m).next().map(str::to_owned))
        .collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}
