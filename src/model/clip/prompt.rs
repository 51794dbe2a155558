//! How well a picture goes with a prompt, by CLIP and by towers that were tuned on what people prefer.

use super::{Cleaning, ClipHead, ClipTexts, ClipTokens, Fit};

/// Which of the published scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptScoreKind {
    /// 100 times the cosine between picture and prompt (arXiv 2104.08718, without its cut at zero, so that there is
    /// always a slope).
    Clip,
    /// The same by ViT-H/14 tuned on half a million choices of people, times its own scale (arXiv 2305.01569).
    Pick,
    /// The cosine itself, by ViT-H/14 tuned on 798,090 choices (arXiv 2306.09341): 0.2 to 0.35 for most pictures.
    Hps,
}

impl PromptScoreKind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Clip, Self::Pick, Self::Hps];

    /// What the cosine is multiplied by; `logit_scale` is a logarithm, as files have it.
    pub fn scale(self, logit_scale: Option<f32>) -> f32 {
        match self {
            Self::Clip => 100.0,
            Self::Pick => logit_scale.map_or(100.0, f32::exp),
            Self::Hps => 1.0,
        }
    }

    /// How its authors make pictures square.
    pub const fn fit(self) -> Fit {
        match self {
            Self::Clip | Self::Pick => Fit::Crop,
            Self::Hps => Fit::Pad,
        }
    }

    /// How its authors clean prompts.
    pub const fn cleaning(self) -> Cleaning {
        match self {
            Self::Clip | Self::Pick => Cleaning::HuggingFace,
            Self::Hps => Cleaning::OpenClip,
        }
    }

    /// The score for one prompt, as a function of a picture's embedding: the text tower is not needed again.
    ///
    /// # Errors
    /// When the prompt is empty or too long, or the tower does not know the vocabulary.
    pub fn head(
        self,
        texts: &ClipTexts,
        logit_scale: Option<f32>,
        prompt: &str,
    ) -> Result<ClipHead, String> {
        if prompt.trim().is_empty() {
            return Err("the prompt is empty: say what the picture should show".into());
        }
        let most = texts.config().max_position_embeddings;
        let ids = ClipTokens::default().ids(prompt, self.cleaning(), usize::MAX)?;
        if ids.len() > most {
            // Two are its markers.
            return Err(format!(
                "the prompt has {} pieces of words, and the text tower reads {}: shorten it",
                ids.len() - 2,
                most.saturating_sub(2)
            ));
        }
        let direction = texts.embed(&ids)?.into_data();
        let direction: Vec<f32> = direction.try_to_vec().unwrap_or_default();
        let scale = self.scale(logit_scale);
        Ok(ClipHead {
            direction: direction.into_iter().map(|v| v * scale).collect(),
            offset: 0.0,
        })
    }
}
