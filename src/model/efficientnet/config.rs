//! The shape of an EfficientNet.

/// Blocks alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// How many.
    pub repeats: usize,
    /// Rows and columns that each looks at.
    pub kernel: usize,
    /// Of the first: 2 halves rows and columns.
    pub stride: usize,
    /// How many times as wide they are inside.
    pub expansion: usize,
    /// Channels that come out.
    pub width: usize,
}

/// Shape of an EfficientNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EfficientNetConfig {
    /// Rows and columns of a prepared picture.
    pub image_size: usize,
    /// Channels of the first convolution.
    pub stem: usize,
    /// The blocks.
    pub stages: Vec<Stage>,
    /// Length of a feature vector.
    pub head: usize,
    /// Number of classes.
    pub classes: usize,
}

impl EfficientNetConfig {
    /// EfficientNet-lite0: 4.7 million parameters.
    pub fn lite0() -> Self {
        let stages = [
            [1, 3, 1, 1, 16],
            [2, 3, 2, 6, 24],
            [2, 5, 2, 6, 40],
            [3, 3, 2, 6, 80],
            [3, 5, 1, 6, 112],
            [4, 5, 2, 6, 192],
            [1, 3, 1, 6, 320],
        ];
        let stage = |[repeats, kernel, stride, expansion, width]: [usize; 5]| Stage {
            repeats,
            kernel,
            stride,
            expansion,
            width,
        };
        Self {
            image_size: 224,
            stem: 32,
            stages: stages.map(stage).to_vec(),
            head: 1280,
            classes: 1000,
        }
    }
}
