//! The table: one line for each method at each price, mean and standard deviation over seeds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::steer::{GridRow, Judge, Knob};

use super::rows::flow_name;

/// Mean and standard deviation of one figure over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub mean: f64,
    /// Of the seeds, not of the mean; NaN of one seed.
    pub sd: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        Self {
            mean,
            sd: (square / (n - 1.0)).sqrt(),
        }
    }

    fn text(self, digits: usize) -> String {
        // What diverged would push all columns apart.
        if self.mean.abs() >= 1e5 {
            return self.text_e();
        }
        if self.sd.is_finite() {
            format!("{:.digits$} +- {:.digits$}", self.mean, self.sd)
        } else {
            format!("{:.digits$}", self.mean)
        }
    }

    fn text_e(self) -> String {
        if self.sd.is_finite() {
            format!("{:.1e} +- {:.0e}", self.mean, self.sd)
        } else {
            format!("{:.1e}", self.mean)
        }
    }
}

/// One line of the table, and one point of the plots.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// Which line of the plots.
    pub series: usize,
    pub label: String,
    pub method: &'static str,
    pub dynamics: &'static str,
    /// 0 where none was asked for.
    pub budget: u64,
    pub steps: u32,
    /// `None` where the method draws nothing.
    pub draws: Option<u32>,
    pub seeds: usize,
    pub evaluations: f64,
    pub sliced_w2: Spread,
    pub mmd_squared: Spread,
    pub tv: Spread,
    pub mean_reward: Spread,
    pub non_finite: u64,
    pub warning: Option<&'static str>,
}

/// All lines, in the order of the rows; rows of one plan that differ by their seed alone become one.
pub(super) fn points(rows: &[GridRow], series: &[String]) -> Vec<Point> {
    let mut order = Vec::new();
    let mut groups: BTreeMap<(usize, u64, u32, u32), Vec<&GridRow>> = BTreeMap::new();
    for row in rows {
        let key = (row.method, row.budget, row.plan.steps, row.plan.draws);
        let group = groups.entry(key).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(row);
    }
    order
        .into_iter()
        .map(|key| {
            let rows = &groups[&key];
            let of = |figure: fn(&GridRow) -> f64| {
                Spread::of(&rows.iter().map(|row| figure(row)).collect::<Vec<_>>())
            };
            let plan = &rows[0].plan;
            Point {
                series: key.0,
                label: series[key.0].clone(),
                method: plan.method.card().name,
                dynamics: flow_name(plan.flow),
                budget: key.1,
                steps: plan.steps,
                draws: (Knob::of(plan.method) == Knob::Draws).then_some(plan.draws),
                seeds: rows.len(),
                evaluations: of(|row| row.evaluations).mean,
                sliced_w2: of(|row| row.sliced_w2),
                mmd_squared: of(|row| row.mmd_squared),
                tv: of(|row| row.tv),
                mean_reward: of(|row| row.mean_reward),
                non_finite: rows.iter().map(|row| row.non_finite).sum(),
                warning: plan.warning(),
            }
        })
        .collect()
}

/// The table for a person, its columns aligned.
pub(super) fn text(points: &[Point], judge: &Judge<'_>) -> String {
    let mut lines = vec![
        [
            "method",
            "dynamics",
            "budget",
            "evaluations",
            "steps",
            "draws",
            "seeds",
            "sliced W2",
            "MMD^2",
            "mode TV",
            "mean reward",
        ]
        .map(String::from),
    ];
    lines.extend(points.iter().map(|p| {
        [
            p.label.clone(),
            p.dynamics.into(),
            match p.budget {
                0 => "-".into(),
                budget => budget.to_string(),
            },
            format!("{:.0}", p.evaluations),
            p.steps.to_string(),
            p.draws.map_or_else(|| "-".into(), |n| n.to_string()),
            p.seeds.to_string(),
            p.sliced_w2.text(4),
            p.mmd_squared.text_e(),
            p.tv.text(4),
            p.mean_reward.text(4),
        ]
    }));
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; 11] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Words to the left, numbers to the right. Writing to a string cannot fail.
            let _ = if column < 2 {
                write!(out, "{gap}{cell:<width$}")
            } else {
                write!(out, "{gap}{cell:>width$}")
            };
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    let floor = judge.floor;
    let _ = writeln!(
        out,
        "two exact samples of {}: sliced W2 {:.4}, at most {:.4}; MMD^2 at most {:.1e}; mode TV at most {:.4}",
        judge.scored, floor.sliced_w2, floor.sliced_w2_max, floor.mmd_squared_max, floor.tv_max
    );
    let _ = write!(
        out,
        "mean reward of the target {:.4}, {}; evaluations and budgets are counted a sample",
        judge.target_mean_reward, judge.how_the_mean_is_known
    );
    out
}

/// One line of `table.csv`; empty where a figure is not a number.
#[derive(Serialize)]
struct CsvLine<'a> {
    label: &'a str,
    method: &'a str,
    dynamics: &'a str,
    budget: Option<u64>,
    steps: u32,
    draws: Option<u32>,
    seeds: usize,
    evaluations: f64,
    sliced_w2_mean: Option<f64>,
    sliced_w2_sd: Option<f64>,
    mmd_squared_mean: Option<f64>,
    mmd_squared_sd: Option<f64>,
    tv_mean: Option<f64>,
    tv_sd: Option<f64>,
    mean_reward_mean: Option<f64>,
    mean_reward_sd: Option<f64>,
    non_finite: u64,
    floor_sliced_w2: f64,
    target_mean_reward: f64,
    target_exact: bool,
}

/// The table as a file, with full precision.
pub(super) fn csv(points: &[Point], judge: &Judge<'_>) -> Result<Vec<u8>, csv::Error> {
    let some = |v: f64| v.is_finite().then_some(v);
    let mut out = Vec::new();
    {
        let mut writer = csv::Writer::from_writer(&mut out);
        for p in points {
            writer.serialize(CsvLine {
                label: &p.label,
                method: p.method,
                dynamics: p.dynamics,
                budget: (p.budget > 0).then_some(p.budget),
                steps: p.steps,
                draws: p.draws,
                seeds: p.seeds,
                evaluations: p.evaluations,
                sliced_w2_mean: some(p.sliced_w2.mean),
                sliced_w2_sd: some(p.sliced_w2.sd),
                mmd_squared_mean: some(p.mmd_squared.mean),
                mmd_squared_sd: some(p.mmd_squared.sd),
                tv_mean: some(p.tv.mean),
                tv_sd: some(p.tv.sd),
                mean_reward_mean: some(p.mean_reward.mean),
                mean_reward_sd: some(p.mean_reward.sd),
                non_finite: p.non_finite,
                floor_sliced_w2: judge.floor.sliced_w2,
                target_mean_reward: judge.target_mean_reward,
                target_exact: judge.exact_target,
            })?;
        }
        writer.flush()?;
    }
    Ok(out)
}
