//! Files that say the shape of a transformer whose weights come from another program: the reference's model files, as
//! JSON, RON, or the plain part of YAML that they are written in.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::CheckpointError;
use crate::mixture::shortened;
use crate::model::DitConfig;

/// The longest such file, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Endings that are looked for, in this order.
const ENDINGS: [&str; 4] = ["json", "yaml", "yml", "ron"];
/// Keys of a YAML file below which the network's fields may stand.
const WRAPPERS: [&str; 4] = ["model", "net", "network", "dit"];

/// Reads the shape of a transformer from a file; the name's ending says in which language.
///
/// # Errors
/// With the path and what is wrong, by field or line.
pub fn read_dit_config(path: &Path) -> Result<DitConfig, CheckpointError> {
    let wrong = |reason: String| CheckpointError::Config {
        path: path.display().to_string(),
        reason: shortened(&reason, 400),
    };
    let metadata = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(wrong(format!(
            "it is no file of at most {MAX_BYTES} bytes but has {}",
            metadata.len()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match &*ending.to_lowercase() {
        "yaml" | "yml" => plain_yaml(&text).and_then(DitConfig::from_fields),
        "ron" => ron::from_str::<DitConfig>(&text)
            .map_err(|e| e.to_string())
            .and_then(|config| match config.validate() {
                Ok(()) => Ok(config),
                Err(e) => Err(e.to_string()),
            }),
        _ => DitConfig::from_json(&text),
    }
    .map_err(wrong)
}

/// The file beside `weights` that says their shape: of the same name, or called `config`.
pub fn shape_file_beside(weights: &Path) -> Option<PathBuf> {
    let own = ENDINGS.iter().map(|ending| weights.with_extension(ending));
    let common = ENDINGS
        .iter()
        .map(|ending| weights.with_file_name(format!("config.{ending}")));
    own.chain(common).find(|path| path.is_file())
}

/// The fields of a YAML file of one level: `key: value`, lists in brackets or a line for each item, comments. The
/// fields may stand below one key such as `model`.
fn plain_yaml(text: &str) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    // A key whose value is in the lines that follow.
    let mut open: Option<String> = None;
    // Whether the fields stand below a key.
    let mut wrapped = false;
    for (number, line) in text.lines().enumerate() {
        let fail = |what: &str| {
            Err(format!(
                "line {}: {what}; only keys with numbers, words and lists of them are read",
                number + 1
            ))
        };
        let content = without_comment(line).trim_end();
        let body = content.trim_start();
        if body.is_empty() || body == "---" {
            continue;
        }
        let indented = body.len() < content.len();
        if let Some(item) = body.strip_prefix('-') {
            let list = open.as_ref().and_then(|key| fields.get_mut(key));
            match (list, scalar(item.trim())) {
                (Some(Value::Array(list)), Some(item)) => list.push(item),
                _ => return fail("an item of no list"),
            }
            continue;
        }
        let Some((key, value)) = body.split_once(':') else {
            return fail("neither a key nor an item");
        };
        let key = key.trim().trim_matches(['"', '\'']).to_owned();
        if indented && !wrapped {
            return fail("a value inside another");
        }
        let value = value.trim();
        if !indented {
            wrapped = value.is_empty() && WRAPPERS.contains(&&*key);
            if wrapped {
                open = None;
                continue;
            }
        }
        if value.is_empty() {
            let twice = fields.insert(key.clone(), Value::Array(Vec::new()));
            if twice.is_some() {
                return fail(&format!("{} a second time", shortened(&key, 40)));
            }
            open = Some(key);
            continue;
        }
        let inline = value.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
        let value = match inline {
            Some(items) => items
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(scalar)
                .collect::<Option<Vec<_>>>()
                .map(Value::Array),
            None => scalar(value),
        };
        let Some(value) = value else {
            return fail("a value that is more than a number or a word");
        };
        open = None;
        if fields.insert(key.clone(), value).is_some() {
            return fail(&format!("{} a second time", shortened(&key, 40)));
        }
    }
    Ok(fields)
}

/// A line up to its comment.
fn without_comment(line: &str) -> &str {
    let comment = line
        .match_indices('#')
        .find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// A number or a word; `None` for everything that YAML gives a meaning of its own.
fn scalar(text: &str) -> Option<Value> {
    let quoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    if let Some(quoted) = quoted {
        return (!quoted.contains(['"', '\'', '\\'])).then(|| quoted.into());
    }
    match text {
        "true" | "True" => return Some(true.into()),
        "false" | "False" => return Some(false.into()),
        "null" | "~" => return Some(Value::Null),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<f64>() {
        return serde_json::Number::from_f64(number).map(Value::Number);
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    (!text.is_empty() && text.chars().all(plain)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "# a model
_target_: src.models.dit.Net  # its class
input_size: 8
patch_size: 2
in_channels: 4
hidden_size: 64
depth: 4
num_heads: 4
label_dim: 10
encoder_depth: 3
model_guidance_class_ws:
  - 2.5
model_guidance_x_cond_ws: []
attn_func: \"base\"
is_zero_data: True
mlp_ratio: 4.0
";

    #[test]
    fn the_same_shape_is_read_from_yaml_json_and_ron() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let plain = read_dit_config(&write("a.yaml", YAML)).unwrap();
        assert_eq!(plain.state(), [4, 8, 8]);
        assert_eq!(plain.model_guidance_class_ws, [2.5]);
        let below = YAML.replace('\n', "\n  ").replace("  - 2.5", "- 2.5");
        let below = write("b.yml", &format!("model:\n  {below}\n"));
        assert_eq!(read_dit_config(&below).unwrap(), plain);
        let json = write("c.json", &serde_json::to_string(&plain).unwrap());
        assert_eq!(read_dit_config(&json).unwrap(), plain);
        let ron = write("d.ron", &ron::to_string(&plain).unwrap());
        assert_eq!(read_dit_config(&ron).unwrap(), plain);

        let weights = folder.path().join("d.pt");
        assert_eq!(shape_file_beside(&weights), Some(ron));
        let weights = folder.path().join("other.pt");
        assert_eq!(shape_file_beside(&weights), None);
        let common = write("config.json", "{}");
        assert_eq!(shape_file_beside(&weights), Some(common));
    }

    #[test]
    fn yaml_that_is_more_than_keys_and_values_is_refused_by_its_line() {
        for (line, part) in [
            ("depth: ${depth}", "line 17"),
            ("other: {a: 1}", "more than a number"),
            ("other:\n  inner: 3", "line 18: a value inside another"),
            ("- 3", "an item of no list"),
            ("depth: 9", "depth a second time"),
            ("words", "neither a key nor an item"),
            ("anchor: &a 3", "more than a number"),
            ("colour: red", "colour"),
        ] {
            let text = format!("{YAML}{line}\n");
            let read = plain_yaml(&text).and_then(DitConfig::from_fields);
            let message = read.unwrap_err();
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}
