//! Functions of an embedding that go along one direction. LAION's aesthetic predictor V2: how much people liked pictures, 1 to 10, from their embeddings. Its layers have
//! nothing between them once it is trained, so that it is one affine function.

use burn::tensor::{Tensor, TensorData};

use crate::model::Weights;

/// `score = direction . embedding + offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipHead {
    /// One weight for each number of an embedding.
    pub direction: Vec<f32>,
    /// Score of nothing.
    pub offset: f32,
}

impl ClipHead {
    /// Multiplies the layers of a file, `layers.0.weight` and so on, into one.
    ///
    /// # Errors
    /// What is missing or of another shape.
    pub fn of(weights: &Weights) -> Result<Self, String> {
        // Dropout stands between, which is why the numbers have gaps.
        let mut numbers: Vec<usize> = weights
            .keys()
            .filter_map(|name| name.strip_prefix("layers.")?.strip_suffix(".weight"))
            .filter_map(|number| number.parse().ok())
            .collect();
        numbers.sort_unstable();
        if numbers.is_empty() {
            return Err("there is no tensor layers.0.weight".into());
        }
        // From the last layer back: a row vector and what was added on the way.
        let mut direction = vec![1.0_f64];
        let mut offset = 0.0;
        for number in numbers.into_iter().rev() {
            let name = format!("layers.{number}.weight");
            let weight = &weights[&name];
            let bias = format!("layers.{number}.bias");
            let bias = weights.get(&bias).ok_or(format!("{bias} is missing"))?;
            let [outputs, inputs] = weight.shape[..] else {
                return Err(format!("{name} has the shape {:?}", weight.shape));
            };
            if outputs != direction.len() || bias.shape != [outputs] || inputs == 0 {
                return Err(format!(
                    "{name} has the shape {:?} where {} outputs follow",
                    weight.shape,
                    direction.len()
                ));
            }
            let mut before = vec![0.0; inputs];
            for ((row, factor), bias) in weight
                .values
                .chunks_exact(inputs)
                .zip(&direction)
                .zip(&bias.values)
            {
                offset += factor * f64::from(*bias);
                for (sum, w) in before.iter_mut().zip(row) {
                    *sum += factor * f64::from(*w);
                }
            }
            direction = before;
        }
        Ok(Self {
            direction: direction.into_iter().map(|v| v as f32).collect(),
            offset: offset as f32,
        })
    }

    /// The score of one embedding of length 1.
    pub fn score(&self, embedding: &[f32]) -> f32 {
        let along = self.direction.iter().zip(embedding);
        let sum: f64 = along.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        (sum + f64::from(self.offset)) as f32
    }

    /// Scores `[B]` of embeddings `[B, numbers]`, with gradients where they are tracked.
    pub fn scores(&self, embeddings: Tensor<2>) -> Tensor<1> {
        let [batch, numbers] = embeddings.dims();
        let data = TensorData::new(self.direction.clone(), [numbers, 1]);
        let direction = Tensor::<2>::from_data(data, &embeddings.device());
        embeddings.matmul(direction).reshape([batch]) + self.offset
    }
}
