//! Weights under the names of its two layouts: numbers of layers, from 0 after `decoder.layers.` (diffusers) or from 1
//! (`taesd_decoder.pth`, where a clamp comes first). Layers without weights have numbers, too.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;

use super::Taesd;
use crate::model::{Misfit, Weights, taking_weights};

/// What stands before the numbers in diffusers' files.
const DECODER: &str = "decoder.layers.";
/// The most numbers of a decoder; the published one has 1.2 million.
const MAX_NUMBERS: usize = 64 << 20;

impl Taesd {
    /// Whether a tensor of a file is one of the decoder's.
    pub fn takes(name: &str) -> bool {
        let numbered = name.strip_prefix(DECODER).unwrap_or(name);
        numbered.starts_with(|c: char| c.is_ascii_digit())
    }

    /// Whether a file of tensors with these names holds such a decoder.
    pub fn is_in<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| matches!(name, "decoder.layers.0.weight" | "3.conv.0.weight"))
    }

    /// The decoder with the weights of a file, by either layout's names.
    ///
    /// # Errors
    /// What is missing, unexpected or of another shape, by name.
    pub fn of(weights: Weights, device: &Device) -> Result<Self, String> {
        let numbers: usize = weights.values().map(|weight| weight.values.len()).sum();
        if numbers > MAX_NUMBERS {
            return Err(format!(
                "it holds {numbers} numbers, and no such decoder has so many"
            ));
        }
        let plan = Plan::of(&weights)?;
        let dims = |name: &str| -> Result<[usize; 4], String> {
            let weight = weights.get(name).ok_or(format!("{name} is missing"))?;
            let wrong = |_| format!("{name} has the shape {:?}", weight.shape);
            weight.shape.clone().try_into().map_err(wrong)
        };
        let [width, latent, ..] = dims(&plan.first())?;
        let [out, ..] = dims(&plan.last())?;
        if [width, latent, out]
            .iter()
            .any(|n| !(1..=4_096).contains(n))
        {
            return Err(format!(
                "{latent}, {width} and {out} channels are not possible"
            ));
        }
        let fresh = Self::new(latent, width, out, &plan.blocks, device);
        let theirs: BTreeMap<String, String> = plan.names();
        let mut ours = Weights::new();
        for (name, weight) in weights {
            let own = theirs.get(&name).cloned();
            ours.insert(own.unwrap_or(name), weight);
        }
        let known: BTreeMap<&String, &String> = theirs.iter().map(|(a, b)| (b, a)).collect();
        let back = |name: &String| known.get(name).map_or(name, |name| *name).clone();
        taking_weights(fresh, ours).map_err(|misfit| {
            Misfit {
                missing: misfit.missing.iter().map(back).collect(),
                unexpected: misfit.unexpected.iter().map(back).collect(),
                shapes: misfit.shapes,
            }
            .to_string()
        })
    }
}

/// Where the layers of a file stand.
struct Plan {
    prefix: &'static str,
    /// Number of the first convolution.
    start: usize,
    /// Blocks of each stage.
    blocks: Vec<usize>,
}

impl Plan {
    fn of(weights: &Weights) -> Result<Self, String> {
        let prefix = if weights.keys().any(|name| name.starts_with(DECODER)) {
            DECODER
        } else {
            ""
        };
        let start = usize::from(prefix.is_empty());
        let layers = weights.keys().filter_map(|name| {
            let (number, rest) = name.strip_prefix(prefix)?.split_once('.')?;
            Some((number.parse::<usize>().ok()?, rest.starts_with("conv.")))
        });
        let layers: BTreeSet<(usize, bool)> = layers.collect();
        let last = layers.last().map_or(0, |(number, _)| *number);
        // From the first block on: blocks, then one doubling (without weights) and one convolution, again and again.
        let mut blocks = vec![0];
        let mut at = start + 2;
        while at < last && blocks.len() <= 6 {
            if layers.contains(&(at, true)) {
                // There is always one.
                *blocks.last_mut().unwrap_or(&mut 0) += 1;
                at += 1;
            } else {
                blocks.push(0);
                at += 2;
            }
        }
        if at != last || blocks.len() > 6 || last > 64 {
            return Err("its layers are not those of a decoder of the TAESD kind".into());
        }
        Ok(Self {
            prefix,
            start,
            blocks,
        })
    }

    fn first(&self) -> String {
        format!("{}{}.weight", self.prefix, self.start)
    }

    fn last(&self) -> String {
        let layers: usize = self.blocks.iter().sum::<usize>() + 2 * (self.blocks.len() - 1);
        format!("{}{}.weight", self.prefix, self.start + 2 + layers)
    }

    /// Our name of each of the file's.
    fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut add = |number: usize, inside: &str, ours: &str| {
            for kind in ["weight", "bias"] {
                let theirs = format!("{}{number}.{inside}{kind}", self.prefix);
                names.insert(theirs, format!("{ours}.{kind}"));
            }
        };
        add(self.start, "", "first");
        let mut at = self.start + 2;
        for (stage, blocks) in self.blocks.iter().enumerate() {
            for block in 0..*blocks {
                for part in 0..3 {
                    // Activations stand between.
                    let inside = format!("conv.{}.", 2 * part);
                    let ours = format!("stages.{stage}.blocks.{block}.conv.{part}");
                    add(at, &inside, &ours);
                }
                at += 1;
            }
            if stage + 1 < self.blocks.len() {
                add(at + 1, "", &format!("stages.{stage}.after"));
                at += 2;
            }
        }
        add(at, "", "last");
        names
    }
}
