//! How close a trained map's draws are to the exact posterior, beside what two exact samples differ by.

use std::fmt;

use serde::Serialize;

use crate::metrics::{mmd_squared_unbiased, mode_occupancy, sliced_w2, total_variation};
use crate::mixture::{Mixture, World};
use crate::model::FusedMlp;
use crate::process::{Address, Purpose, normal_pairs};

/// What an evaluation looks at; the default is the quality bar of the shipped checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalPlan {
    /// Times of the conditioning states.
    pub times: Vec<f64>,
    /// States drawn from `p_t` at each time.
    pub states: usize,
    /// Draws from each posterior.
    pub draws: usize,
    /// Directions of the sliced distance.
    pub projections: usize,
    /// Draws that the MMD looks at (it costs their square).
    pub mmd_draws: usize,
    /// Root seed of states, noise and exact samples.
    pub seed: u64,
}

impl Default for EvalPlan {
    fn default() -> Self {
        Self {
            times: vec![0.0, 0.1, 0.3, 0.5, 0.7, 0.9],
            states: 20,
            draws: 4096,
            projections: 64,
            mmd_draws: 1024,
            seed: 2026,
        }
    }
}

/// Largest mean sliced W2 above the floor, in standard deviations of the world.
pub const SLICED_W2_BAR: f64 = 0.04;
/// Largest mean total variation of mode weights.
pub const MODE_WEIGHT_BAR: f64 = 0.03;

/// Distances of one sample from an exact one, averaged over states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Sliced W2, world units.
    pub sliced_w2: f64,
    /// Sliced W2 in the world's standard deviations.
    pub sliced_w2_in_sd: f64,
    /// The same, less the floor's.
    pub above_floor_in_sd: f64,
    /// Unbiased squared MMD (may be below 0).
    pub mmd_squared: f64,
    /// Total variation of mode occupancy, nearest mode.
    pub mode_weight_tv: f64,
}

impl Figures {
    fn add(&mut self, other: &Self, share: f64) {
        self.sliced_w2 += share * other.sliced_w2;
        self.sliced_w2_in_sd += share * other.sliced_w2_in_sd;
        self.above_floor_in_sd += share * other.above_floor_in_sd;
        self.mmd_squared += share * other.mmd_squared;
        self.mode_weight_tv += share * other.mode_weight_tv;
    }
}

/// One time, or the mean over all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct EvalRow {
    /// Time; `None` for the mean.
    pub t: Option<f64>,
    /// Draws in one network call.
    pub one_step: Figures,
    /// Draws in four.
    pub four_step: Figures,
    /// A second exact sample of the same size.
    pub floor: Figures,
}

/// One demand and whether it is met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What is demanded.
    pub demand: String,
    /// What was found.
    pub found: f64,
    /// Whether it is met.
    pub passed: bool,
}

/// The outcome of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalReport {
    /// Name of the world.
    pub world: String,
    /// The world's own standard deviation, the unit above.
    pub standard_deviation: f64,
    /// What was looked at.
    pub plan: EvalPlan,
    /// Time by time.
    pub rows: Vec<EvalRow>,
    /// Mean over all states.
    pub mean: EvalRow,
    /// The bars.
    pub verdicts: Vec<Verdict>,
}

impl EvalReport {
    /// Whether every bar is met.
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|v| v.passed)
    }
}

/// Compares `model` with the exact posteriors of `world`. `keep_going` is asked before every state; `None` when it
/// says no.
pub fn evaluate(
    model: &FusedMlp,
    world: &World,
    plan: &EvalPlan,
    mut keep_going: impl FnMut(f64) -> bool,
) -> Option<EvalReport> {
    let sd = world.mixture.standard_deviation();
    let mut rows = Vec::new();
    let mut mean = EvalRow::default();
    let total = plan.times.len() * plan.states;
    for (k, &t) in plan.times.iter().enumerate() {
        let mut states = vec![[0.0_f32; 2]; plan.states];
        world.mixture.marginal(t).sample_into(
            Address::new(plan.seed, Purpose::EvalState, k as u32),
            0,
            &mut states,
        );
        let mut row = EvalRow {
            t: Some(t),
            ..EvalRow::default()
        };
        for (i, x_t) in states.iter().enumerate() {
            let number = k * plan.states + i;
            if !keep_going(number as f64 / total as f64) {
                return None;
            }
            let one = at_state(model, &world.mixture, plan, t, *x_t, number as u32, sd);
            for (sum, figures) in [
                (&mut row.one_step, one[0]),
                (&mut row.four_step, one[1]),
                (&mut row.floor, one[2]),
            ] {
                sum.add(&figures, 1.0 / plan.states as f64);
            }
        }
        let share = 1.0 / plan.times.len() as f64;
        mean.one_step.add(&row.one_step, share);
        mean.four_step.add(&row.four_step, share);
        mean.floor.add(&row.floor, share);
        rows.push(row);
    }
    Some(EvalReport {
        world: world.name.clone(),
        standard_deviation: sd,
        plan: plan.clone(),
        rows,
        mean,
        verdicts: verdicts(&mean),
    })
}

/// One step, four steps, floor.
fn at_state(
    model: &FusedMlp,
    world: &Mixture,
    plan: &EvalPlan,
    t: f64,
    x_t: [f32; 2],
    number: u32,
    sd: f64,
) -> [Figures; 3] {
    let posterior = world.posterior(t, x_t.map(f64::from));
    let exact = |purpose| {
        let mut out = vec![[0.0_f32; 2]; plan.draws];
        posterior.sample_into(Address::new(plan.seed, purpose, number), 0, &mut out);
        out
    };
    let learned = |steps: u32| {
        let mut x = vec![[0.0_f32; 2]; plan.draws];
        normal_pairs(
            Address::new(plan.seed, Purpose::PosteriorDraw, number),
            0,
            &mut x,
        );
        for k in 0..steps {
            let (s, u) = (k as f32 / steps as f32, (k + 1) as f32 / steps as f32);
            model.flow_map_in_place(s, u, t as f32, x_t, &mut x);
        }
        x
    };
    let truth = exact(Purpose::EvalDraw);
    let occupancy = mode_occupancy(&truth, world);
    let near = plan.mmd_draws.min(plan.draws);
    let mut figures = [learned(1), learned(4), exact(Purpose::Floor)].map(|points| {
        let distance = sliced_w2(&points, &truth, plan.projections);
        Figures {
            sliced_w2: distance,
            sliced_w2_in_sd: distance / sd,
            above_floor_in_sd: 0.0,
            mmd_squared: mmd_squared_unbiased(&points[..near], &truth[..near]),
            mode_weight_tv: total_variation(&mode_occupancy(&points, world), &occupancy),
        }
    });
    let floor = figures[2].sliced_w2_in_sd;
    for figures in &mut figures {
        figures.above_floor_in_sd = figures.sliced_w2_in_sd - floor;
    }
    figures
}

fn verdicts(mean: &EvalRow) -> Vec<Verdict> {
    let (one, four) = (&mean.one_step, &mean.four_step);
    let at_most = |what: &str, found: f64, bar: f64| Verdict {
        demand: format!("{what} at most {bar}"),
        found,
        // A distance that is no number fails.
        passed: found <= bar,
    };
    vec![
        at_most(
            "one-step sliced W2 above the floor, in sd,",
            one.above_floor_in_sd,
            SLICED_W2_BAR,
        ),
        at_most(
            "one-step mode-weight total variation",
            one.mode_weight_tv,
            MODE_WEIGHT_BAR,
        ),
        Verdict {
            demand: "a four-step draw is closer (sliced W2 in sd, four less one)".into(),
            found: four.sliced_w2_in_sd - one.sliced_w2_in_sd,
            passed: four.sliced_w2_in_sd < one.sliced_w2_in_sd,
        },
    ]
}

impl fmt::Display for EvalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        writeln!(
            f,
            "{}: {} states from p_t at each t, {} draws each; distances in world units, sd = {:.3}",
            self.world, plan.states, plan.draws, self.standard_deviation
        )?;
        writeln!(
            f,
            "{:>6} | {:^31} | {:^31} | {:^23}",
            "", "one step", "four steps", "floor (two exact)"
        )?;
        writeln!(
            f,
            "{:>6} | {:>7} {:>7} {:>8} {:>6} | {:>7} {:>7} {:>8} {:>6} | {:>7} {:>8} {:>6}",
            "t", "sw2", "above", "mmd2", "tv", "sw2", "above", "mmd2", "tv", "sw2", "mmd2", "tv"
        )?;
        for row in self.rows.iter().chain(std::iter::once(&self.mean)) {
            let name = row.t.map_or_else(|| "mean".into(), |t| format!("{t}"));
            write!(f, "{name:>6} |")?;
            for figures in [&row.one_step, &row.four_step] {
                write!(
                    f,
                    " {:>7.4} {:>7.4} {:>8.1e} {:>6.4} |",
                    figures.sliced_w2,
                    figures.above_floor_in_sd,
                    figures.mmd_squared,
                    figures.mode_weight_tv
                )?;
            }
            let floor = &row.floor;
            writeln!(
                f,
                " {:>7.4} {:>8.1e} {:>6.4}",
                floor.sliced_w2, floor.mmd_squared, floor.mode_weight_tv
            )?;
        }
        writeln!(
            f,
            "sw2: sliced W2; above: sw2 less the floor's, in sd; mmd2: squared MMD of the first {}; tv: total variation of mode weights",
            plan.mmd_draws
        )?;
        for verdict in &self.verdicts {
            let word = if verdict.passed { "pass" } else { "FAIL" };
            writeln!(f, "{word}  {}: {:.4}", verdict.demand, verdict.found)?;
        }
        Ok(())
    }
}
