//! How well a picture goes with a prompt, by CLIP and by towers that were tuned on what people prefer.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Cleaning, ClipImages, ClipTexts, ClipTokens, Fit};

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
}

/// The direction of length 1 of a prompt, `[projection_dim]`.
///
/// # Errors
/// When the prompt is empty or absurdly long, or the tower does not know the vocabulary.
pub fn prompt_direction(
    texts: &ClipTexts,
    prompt: &str,
    cleaning: Cleaning,
) -> Result<Vec<f32>, String> {
    if prompt.trim().is_empty() {
        return Err("the prompt is empty: say what the picture should show".into());
    }
    let most = texts.config().max_position_embeddings;
    let ids = ClipTokens::default().ids(prompt, cleaning, most)?;
    let direction = texts.embed(&ids)?.into_data();
    Ok(direction.try_to_vec().unwrap_or_default())
}

/// A score of pictures for one prompt. The text tower is not kept: it is not needed again.
pub struct PromptScore {
    still: ClipImages,
    /// The same with a graph for what goes in.
    tracked: ClipImages,
    device: Device,
    direction: Vec<f32>,
    scale: f32,
    fit: Fit,
}

impl PromptScore {
    /// Takes towers that lie on `device`, not an autodiff one.
    ///
    /// # Errors
    /// When the towers do not belong together, or as the prompt is refused: empty, absurdly long.
    pub fn new(
        images: ClipImages,
        texts: &ClipTexts,
        kind: PromptScoreKind,
        logit_scale: Option<f32>,
        prompt: &str,
        device: &Device,
    ) -> Result<Self, String> {
        let (a, b) = (
            images.config().projection_dim,
            texts.config().projection_dim,
        );
        if a != b {
            return Err(format!("the towers do not fit: {a} and {b} numbers"));
        }
        Ok(Self {
            direction: prompt_direction(texts, prompt, kind.cleaning())?,
            tracked: images.clone().no_grad().train(),
            still: images,
            device: device.clone(),
            scale: kind.scale(logit_scale),
            fit: kind.fit(),
        })
    }

    /// The score of a picture `[C][H][W]`, -1 black and 1 white; grey or colour, of any size.
    pub fn score(&self, picture: &[f32], shape: [usize; 3]) -> f32 {
        let score = self.scored(&self.still, tensor(picture, shape, &self.device));
        single(score)
    }

    /// The same with its gradient by the picture, `[C][H][W]`.
    pub fn score_and_gradient(&self, picture: &[f32], shape: [usize; 3]) -> (f32, Vec<f32>) {
        let device = self.device.clone().autodiff();
        let picture_in = tensor(picture, shape, &device).require_grad();
        let score = self.scored(&self.tracked, picture_in.clone());
        let gradient = picture_in.grad(&score.backward());
        // A tower that does not look at its picture has none.
        let gradient = gradient.map_or_else(
            || vec![0.0; picture.len()],
            |gradient| gradient.into_data().try_to_vec().unwrap_or_default(),
        );
        (single(score), gradient)
    }

    fn scored(&self, images: &ClipImages, picture: Tensor<4>) -> Tensor<1> {
        let device = picture.device();
        let embedding = images.embed_as(picture, self.fit);
        let numbers = self.direction.len();
        let data = TensorData::new(self.direction.clone(), [1, numbers]);
        (embedding * Tensor::<2>::from_data(data, &device)).sum() * self.scale
    }
}

fn tensor(picture: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(picture.to_vec(), [1, c, h, w]), device)
}

fn single(score: Tensor<1>) -> f32 {
    let values: Vec<f32> = score.into_data().try_to_vec().unwrap_or_default();
    // A sum has one number.
    values.first().copied().unwrap_or(f32::NAN)
}
