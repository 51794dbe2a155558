//! The copies of one network in a file: what stands before its names, and which copy to take.
//!
//! In the wild the same weights go by `x_embedder.proj.weight`, `model.dit.x_embedder.proj.weight`,
//! `module._orig_mod.x_embedder.proj.weight`, or lie in dictionaries called `state_dict`, `ema` or `model_ema`, often
//! several of them in one file beside an optimiser's state. `module` and `_orig_mod` are left by wrappers, may stand
//! anywhere and mean nothing; all the rest is a prefix.

use std::collections::BTreeMap;

use super::header::TensorEntry;

/// One copy of a network.
#[derive(Debug)]
pub struct Copied<'a> {
    /// What stands before its names, with a dot at the end, or nothing.
    pub prefix: String,
    /// Its tensors by the network's own names.
    pub tensors: BTreeMap<String, &'a TensorEntry>,
}

/// The copies of the network that has a tensor called `mark`, averaged ones (EMA) first. Without any there is one that
/// has the file's own names, so that what is missing can be told.
pub fn copies<'a>(tensors: &'a [TensorEntry], mark: &str) -> Vec<Copied<'a>> {
    let plain: BTreeMap<String, &TensorEntry> = tensors
        .iter()
        .map(|tensor| (without_wrappers(&tensor.name), tensor))
        .collect();
    let mut prefixes: Vec<&str> = plain
        .keys()
        .filter_map(|name| name.strip_suffix(mark))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .collect();
    prefixes.sort_by_key(|prefix| !is_average(prefix));
    // More copies than this are no model's; each is a table of the whole file.
    prefixes.truncate(8);
    if prefixes.is_empty() {
        prefixes.push("");
    }
    let copy = |prefix: &str| Copied {
        prefix: prefix.to_owned(),
        tensors: plain
            .iter()
            .filter_map(|(name, tensor)| {
                let own = name.strip_prefix(prefix)?;
                Some((own.to_owned(), *tensor))
            })
            .collect(),
    };
    prefixes.into_iter().map(copy).collect()
}

/// A name without the parts that wrappers leave in it.
fn without_wrappers(name: &str) -> String {
    let parts: Vec<&str> = name
        .split('.')
        .filter(|part| !matches!(*part, "module" | "_orig_mod"))
        .collect();
    parts.join(".")
}

/// Whether a prefix names a moving average: `ema.`, `model_ema.`, `state_dict_ema.`.
fn is_average(prefix: &str) -> bool {
    prefix.split(['.', '_']).any(|word| word == "ema")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Vec<TensorEntry> {
        let entry = |name: &&str| TensorEntry {
            name: (*name).to_owned(),
            dtype: "F32".into(),
            shape: vec![1],
            range: [0, 4],
            strides: None,
        };
        names.iter().map(entry).collect()
    }

    #[test]
    fn prefixes_and_wrappers_as_found_in_the_wild_are_seen_through() {
        for prefix in [
            "",
            "model.",
            "dit.",
            "module.",
            "_orig_mod.",
            "model.dit.",
            "module._orig_mod.model.",
            "state_dict.model.dit.",
            "ema.",
        ] {
            let names = ["x.weight", "blocks.0.bias"].map(|name| format!("{prefix}{name}"));
            let file = entries(&[&names[0], &names[1]]);
            let found = copies(&file, "x.weight");
            assert_eq!(found.len(), 1, "{prefix}");
            let own: Vec<_> = found[0].tensors.keys().map(String::as_str).collect();
            assert_eq!(own, ["blocks.0.bias", "x.weight"], "{prefix}");
        }
        let inside = entries(&["blocks.0._orig_mod.bias", "x.weight"]);
        assert!(
            copies(&inside, "x.weight")[0]
                .tensors
                .contains_key("blocks.0.bias")
        );
    }

    #[test]
    fn a_moving_average_is_taken_before_the_weights_that_it_is_of() {
        let file = entries(&[
            "model.x.weight",
            "model_ema.x.weight",
            "optimizer.state.0.exp_avg",
        ]);
        let prefixes: Vec<_> = copies(&file, "x.weight")
            .into_iter()
            .map(|copy| (copy.prefix, copy.tensors.len()))
            .collect();
        assert_eq!(prefixes, [("model_ema.".into(), 1), ("model.".into(), 1)]);
        let other = entries(&["schema.x.weight"]);
        assert!(!is_average(&copies(&other, "x.weight")[0].prefix));
        assert_eq!(copies(&entries(&["y"]), "x.weight")[0].prefix, "");
    }
}
