//! What `foresight bench model` found, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use crate::model::{DitConfig, Precision};

/// One batch on one device in one type.
#[derive(Debug, Clone, Serialize)]
pub struct ModelRate {
    /// Where.
    pub device: &'static str,
    /// Whether the processor's own kernels computed it, which know some shapes.
    pub own_kernels: bool,
    /// Type of the matrix products.
    pub precision: Precision,
    /// States.
    pub batch: usize,
    /// Posterior draws a second, one jump each.
    pub draws_per_second: f64,
    /// Their share of the peak, [`ProductRate`]: operations of the network a second, in all that it does, beside those of a
    /// matrix product by what computes it.
    pub draws_share: f64,
    /// Time of one step of MFM-G for the whole batch, ms.
    pub steering_step_ms: f64,
    /// The same in it.
    pub steering_share: f64,
    /// What the process was thought to need, MiB: what it held before, where the system tells, and the network.
    pub expected_mib: f64,
    /// Most memory that the process held meanwhile, MiB, where the system tells.
    pub peak_mib: Option<f64>,
    /// What the device's allocator held afterwards, MiB, where it tells.
    pub device_mib: Option<f64>,
}

/// What a matrix product gives on a device in one type: the best of some sizes, by what computes the network.
#[derive(Debug, Clone, Serialize)]
pub struct ProductRate {
    /// Where.
    pub device: &'static str,
    /// Its name.
    pub hardware: String,
    /// Whether it is the product of the processor's own kernels, on all cores and from their caches; through burn otherwise.
    pub own_kernels: bool,
    /// Type.
    pub precision: Precision,
    /// Billions of operations a second.
    pub gflops: f64,
}

/// `foresight bench model`, whole.
#[derive(Debug, Clone, Serialize)]
pub struct ModelBench {
    /// Version of the program.
    pub version: &'static str,
    /// The network.
    pub model: DitConfig,
    /// Its parameters.
    pub parameters: u64,
    /// Billions of operations of one evaluation of one state.
    pub gflop: f64,
    /// Posterior draws a state in a steering step.
    pub draws: u32,
    /// What the devices can do.
    pub peaks: Vec<ProductRate>,
    /// What the network did.
    pub rates: Vec<ModelRate>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

impl fmt::Display for ModelBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Foresight {}: {} parameters, {} tokens of {}, {:.3} GFLOP a state",
            self.version,
            self.parameters,
            self.model.tokens(),
            self.model.hidden_size,
            self.gflop
        )?;
        for peak in &self.peaks {
            let by = if peak.own_kernels {
                "of the own kernels, from the cache,"
            } else {
                "through burn"
            };
            writeln!(
                f,
                "{} ({}): a matrix product in {} {by} runs at {:.1} GFLOP/s",
                peak.device, peak.hardware, peak.precision, peak.gflops
            )?;
        }
        writeln!(
            f,
            "\n{:<7} {:<5} {:>5} {:>10} {:>7} {:>12} {:>7} {:>12} {:>9} {:>10}",
            "device",
            "type",
            "batch",
            "draws / s",
            "of peak",
            "step ms",
            "of peak",
            "expected MiB",
            "peak MiB",
            "device MiB"
        )?;
        let mib = |v: Option<f64>| v.map_or_else(|| "unknown".into(), |v| format!("{v:.0}"));
        for row in &self.rates {
            writeln!(
                f,
                "{:<7} {:<5} {:>5} {:>10.2} {:>5.1} % {:>12.1} {:>5.1} % {:>12.0} {:>9} {:>10}",
                row.device,
                row.precision.to_string(),
                row.batch,
                row.draws_per_second,
                100.0 * row.draws_share,
                row.steering_step_ms,
                100.0 * row.steering_share,
                row.expected_mib,
                mib(row.peak_mib),
                mib(row.device_mib)
            )?;
        }
        for line in &self.left_out {
            writeln!(f, "left out: {line}")?;
        }
        write!(
            f,
            "step: one of MFM-G for the whole batch, {} draws a state with gradients by the state. Of peak: of the matrix product above. Peak MiB: of the process; of the device what its allocator held",
            self.draws
        )
    }
}
