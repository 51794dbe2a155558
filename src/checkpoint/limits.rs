//! How large a model may be, checked before anything is allocated for it.

use crate::model::MlpConfig;

/// The largest file that is opened as a model, in bytes.
pub const MAX_FILE_BYTES: u64 = 128 << 20;
/// The most parameters: 64 MiB in f32.
pub const MAX_PARAMETERS: usize = 16 << 20;
/// The longest card, in bytes of JSON.
pub const MAX_CARD_BYTES: usize = 1 << 20;

/// The shapes `(inputs, outputs)` of the layers that `config` asks for, first to last.
///
/// # Errors
/// When the configuration is absurd; the text says which value and what is possible.
pub fn layer_shapes(config: &MlpConfig) -> Result<Vec<(usize, usize)>, String> {
    // Keeps every size so small that the products below cannot overflow.
    config.validate().map_err(|e| e.to_string())?;
    let parameters = config.parameters();
    if parameters > MAX_PARAMETERS {
        return Err(format!(
            "the card describes {parameters} parameters, but {MAX_PARAMETERS} are the most"
        ));
    }
    Ok(config.shapes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_sizes_are_refused_by_name() {
        let sound = MlpConfig::default;
        assert_eq!(layer_shapes(&sound()).unwrap().len(), 5);
        for (config, word) in [
            (
                MlpConfig {
                    hidden: usize::MAX,
                    ..sound()
                },
                "hidden",
            ),
            (
                MlpConfig {
                    hidden: 8_192,
                    ..sound()
                },
                "parameters",
            ),
            (
                MlpConfig {
                    hidden: 8_192,
                    layers: 64,
                    ..sound()
                },
                "parameters",
            ),
        ] {
            let message = layer_shapes(&config).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }
}
