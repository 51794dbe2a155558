//! The rows of the Studio: ways to make the pictures, the base first.

use std::sync::Arc;

use crate::reward::picture::{PictureReward, ScorerFiles};
use crate::session::{Rewarding, Studio, StudioSettings, StudioShow};
use crate::steer::images::ImagePlan;
use crate::steer::{Method, Renormalise};

use super::images::LoadedImages;
use super::studio_message::{StudioPanel, StudioRequest};

/// Strengths of the rows that vary them.
pub const STUDIO_STRENGTHS: [f64; 6] = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0];
/// Draws of the rows that vary them.
const DRAWS: [u32; 6] = [1, 2, 4, 8, 16, 32];

/// One row: a way to make the pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct StudioRow {
    /// What it is called.
    pub title: String,
    /// More about it, on hovering.
    pub hover: String,
    /// How.
    pub panel: StudioPanel,
    /// What a person should know before they trust it.
    pub warning: Option<&'static str>,
}

/// Unsteered, as far as the plan decides it.
fn base(plan: &ImagePlan) -> ImagePlan {
    let usual = ImagePlan::new(Method::Base);
    ImagePlan {
        method: Method::Base,
        draws: usual.draws,
        guidance: usual.guidance,
        renormalise: Renormalise::Off,
        mix_until: usual.mix_until,
        control_variate: usual.control_variate,
        search_power: usual.search_power,
        ..plan.clone()
    }
}

/// The rows of what is to be shown, the base first.
pub fn studio_rows(
    studio: &Studio,
    (rewarding, settings): (&Rewarding, &StudioSettings),
) -> Vec<StudioRow> {
    let plan = ImagePlan {
        keep_frames: true,
        ..settings.plan.clone()
    };
    let row = |title: String, plan: ImagePlan, reward: &PictureReward| StudioRow {
        title,
        hover: plan.method.card().summary.to_owned(),
        warning: plan.warning(),
        panel: StudioPanel {
            plan,
            reward: reward.clone(),
        },
    };
    let reward = &rewarding.reward;
    let unsteered = row("Base".to_owned(), base(&plan), reward);
    let name = plan.method.card().title;
    let mut rows = vec![unsteered];
    match studio.show {
        StudioShow::Compare => rows.push(row(name.to_owned(), plan, reward)),
        StudioShow::Strength => {
            for factor in &STUDIO_STRENGTHS[1..] {
                if let Ok(reward) = reward.times(*factor) {
                    let mut row = row(format!("\u{3bb} \u{d7} {factor}"), plan.clone(), &reward);
                    row.hover = format!("{name} toward {reward}");
                    rows.push(row);
                }
            }
        }
        StudioShow::Draws if !plan.draws_matter() => rows.push(row(name.to_owned(), plan, reward)),
        StudioShow::Draws => {
            for draws in DRAWS {
                let plan = ImagePlan {
                    draws,
                    ..plan.clone()
                };
                rows.push(row(format!("N = {draws}"), plan, reward));
            }
        }
        StudioShow::Methods => {
            for method in &studio.methods {
                let plan = ImagePlan {
                    method: *method,
                    ..plan.clone()
                };
                rows.push(row(method.card().title.to_owned(), plan, reward));
            }
        }
    }
    rows
}

impl StudioRequest {
    /// What the Studio asks of a map; `None` where the beginning of the runs holds no numbers.
    pub fn of(
        model: Arc<LoadedImages>,
        studio: &Studio,
        (rewarding, settings): (&Rewarding, &StudioSettings),
        files: ScorerFiles,
    ) -> Option<Self> {
        let rows = studio_rows(studio, (rewarding, settings));
        Some(Self {
            model,
            panels: rows.into_iter().map(|row| row.panel).collect(),
            start: settings.start.image_start()?,
            particles: settings.first..settings.first + studio.pictures,
            measure: rewarding.reward.clone(),
            references: rewarding.references(),
            files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_begin_with_the_base_and_share_everything_else() {
        let mut studio = Studio::default();
        let settings = studio.settings.clone();
        let rewarding = Rewarding {
            reward: "brightness@2".parse().unwrap(),
            ..Rewarding::default()
        };
        let rows = |studio: &Studio| studio_rows(studio, (&rewarding, &settings));
        assert_eq!(rows(&studio).len(), 2);
        studio.show = StudioShow::Strength;
        let strengths = rows(&studio);
        assert_eq!(strengths.len(), STUDIO_STRENGTHS.len());
        let texts: Vec<_> = strengths
            .iter()
            .map(|r| r.panel.reward.to_string())
            .collect();
        assert_eq!(
            texts[1..4],
            ["brightness@0.5", "brightness", "brightness@2"]
        );
        studio.show = StudioShow::Draws;
        let draws = rows(&studio);
        assert!(draws[1].warning.is_some(), "one draw does not steer");
        assert_eq!(draws[6].panel.plan.draws, 32);
        studio.show = StudioShow::Methods;
        for row in rows(&studio) {
            assert_eq!(row.panel.plan.seed, settings.plan.seed);
            assert!(row.panel.plan.keep_frames && row.panel.plan.validate().is_ok());
        }
        // The base does not change with the options of what steers, so it is not made again.
        let mut other = settings.clone();
        other.plan.draws = 3;
        other.plan.guidance = 2.0;
        assert_eq!(
            studio_rows(&studio, (&rewarding, &other))[0],
            rows(&studio)[0]
        );
    }
}
