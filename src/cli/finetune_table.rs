//! Pictures of several velocities from the same noise, and what they amount to.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::pictures::Sheet;
use crate::lookahead::{ImageSampler, NoiseKey, generate_images};
use crate::metrics::Counters;
use crate::model::{ImageJudge, ImageMap, NativeDit, VelocityOnly};
use crate::reward::picture::PictureScore;
use crate::train::finetune_images::{PictureFigures, TuneParent, TunedClass};

/// Scene number of the noise: another than those that training uses.
const SCENE: u32 = 7;
/// Pictures of each row of a sheet's block, and rows.
const BLOCK: (usize, usize) = (20, 2);

/// How rows are made and judged.
pub(super) struct Table<'a> {
    pub reward: &'a str,
    pub score: &'a dyn PictureScore,
    pub judge: Option<&'a ImageJudge>,
    pub thickness: Option<&'a dyn PictureScore>,
    pub classes: &'a [String],
    pub class: TunedClass,
    pub guidance: f32,
    pub count: usize,
    pub steps: u32,
    pub seed: u64,
}

impl Table<'_> {
    /// The map's own velocity, asked as a tuned one is.
    pub fn base(parent: &TuneParent) -> Result<Arc<dyn ImageMap>, String> {
        let native = NativeDit::new(&parent.net)
            .ok_or("pictures of so many patches are not tuned on the processor")?;
        Ok(Arc::new(VelocityOnly::new(Arc::new(native))))
    }

    /// Figures of a velocity's pictures, and the first of them.
    pub fn figures(
        &self,
        map: &dyn ImageMap,
        told: &mut dyn FnMut(f64),
    ) -> Result<(PictureFigures, Vec<f32>), String> {
        let classes = map.config().label_dim;
        let labels: Vec<u32> = (0..self.count)
            .map(|i| self.class.label(i, classes))
            .collect();
        let noise = NoiseKey {
            seed: self.seed,
            state: SCENE,
        };
        let mut made = generate_images(
            map,
            ImageSampler::Flow(self.steps),
            (&labels, self.guidance),
            noise,
            0,
            &mut Counters::default(),
            &mut |share| {
                told(share.into());
                true
            },
        )
        .map_err(|e| e.to_string())?;
        let figures = PictureFigures::new(&made, self.score, self.judge, self.thickness);
        let numbers: usize = map.config().state().iter().product();
        made.truncate(BLOCK.0 * BLOCK.1 * numbers);
        Ok((figures, made))
    }
}

/// One velocity.
#[derive(Serialize)]
struct Row {
    name: String,
    figures: PictureFigures,
    #[serde(skip)]
    pictures: Vec<f32>,
}

/// The figures of all velocities.
#[derive(Serialize)]
pub(super) struct Tables {
    reward: String,
    class: String,
    guidance: f32,
    seed: u64,
    steps: u32,
    #[serde(skip)]
    classes: Vec<String>,
    rows: Vec<Row>,
}

impl Tables {
    /// Makes and judges the pictures of every row.
    pub fn of(
        table: &Table<'_>,
        rows: Vec<(String, Arc<dyn ImageMap>)>,
        told: &mut dyn FnMut(f64),
    ) -> Result<Self, String> {
        let count = rows.len() as f64;
        let mut done = Vec::new();
        for (i, (name, map)) in rows.into_iter().enumerate() {
            let mut told = |share: f64| told((i as f64 + share) / count);
            let (figures, pictures) = table.figures(&*map, &mut told)?;
            done.push(Row {
                name,
                figures,
                pictures,
            });
        }
        Ok(Self {
            reward: table.reward.to_owned(),
            class: table.class.to_string(),
            guidance: table.guidance,
            seed: table.seed,
            steps: table.steps,
            classes: table.classes.to_vec(),
            rows: done,
        })
    }

    /// The first pictures of each row: the same place has the same noise.
    pub fn sheet(&self, shape: [usize; 3]) -> Sheet {
        let mut sheet = Sheet::new(shape, BLOCK.0);
        for row in &self.rows {
            sheet.add(&row.pictures);
            sheet.end_row();
        }
        sheet
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.rows.first().map_or(0, |row| row.figures.count);
        let width = self.rows.iter().map(|row| row.name.chars().count()).max();
        let width = width.unwrap_or(0).max(4);
        write!(
            f,
            "{count} pictures each by {} steps of the ODE, the same noise, class {}, reward {}",
            self.steps, self.class, self.reward
        )?;
        write!(
            f,
            "\n{:width$}  {:>16}  {:>12}  {:>14}  {:>9}  {:>16}  {:>8}",
            "", "reward", "classes bits", "most are", "sure >80%", "thickness px", "pairwise"
        )?;
        for row in &self.rows {
            let g = &row.figures;
            let blank = || "-".to_owned();
            let reward = format!("{:.2} ± {:.2}", g.reward, g.reward_error);
            let entropy = g.entropy.map_or_else(blank, |v| format!("{v:.2}"));
            let most = g.shares.as_deref().map_or_else(blank, |s| self.most(s));
            let sure = g
                .accepted
                .map_or_else(blank, |v| format!("{:.1} %", 100.0 * v));
            let thick = match (g.thickness, g.thickness_spread) {
                (Some(mean), Some(spread)) => format!("{mean:.2}, sd {spread:.2}"),
                _ => blank(),
            };
            write!(
                f,
                "\n{:width$}  {reward:>16}  {entropy:>12}  {most:>14}  {sure:>9}  {thick:>16}  {:>8.3}",
                row.name, g.pairwise
            )?;
        }
        Ok(())
    }
}

impl Tables {
    /// The class of the largest share.
    fn most(&self, shares: &[f64]) -> String {
        let largest = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((class, share)) = largest else {
            return String::new();
        };
        let name = self.classes.get(class);
        let name = name.cloned().unwrap_or_else(|| class.to_string());
        let name: String = name.chars().take(8).collect();
        format!("{name} {:.0} %", 100.0 * share)
    }
}
