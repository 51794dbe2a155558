//! The shape of the transformer, under the names of the authors' model files.

use serde::{Deserialize, Serialize};

use crate::model::ModelError;

/// Shape of the transformer. The fields are those of the reference's model files, so that they are read as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DitConfig {
    /// Height and width of a state, in its own pixels (latent ones for the ImageNet models).
    pub input_size: usize,
    /// Height and width of a patch.
    pub patch_size: usize,
    /// Channels of a state.
    pub in_channels: usize,
    /// Width of a token.
    pub hidden_size: usize,
    /// Blocks.
    pub depth: usize,
    /// Attention heads of each block.
    pub num_heads: usize,
    /// Classes; label `label_dim` means no class.
    pub label_dim: usize,
    /// Blocks that see the first pair of time embedders and the guidance scale; the later ones see the second pair.
    pub encoder_depth: usize,
    /// Guidance scales of the class beside 1.
    #[serde(default)]
    pub model_guidance_class_ws: Vec<f32>,
    /// Guidance scales of the conditioning state beside 1. We always ask for 1.
    #[serde(default)]
    pub model_guidance_x_cond_ws: Vec<f32>,
    /// Whether each block also attends to patches of the conditioning state.
    #[serde(default)]
    pub use_joint_attention: bool,
    /// Whether the conditioning state is shut off exactly at `t = 0`.
    #[serde(default)]
    pub preserve_t_cond_0: bool,
    /// The time of the DMF family: the network is fed `1 - s` and `1 - u` and its output is negated.
    #[serde(default = "yes")]
    pub is_zero_data: bool,
    /// Whether the network also puts out as many channels again, which are dropped.
    #[serde(default)]
    pub learn_sigma: bool,
    /// Whether queries and keys are divided by their root mean square.
    #[serde(default)]
    pub qk_norm: bool,
    /// Whether what the last layer puts out is the image `D` that the jump aims at, so that the velocity is
    /// `(D - x) / (1 - s)`, with `1 - s` held above [`Self::LEAST_REST`]: a small network in pixels then need not carry
    /// the noise of wide patches through itself (arXiv 2511.13720, 2601.22158). Not a field of the reference, whose
    /// networks put out velocities.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub predicts_image: bool,
    /// Whether there is a table of guidance scales. Not a field of the reference: its files differ, so that `None`
    /// means "as the weights have it", and a network without weights has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_table: Option<bool>,
}

const fn yes() -> bool {
    true
}

/// Fields of the reference's model files that say nothing about the weights' shapes.
const IGNORED: &[&str] = &[
    "_target_",
    "attn_func",
    "learn_loss_weighting",
    "channels",
    "init",
    "name",
];

impl DitConfig {
    /// Sinusoidal features of a time.
    pub const TIME_FEATURES: usize = 256;
    /// Least `1 - s` that an image is divided by where images are predicted.
    pub const LEAST_REST: f32 = 0.05;
    /// Width of the blocks' inner layer, in tokens' widths.
    pub const MLP_RATIO: usize = 4;
    /// Most parameters that are accepted.
    pub const MAX_PARAMETERS: u64 = 8 << 30;

    /// A small model of 28x28 grey pixels in patches of 7: 16 tokens, 4.7 million parameters, so that two processor
    /// cores can train it.
    pub fn digits() -> Self {
        Self {
            predicts_image: true,
            ..Self::pixels(28, 1, 7, (192, 6, 6, 4))
        }
    }

    /// A small model of 32x32 colour pixels in patches of 2: 256 tokens, 19.5 million parameters.
    pub fn photos() -> Self {
        Self::pixels(32, 3, 2, (320, 10, 5, 7))
    }

    /// The same in patches of 4: 64 tokens, about four times as fast.
    pub fn photos_coarse() -> Self {
        Self::pixels(32, 3, 4, (320, 10, 5, 7))
    }

    fn pixels(
        input_size: usize,
        in_channels: usize,
        patch_size: usize,
        (hidden_size, depth, num_heads, encoder_depth): (usize, usize, usize, usize),
    ) -> Self {
        Self {
            input_size,
            patch_size,
            in_channels,
            hidden_size,
            depth,
            num_heads,
            label_dim: 10,
            encoder_depth,
            model_guidance_class_ws: vec![2.5],
            model_guidance_x_cond_ws: Vec::new(),
            use_joint_attention: false,
            preserve_t_cond_0: true,
            is_zero_data: false,
            learn_sigma: false,
            qk_norm: false,
            predicts_image: false,
            guidance_table: Some(true),
        }
    }

    /// A shape for tests: 8x8 grey pixels in patches of 4, two blocks.
    #[cfg(test)]
    pub(crate) fn tiny(label_dim: usize) -> Self {
        Self {
            input_size: 8,
            patch_size: 4,
            hidden_size: 24,
            depth: 2,
            num_heads: 2,
            encoder_depth: 1,
            label_dim,
            ..Self::digits()
        }
    }

    /// The ImageNet models of 32x32x4 latents: letter `S`, `B`, `L` or `XL`, patches of 2, 4 or 8.
    pub fn imagenet(letter: &str, patch_size: usize) -> Option<Self> {
        let (hidden_size, depth, num_heads) = match letter {
            "S" => (384, 12, 6),
            "B" => (768, 12, 12),
            "L" => (1024, 24, 16),
            "XL" => (1152, 28, 16),
            _ => return None,
        };
        // 20 of 28 in the published model; the same share in the others.
        let encoder_depth = depth * 20 / 28;
        let shape = (hidden_size, depth, num_heads, encoder_depth);
        [2, 4, 8].contains(&patch_size).then(|| Self {
            label_dim: 1000,
            preserve_t_cond_0: false,
            is_zero_data: true,
            guidance_table: None,
            ..Self::pixels(32, 4, patch_size, shape)
        })
    }

    /// Reads a model file of the reference, or one of ours, in JSON.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn from_json(text: &str) -> Result<Self, String> {
        Self::from_fields(serde_json::from_str(text).map_err(|e| e.to_string())?)
    }

    /// The same of a model file's fields, whatever language it was written in.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_fields(
        mut fields: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, String> {
        fields.retain(|key, _| !IGNORED.contains(&key.as_str()));
        if let Some(ratio) = fields.remove("mlp_ratio")
            && ratio.as_f64() != Some(Self::MLP_RATIO as f64)
        {
            return Err(format!("`mlp_ratio` is {ratio}; only 4 is known"));
        }
        let config: Self = serde_json::from_value(fields.into()).map_err(|e| e.to_string())?;
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    /// Refuses shapes that cannot be or that would ask for absurd memory.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the field at fault.
    pub fn validate(&self) -> Result<(), ModelError> {
        let within = |field, value: usize, most: usize, want| {
            if (1..=most).contains(&value) {
                Ok(())
            } else {
                refuse(field, value.to_string(), want)
            }
        };
        within("input_size", self.input_size, 1024, "1 to 1024")?;
        within("patch_size", self.patch_size, 64, "1 to 64")?;
        within("in_channels", self.in_channels, 64, "1 to 64")?;
        within("hidden_size", self.hidden_size, 8192, "1 to 8192")?;
        within("depth", self.depth, 128, "1 to 128")?;
        within("num_heads", self.num_heads, 128, "1 to 128")?;
        within("label_dim", self.label_dim, 1 << 20, "1 to 1048576")?;
        if !self.input_size.is_multiple_of(self.patch_size) {
            let want = "a divisor of input_size";
            return refuse("patch_size", self.patch_size.to_string(), want);
        }
        if self.tokens() > 16_384 {
            let want = "so large that there are at most 16384 patches";
            return refuse("patch_size", self.patch_size.to_string(), want);
        }
        if !self.hidden_size.is_multiple_of(4) || !self.hidden_size.is_multiple_of(self.num_heads) {
            let want = "a multiple of 4 and of num_heads";
            return refuse("hidden_size", self.hidden_size.to_string(), want);
        }
        if self.encoder_depth > self.depth {
            let want = "at most depth";
            return refuse("encoder_depth", self.encoder_depth.to_string(), want);
        }
        for (field, scales) in [
            ("model_guidance_class_ws", &self.model_guidance_class_ws),
            ("model_guidance_x_cond_ws", &self.model_guidance_x_cond_ws),
        ] {
            if scales.len() > 64 || !scales.iter().all(|w| w.is_finite()) {
                let value = format!("a list of {}", scales.len());
                return refuse(field, value, "at most 64 finite numbers");
            }
        }
        if self.parameters() > Self::MAX_PARAMETERS {
            let want = "less: at most 8589934592 parameters in all";
            return refuse("hidden_size", self.hidden_size.to_string(), want);
        }
        Ok(())
    }

    /// Patches along one side.
    pub const fn grid(&self) -> usize {
        self.input_size / self.patch_size
    }

    /// Patches of a state.
    pub const fn tokens(&self) -> usize {
        self.grid() * self.grid()
    }

    /// Numbers of a patch of a state.
    pub const fn patch_numbers(&self) -> usize {
        self.patch_size * self.patch_size * self.in_channels
    }

    /// Channels that the final layer puts out.
    pub const fn out_channels(&self) -> usize {
        self.in_channels * if self.learn_sigma { 2 } else { 1 }
    }

    /// The tokens' positions, `[tokens][hidden]`, which are constants.
    pub fn positions(&self) -> Vec<f32> {
        super::embed::positions(self)
    }

    /// Whether there is a table of guidance scales.
    pub fn has_guidance(&self) -> bool {
        self.guidance_table.unwrap_or(true)
    }

    /// The class' guidance scales that the table knows, 1 first.
    pub fn class_scales(&self) -> Vec<f32> {
        let mut scales = vec![1.0];
        scales.extend(&self.model_guidance_class_ws);
        scales
    }

    /// Rows of the table of guidance scales.
    pub fn guidance_rows(&self) -> usize {
        (1 + self.model_guidance_class_ws.len()) * (1 + self.model_guidance_x_cond_ws.len())
    }

    /// Vectors that modulate a block.
    pub const fn modulations(&self) -> usize {
        if self.use_joint_attention { 7 } else { 6 }
    }

    /// Shape of one state, `[C, H, W]`.
    pub const fn state(&self) -> [usize; 3] {
        [self.in_channels, self.input_size, self.input_size]
    }

    /// Numbers in all tensors of the weights, positions included.
    pub fn parameters(&self) -> u64 {
        self.layout()
            .iter()
            .map(|(_, shape)| shape.iter().map(|n| *n as u64).product::<u64>())
            .sum()
    }
}

fn refuse(field: &'static str, value: String, want: &'static str) -> Result<(), ModelError> {
    Err(ModelError::Config { field, value, want })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sizes_are_met() {
        let xl = DitConfig::imagenet("XL", 2).unwrap();
        assert_eq!((xl.tokens(), xl.encoder_depth), (256, 20));
        // DiT-XL/2 has 675 million; four more time embedders, the second patch layer and its modulation come to it.
        let millions = xl.parameters() / 1_000_000;
        assert!((675..700).contains(&millions), "{millions}");
        // At most 12 and 40 MB in halves.
        assert!(DitConfig::digits().parameters() < 6_000_000);
        assert!(DitConfig::photos().parameters() < 20_000_000);
        for config in [
            DitConfig::digits(),
            DitConfig::photos(),
            DitConfig::photos_coarse(),
            xl,
        ] {
            config.validate().unwrap();
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(DitConfig::from_json(&text).unwrap(), config);
        }
    }

    #[test]
    fn a_model_file_of_the_reference_is_read_and_absurd_ones_are_refused_by_field() {
        let text = |field: &str, value: &str| {
            let mut fields = serde_json::json!({
                "_target_": "a.b.Net", "learn_loss_weighting": false, "input_size": 32, "patch_size": 2,
                "in_channels": 4, "hidden_size": 64, "depth": 4, "num_heads": 4, "label_dim": 10,
                "encoder_depth": 3, "model_guidance_class_ws": [2.5], "attn_func": "base", "mlp_ratio": 4.0
            });
            fields[field] = serde_json::from_str(value).unwrap();
            fields.to_string()
        };
        let config = DitConfig::from_json(&text("qk_norm", "true")).unwrap();
        assert!(config.qk_norm && config.is_zero_data && config.guidance_rows() == 2);
        for (field, value) in [
            ("input_size", "0"),
            ("patch_size", "3"),
            ("hidden_size", "66"),
            ("hidden_size", "1152921504606846976"),
            ("depth", "1000000"),
            ("encoder_depth", "5"),
            ("label_dim", "99999999999"),
            ("mlp_ratio", "2"),
            ("colour", "1"),
            ("model_guidance_class_ws", "[1e40]"),
        ] {
            let message = DitConfig::from_json(&text(field, value)).unwrap_err();
            assert!(message.contains(field), "{field}: {message}");
        }
    }
}
