//! What a model file says about itself.

use serde::{Deserialize, Serialize};

use crate::mixture::World;
use crate::model::{DenseLayer, MlpConfig};

/// The format of the files that this version writes.
pub const FORMAT: u32 = 1;

/// Which network the weights belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// The 2D network.
    Mlp(MlpConfig),
}

/// The card in a file's header: what was trained, on what and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointCard {
    /// Version of the card, [`FORMAT`].
    pub format: u32,
    /// The network.
    pub architecture: Architecture,
    /// The world that it was trained on.
    pub world: World,
    /// How it was trained.
    #[serde(deserialize_with = "super::recipe::bounded")]
    pub recipe: serde_json::Value,
    /// Root seed of the training.
    pub seed: u64,
    /// Steps that were done.
    pub steps: u64,
    /// Version of the program that wrote it.
    pub code_version: String,
    /// Present in a fine-tuned velocity; its jumps are not a flow map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<Tuned>,
}

/// What a fine-tuned velocity came from. Only `v(t, t, x; 0, 0)` of such a network means something: the Meta Flow Map
/// around it was not tuned with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// SHA-256 of the Meta Flow Map that it was tuned from.
    pub parent: String,
    /// Name of the world that the parent was trained on.
    pub parent_world: String,
    /// The reward, as on the command line.
    pub reward: String,
    /// Whether the card's world is the tilted target itself, in closed form; if not, it is still the parent's world.
    pub world_is_target: bool,
}

/// A model file: its card, its weights and what was found on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What the file says about itself.
    pub card: CheckpointCard,
    /// The weights, first layer to last.
    pub layers: Vec<DenseLayer>,
    /// SHA-256 of the whole file, in hexadecimal.
    pub hash: String,
    /// Size of the file.
    pub bytes: u64,
    /// Element types as the file spells them.
    pub dtype: String,
    /// Weights and biases together.
    pub parameters: usize,
}
