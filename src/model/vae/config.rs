//! The shape of an autoencoder, under the names of diffusers' `config.json`.

use serde::{Deserialize, Serialize};

/// Shape of an autoencoder. The fields are those of diffusers' files; fields that say nothing about shapes are ignored
/// there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaeConfig {
    /// Channels of a picture that comes in.
    pub in_channels: usize,
    /// Channels of a picture that goes out.
    pub out_channels: usize,
    /// Widths of the stages, the finest first; each but the last halves rows and columns.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a stage; on the way to pixels one more.
    pub layers_per_block: usize,
    /// Channels of a latent.
    pub latent_channels: usize,
    /// Groups of the normalisations.
    pub norm_num_groups: usize,
    /// What latents are multiplied by for the models.
    #[serde(default = "scaling_factor")]
    pub scaling_factor: f64,
}

const fn scaling_factor() -> f64 {
    0.18215
}

impl VaeConfig {
    /// The autoencoder of Stable Diffusion 1 and of the ImageNet models, `sd-vae-ft-mse`: 83.7 million parameters.
    pub fn stable_diffusion() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![128, 256, 512, 512],
            layers_per_block: 2,
            latent_channels: 4,
            norm_num_groups: 32,
            scaling_factor: scaling_factor(),
        }
    }

    /// A shape for tests: latents of half the side of the pictures.
    #[cfg(test)]
    pub(crate) fn tiny() -> Self {
        Self {
            block_out_channels: vec![8, 16],
            layers_per_block: 1,
            norm_num_groups: 4,
            ..Self::stable_diffusion()
        }
    }

    /// Reads diffusers' `config.json`.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn from_json(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Kinds {
            #[serde(default)]
            act_fn: Option<String>,
            #[serde(default)]
            down_block_types: Vec<String>,
            #[serde(default)]
            up_block_types: Vec<String>,
        }
        let kinds: Kinds = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if kinds.act_fn.as_deref().is_some_and(|name| name != "silu") {
            return Err("`act_fn` must be silu".into());
        }
        for (field, found, known) in [
            (
                "down_block_types",
                &kinds.down_block_types,
                "DownEncoderBlock2D",
            ),
            ("up_block_types", &kinds.up_block_types, "UpDecoderBlock2D"),
        ] {
            if found.iter().any(|kind| kind != known) {
                return Err(format!("`{field}` must all be {known}"));
            }
        }
        let config: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        config.validate()?;
        Ok(config)
    }

    /// Refuses shapes that cannot be or that would ask for absurd memory.
    ///
    /// # Errors
    /// What is wrong, by field.
    pub fn validate(&self) -> Result<(), String> {
        let stages = &self.block_out_channels;
        let groups = self.norm_num_groups;
        let within = |field: &str, value: usize, most: usize| {
            if (1..=most).contains(&value) {
                Ok(())
            } else {
                Err(format!("`{field}` is {value}; 1 to {most} is possible"))
            }
        };
        within("in_channels", self.in_channels, 64)?;
        within("out_channels", self.out_channels, 64)?;
        within("latent_channels", self.latent_channels, 64)?;
        within("layers_per_block", self.layers_per_block, 8)?;
        within("norm_num_groups", groups, 256)?;
        within("block_out_channels (stages)", stages.len(), 6)?;
        for width in stages {
            within("block_out_channels", *width, 2_048)?;
            if !width.is_multiple_of(groups) {
                return Err(format!(
                    "`block_out_channels` has {width}, which is no multiple of the {groups} of `norm_num_groups`"
                ));
            }
        }
        if self.scaling_factor.is_finite() && self.scaling_factor > 0.0 {
            Ok(())
        } else {
            Err("`scaling_factor` must be a positive number".into())
        }
    }

    /// Pixels along a side for one latent number.
    pub const fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}
