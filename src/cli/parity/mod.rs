//! `foresight parity`: a folder of numbers from the reference implementation, recomputed, and its other weight files
//! compared.

mod others;
mod steering;

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use clap::Args;

use crate::checkpoint::{TensorFile, read_dit, read_dit_config, shape_file_beside};
use crate::lookahead::{glass_velocity, posterior_draws};
use crate::model::{Condition, Dit, MetaFlowMap, Precision};

/// `foresight parity`
#[derive(Debug, Clone, Args)]
pub struct ParityArgs {
    /// The folder: config.json (or .yaml, .ron), checkpoint.safetensors (or .pt, .pth) and io.safetensors.
    pub folder: PathBuf,
    /// Largest relative error that passes.
    #[arg(long, default_value_t = 1e-4)]
    pub tolerance: f64,
    /// The type that matrix products are made in: f32, f16 or bf16.
    #[arg(long, default_value_t = Precision::F32)]
    pub precision: Precision,
}

/// The most numbers of one state times items that are read; a folder of checks is small.
const MOST: usize = 1 << 26;

/// Runs the command. An error above the tolerance is an error of the command, so that scripts notice.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &ParityArgs) -> Result<(), String> {
    let device = Device::flex();
    let files = others::weight_files(&args.folder)?;
    let (dit, mut numbers) = open(&args.folder, &files[0], &device)?;
    let mut alike = true;
    for other in &files[1..] {
        alike &= others::compare(other, &dit, dit.config())?;
    }
    let dit = dit.with_products_in(args.precision);
    let mut worst = 0.0_f64;
    let mut checked = 0;
    for name in CHECKS {
        let Some(expected) = numbers.expected(name)? else {
            say!("{name:28} not in the folder");
            continue;
        };
        let found = recompute(name, &dit, &mut numbers)?;
        let error = relative_error(&found, &expected);
        let verdict = if error <= args.tolerance {
            ""
        } else {
            "  above the tolerance"
        };
        say!("{name:28} {error:.2e}{verdict}");
        // A number that is not one is no agreement.
        worst = if error.is_nan() {
            f64::INFINITY
        } else {
            worst.max(error)
        };
        checked += 1;
    }
    say!(
        "largest relative error       {worst:.2e} of {checked} checks, tolerance {:.0e}",
        args.tolerance
    );
    if checked == 0 {
        return Err(format!(
            "{}: io.safetensors holds nothing that can be recomputed",
            args.folder.display()
        ));
    }
    if worst > args.tolerance {
        return Err("the numbers differ from the reference".into());
    }
    if !alike {
        return Err("the folder's weight files are not the same network".into());
    }
    Ok(())
}

/// What can be recomputed, in the order of printing.
const CHECKS: &[&str] = &[
    "velocity",
    "velocity_null_label",
    "flow_map",
    "posterior_1_steps",
    "posterior_2_steps",
    "posterior_4_steps",
    "glass_velocity_sit",
    "drift_iwae_ode",
    "drift_iwae_sde",
    "drift_iwae_ode_renorm",
    "drift_sne_ode",
    "drift_sne_sde",
    "drift_dps_ode",
    "drift_dps_sde",
];

fn open(folder: &Path, weights: &Path, device: &Device) -> Result<(Dit, Numbers), String> {
    let shape = shape_file_beside(weights).ok_or_else(|| {
        format!(
            "{}: the network's shape is missing; config.json is needed, the model file of a transformer",
            folder.display()
        )
    })?;
    let config = read_dit_config(&shape).map_err(|e| e.to_string())?;
    let dit = read_dit(weights, &config, device, DType::F32).map_err(|e| e.to_string())?;
    let file = TensorFile::open(&folder.join("io.safetensors")).map_err(|e| e.to_string())?;
    let numbers = Numbers {
        path: folder.join("io.safetensors").display().to_string(),
        file,
        state: config.state(),
        label_dim: config.label_dim,
        device: device.clone(),
    };
    Ok((dit, numbers))
}

/// The folder's io.safetensors.
struct Numbers {
    file: TensorFile,
    path: String,
    state: [usize; 3],
    label_dim: usize,
    device: Device,
}

impl Numbers {
    fn expected(&mut self, name: &str) -> Result<Option<Vec<f32>>, String> {
        if self.file.shape(name).is_none() {
            return Ok(None);
        }
        self.images(name).map(|tensor| Some(list(tensor)))
    }

    /// A tensor `[N, C, H, W]` of states.
    fn images(&mut self, name: &str) -> Result<Tensor<4>, String> {
        let shape = self.file.shape(name).unwrap_or_default();
        let [c, h, w] = self.state;
        let fits =
            shape.len() == 4 && shape[1..] == [c, h, w] && shape.iter().product::<usize>() <= MOST;
        if !fits && self.file.shape(name).is_some() {
            return Err(format!(
                "{}: tensor {name} has the shape {shape:?}, not [items, {c}, {h}, {w}] as the configuration asks",
                self.path
            ));
        }
        let values = self.file.floats(name).map_err(|e| e.to_string())?;
        let data = TensorData::new(values, [shape[0], c, h, w]);
        Ok(Tensor::from_data(data, &self.device))
    }

    /// `[B]` numbers, one for each item of `x`.
    fn times(&mut self, name: &str, items: usize) -> Result<Vec<f32>, String> {
        let values = self.file.floats(name).map_err(|e| e.to_string())?;
        self.count(name, values.len(), items)?;
        Ok(values)
    }

    fn labels(&mut self, items: usize) -> Result<Vec<i64>, String> {
        let labels = self.file.integers("label").map_err(|e| e.to_string())?;
        self.count("label", labels.len(), items)?;
        let known = 0..=self.label_dim as i64;
        match labels.iter().find(|label| !known.contains(label)) {
            Some(label) => Err(format!(
                "{}: label {label} is none of 0 to {}",
                self.path, self.label_dim
            )),
            None => Ok(labels),
        }
    }

    fn count(&self, name: &str, found: usize, items: usize) -> Result<(), String> {
        if found == items {
            Ok(())
        } else {
            Err(format!(
                "{}: tensor {name} has {found} numbers for {items} items",
                self.path
            ))
        }
    }

    /// The condition of the folder: `t_cond`, `x_cond`, classes and guidance scales.
    fn condition(&mut self) -> Result<Condition<4>, String> {
        let x_t = self.images("x_cond")?;
        let t = self.times("t_cond", x_t.dims()[0])?;
        self.condition_at(&t, x_t)
    }

    /// The folder's classes and scales at another conditioning state.
    fn condition_at(&mut self, t: &[f32], x_t: Tensor<4>) -> Result<Condition<4>, String> {
        let items = t.len();
        let labels = TensorData::new(self.labels(items)?, [items]);
        let scale = self.times("cfg_scale", items)?;
        Ok(Condition {
            t: column(t, &self.device),
            x_t,
            label: Some(Tensor::<1, Int>::from_data(labels, &self.device)),
            guidance_scale: Some(column(&scale, &self.device)),
        })
    }
}

fn recompute(name: &str, dit: &Dit, numbers: &mut Numbers) -> Result<Vec<f32>, String> {
    if let Some(how) = name.strip_prefix("drift_") {
        let plain = numbers.device.clone();
        numbers.device = plain.clone().autodiff();
        let tracked = dit.clone().no_grad().train();
        let drift = steering::drift(how, &tracked, numbers);
        numbers.device = plain;
        return drift.map(|drift| list(drift.inner()));
    }
    let mut condition = numbers.condition()?;
    if let Some(steps) = name.strip_prefix("posterior_") {
        let steps = steps.as_bytes()[0] - b'0';
        let eps = numbers.images("eps")?;
        return Ok(list(posterior_draws(dit, eps, &condition, steps.into())));
    }
    let x = numbers.images("x")?;
    let items = x.dims()[0];
    let (s, u) = (numbers.times("s", items)?, numbers.times("u", items)?);
    let device = numbers.device.clone();
    let (from, to) = (column(&s, &device), column(&u, &device));
    Ok(list(match name {
        "flow_map" => dit.flow_map(from, to, x, &condition),
        "glass_velocity_sit" => {
            let t = numbers.times("t_cond", items)?;
            glass_velocity(dit, (&wide(&s), x), (&wide(&t), condition.x_t))
        }
        _ => {
            if name == "velocity_null_label" {
                condition.label = None;
            }
            dit.average_velocity(from, to, x, &condition)
        }
    }))
}

fn column(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_floats(values, device)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn list(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap_or_default()
}

/// Largest difference over the largest size of the reference.
fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::NAN;
    }
    let largest = |values: &mut dyn Iterator<Item = f32>| {
        values.fold(0.0_f64, |most, v| {
            if v.is_nan() {
                f64::NAN
            } else {
                most.max(v.abs().into())
            }
        })
    };
    let difference = largest(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    difference / largest(&mut expected.iter().copied()).max(f64::MIN_POSITIVE)
}
