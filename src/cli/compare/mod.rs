//! `foresight compare`: methods by budgets by seeds, as a table and as plots; goes on where it was interrupted.

mod axis;
mod ink;
mod layout;
mod plan;
mod plot;
mod rows;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::model::GuidedMlp;
use crate::session::write_atomically;
use crate::steer::{GridRow, GridRun, Judge, SteerError, SteerScene, run_grid};

use super::DeviceArg;
use layout::Layout;
use plan::Comparison;
use plot::Plot;
use rows::Rows;

const ROWS: &str = "rows.csv";
const TABLE: &str = "table.csv";

const HELP: &str = r#"A plan is a RON file:

(
    title: "Two modes",                     // above the plots; optional
    world: "two",                           // a preset or a world file; or
    checkpoint: "shipped",                  // a checkpoint file, or the one shipped for the world; its network
                                            // moves and draws. Without one the closed forms do
    reward: "measurement:0.3,1,0.5,0.5",    // as in foresight steer
    particles: 1024,                        // samples of every run
    seeds: [1, 2, 3],                       // one run for each; error bars are over these
    budgets: [300, 1000, 3000],             // function evaluations a sample
    options: (steps: 50),                   // for all methods; optional
    methods: [
        (name: "mfm-gf"),
        (name: "mfm-gf", label: "MFM-GF, SDE", options: (flow: "sde")),
        (name: "dps"),
    ],
)

A budget decides the draws of methods that draw (the candidates of best-of-n, the futures of search) and the steps
of the others, so that no more is spent than the budget; a method that cannot meet one is left out and named.
Network forward and backward passes, rewards and reward gradients count one each, for every draw.
draws: [1, 4, 16] and steps: [25, 50, 100] beside budgets, or instead of them, give the numbers outright.
Options: flow ("ode", "sde"), preset ("as-published", "exact"), steps, draws, start, schedule ((cap: 25.0)),
source ("one-step", "k-step:4", "glass:16", "sde:100", "exact"), rollout_steps, guidance,
renormalise (clip(0.5), rescale(0.5)), damping, mix_until, resample_below,
resampling ("systematic", "stratified", "multinomial"), population, search_power, search_overall, diamond_snr,
diamond_weights ("full", "reward-only"), control ("jacobian", "euclidean"),
control_variate (false: gradient-free steering is measured from the denoiser, not from the mean of its own draws),
control_until (a time: fmrg guides until then, and one jump of the map is its last step).
Files are looked for beside the plan. An example is assets/compare/bimodal.ron, which takes less than a minute.

In the folder of the results: rows.csv, one finished run a line, to which the same command adds what is missing;
table.csv, mean and standard deviation over seeds; distance.svg, distance.png, reward.svg and reward.png."#;

/// `foresight compare`
#[derive(Debug, Args)]
#[command(after_long_help = HELP, after_help = "See --help for what a plan holds.")]
pub struct CompareArgs {
    /// What is compared.
    #[arg(value_name = "PLAN.ron")]
    pub plan: PathBuf,
    /// Folder of the results, made if it is not there. If not given, a folder in the current one, named after the plan:
    /// bimodal-comparison for bimodal.ron.
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
    /// Seeds instead of the plan's.
    #[arg(long, value_name = "SEED,...", value_delimiter = ',')]
    pub seed: Vec<u64>,
}

/// Runs what is missing and writes the table and the plots.
///
/// # Errors
/// With a message for the person: a plan that cannot be used, nothing that can be run, a folder that cannot be written.
pub fn run_compare(args: &CompareArgs, device: Option<DeviceArg>) -> Result<(), String> {
    if device.is_some_and(|device| device != DeviceArg::Cpu) {
        eprintln!("note: comparisons run on the processor, so that rows of one file agree");
    }
    let asked = plan::read(&args.plan, &args.seed).map_err(|e| e.to_string())?;
    let network = asked.model.as_ref().map(|m| GuidedMlp::new(&m.network));
    let scene = SteerScene {
        world: &asked.world.mixture,
        reward: &asked.reward,
        model: network.as_ref(),
    };
    let layout = Layout::new(&asked, scene).map_err(|e| e.to_string())?;
    for note in layout.notes() {
        say!("note: {note}");
    }
    if layout.runs.is_empty() {
        return Err(format!(
            "{}: nothing of it can be run, see the notes",
            args.plan.display()
        ));
    }
    let folder = out_dir(args)?;
    let mut rows = Rows::open(&folder.join(ROWS))?;
    if rows.unreadable > 0 {
        say!(
            "note: {} of the lines of {ROWS} cannot be read: what they held is computed again",
            rows.unreadable
        );
    }
    let judge = Judge::new(scene, asked.particles).map_err(|e| e.to_string())?;
    let names = layout
        .runs
        .iter()
        .map(|run| rows::fingerprint(&asked, &run.plan))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| e.to_string())?;
    compute(&layout, &names, &judge, &mut rows)?;
    let finished: Vec<GridRow> = layout
        .runs
        .iter()
        .zip(&names)
        .filter_map(|(run, name)| rows.get(name, run))
        .collect();
    report(&asked, &layout, &judge, &finished, &folder)
}

/// The folder of the results, there.
fn out_dir(args: &CompareArgs) -> Result<PathBuf, String> {
    let folder = match (&args.out_dir, args.plan.file_stem()) {
        (Some(folder), _) => folder.clone(),
        (None, Some(stem)) => PathBuf::from(format!("{}-comparison", stem.to_string_lossy())),
        (None, None) => return Err(format!("{} is no file: give a plan", args.plan.display())),
    };
    std::fs::create_dir_all(&folder)
        .map_err(|e| format!("{}: {e}. Choose another --out-dir", folder.display()))?;
    Ok(folder)
}

/// Runs what the file of rows does not hold yet.
fn compute(
    layout: &Layout,
    names: &[String],
    judge: &Judge<'_>,
    rows: &mut Rows,
) -> Result<(), String> {
    // Two budgets may ask for the same plan: it runs once.
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, (run, name)) in layout.runs.iter().zip(names).enumerate() {
        if rows.get(name, run).is_none() {
            missing.entry(name).or_insert(i);
        }
    }
    let mut order: Vec<usize> = missing.into_values().collect();
    order.sort_unstable();
    let there = layout.runs.len() - order.len();
    if there > 0 && !order.is_empty() {
        say!("{there} of {} runs are there already", layout.runs.len());
    }
    let runs: Vec<GridRun> = order.iter().map(|i| layout.runs[*i].clone()).collect();
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    let prefix = |done: usize| format!("run {} of {}", (done + 1).min(runs.len()), runs.len());
    bar.set_prefix(prefix(0));
    let (mut done, mut trouble) = (0, None);
    let mut watch = |fraction: f32| {
        bar.set_position((f64::from(fraction) * 1000.0) as u64);
        true
    };
    let ended = run_grid(&runs, judge, &mut watch, &mut |row| {
        let which = runs[done..]
            .iter()
            .position(|r| r.method == row.method && r.budget == row.budget && r.plan == row.plan)
            .map_or(done, |skipped| done + skipped);
        let (name, label) = (&names[order[which]], &layout.series[row.method]);
        done = which + 1;
        bar.set_prefix(prefix(done));
        match rows.keep(name, label, &row) {
            Ok(()) => true,
            Err(error) => {
                trouble = Some(error);
                false
            }
        }
    });
    bar.finish_and_clear();
    match (ended, trouble) {
        (_, Some(trouble)) => Err(trouble),
        (Err(SteerError::Cancelled), None) => Err("cancelled".into()),
        (Err(error), None) => Err(error.to_string()),
        (Ok(failed), None) => {
            for left in failed {
                say!(
                    "note: {} is left out: {}",
                    layout.series[left.method],
                    left.reason
                );
            }
            Ok(())
        }
    }
}

/// Prints the table and writes it with the plots.
fn report(
    asked: &Comparison,
    layout: &Layout,
    judge: &Judge<'_>,
    finished: &[GridRow],
    folder: &Path,
) -> Result<(), String> {
    let points = table::points(finished, &layout.series);
    let how = match &asked.model {
        Some(model) => format!("learned: {}", model.name),
        None => "exact closed forms".into(),
    };
    say!(
        "{}, toward {}, {} particles, {how}",
        asked.world.name,
        asked.reward,
        asked.particles
    );
    say!("{}", table::text(&points, judge));
    let mut warned: Vec<(&str, &str)> = Vec::new();
    for point in &points {
        if let Some(warning) = point.warning
            && !warned.contains(&(&point.label, warning))
        {
            warned.push((&point.label, warning));
            say!(
                "note: {} at {:.0} evaluations: {warning}",
                point.label,
                point.evaluations
            );
        }
        if point.non_finite > 0 {
            say!(
                "note: {} at {:.0} evaluations: {} particles became non-finite",
                point.label,
                point.evaluations,
                point.non_finite
            );
        }
    }
    let seeds = match asked.seeds.len() {
        1 => "1 seed".into(),
        n => format!("bars: one standard deviation over {n} seeds"),
    };
    let note = format!(
        "{} samples a run, {how}; {seeds}",
        axis::label(f64::from(asked.particles))
    );
    let plot = |y_title, log_y, figure, truth| Plot {
        title: &asked.title,
        note: note.clone(),
        y_title,
        log_y,
        figure,
        truth,
        points: &points,
        series: &layout.series,
    };
    let distance = plot(
        "Sliced W2 to the target (world units, log scale)",
        true,
        |p| p.sliced_w2,
        (judge.floor.sliced_w2, "Two exact samples"),
    );
    let truth = match (judge.target_mean_reward_is_closed, judge.exact_target) {
        (true, _) => "Exact target",
        (false, true) => "Draws of the exact target",
        (false, false) => "Target, estimated",
    };
    let reward = plot(
        "Mean reward (nats)",
        false,
        |p| p.mean_reward,
        (judge.target_mean_reward, truth),
    );
    let csv = table::csv(&points, judge).map_err(|e| e.to_string())?;
    for (name, bytes) in [
        (TABLE, csv),
        ("distance.svg", distance.svg()?.into_bytes()),
        ("distance.png", distance.png()?),
        ("reward.svg", reward.svg()?.into_bytes()),
        ("reward.png", reward.png()?),
    ] {
        let path = folder.join(name);
        write_atomically(&path, |file| std::io::Write::write_all(file, &bytes))
            .map_err(|e| format!("{}: {e}. Check free space and permissions", path.display()))?;
    }
    say!("written to {}", folder.display());
    Ok(())
}
