//! Deterministic flow maps (DMF, `kyungmnlee/DMF`), from which the reference's ImageNet model was started: the same
//! transformer without a conditioning state and with one time embedder, which the first blocks see at the start of a jump
//! and the later ones at its end. They load as flow maps, as the reference starts from them: that embedder is the first
//! pair's start and the second pair's end, the others are silent, and the conditioning state is shut off.

use crate::model::DitConfig;

/// Where a tensor's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file's tensor of that name.
    File(String),
    /// Nothing: it is silent.
    Zeros,
    /// The modulation that takes the conditioning state times nothing: shifts of 0, then scales of -1.
    Shut,
    /// The tokens' positions, which are constants.
    Positions,
}

/// The network's one time embedder.
const TIME: &str = "t_embedder.";

/// Whether a file with these names holds a network of this kind; SiT's have the same names and no jumps, so that the
/// model file must be one of the family.
pub fn is_dmf<'a>(config: &DitConfig, mut names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let added = ["s_embedder.", "x_cond_embedder.", "t_embedder_second."];
    let time = names.clone().any(|name| name.starts_with(TIME));
    let ours = names.any(|name| added.iter().any(|first| name.starts_with(first)));
    config.is_zero_data && !config.use_joint_attention && time && !ours
}

/// Whether a tensor of such a file was only needed to train it.
pub fn is_left_aside(name: &str) -> bool {
    ["projectors.", "proj_head."]
        .iter()
        .any(|first| name.starts_with(first))
}

/// Where a tensor of our layout comes from in such a file.
pub fn origin(name: &str, config: &DitConfig, has: impl Fn(&str) -> bool) -> Origin {
    let heard = ["s_embedder.", "t_embedder_second."];
    let silent = [TIME, "t_cond_embedder.", "s_embedder_second."];
    if let Some(rest) = heard.iter().find_map(|first| name.strip_prefix(first)) {
        return Origin::File(format!("{TIME}{rest}"));
    }
    if let Some(rest) = silent.iter().find_map(|first| name.strip_prefix(first)) {
        if rest.starts_with("mlp.2.") {
            return Origin::Zeros;
        }
        return Origin::File(format!("{TIME}{rest}"));
    }
    if let Some(rest) = name.strip_prefix("x_cond_embedder.") {
        return Origin::File(format!("x_embedder.{rest}"));
    }
    match name {
        // There 1 is taken from the scales of every state, so that zeros shut it off already.
        "x_cond_adaLN.1.bias" if !config.preserve_t_cond_0 => Origin::Shut,
        "x_cond_adaLN.1.bias" | "x_cond_adaLN.1.weight" => Origin::Zeros,
        "pos_embed" if !has(name) => Origin::Positions,
        _ => Origin::File(name.to_owned()),
    }
}

impl Origin {
    /// The numbers of a tensor that is not in the file.
    pub fn made(&self, config: &DitConfig, shape: &[usize]) -> Vec<f32> {
        let count: usize = shape.iter().product();
        match self {
            Self::Shut => (0..count)
                .map(|i| if i >= count / 2 { -1.0 } else { 0.0 })
                .collect(),
            Self::Positions => config.positions(),
            Self::Zeros | Self::File(_) => vec![0.0; count],
        }
    }
}
