//! The file of finished rows: appended to as each is there, so that an interrupted comparison goes on where it stopped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::metrics::Counters;
use crate::steer::{Flow, GridRow, GridRun, SteerPlan};

use super::plan::Comparison;

/// Grows whenever the same plan gives other numbers, or a column changes.
const VERSION: u32 = 1;
/// Largest file that is read back.
const MAX_BYTES: u64 = 1 << 28;

/// Everything that decides a row, in 16 hexadecimal digits; its label and its budget's name do not.
pub(super) fn fingerprint(asked: &Comparison, plan: &SteerPlan) -> Result<String, ron::Error> {
    let plan = SteerPlan {
        keep_trajectory: false,
        ..plan.clone()
    };
    let checkpoint = asked.model.as_ref().map(|m| m.checkpoint.hash.as_str());
    let mut hash = Sha256::new();
    for part in [
        format!("foresight {} rows {VERSION}", env!("CARGO_PKG_VERSION")),
        ron::to_string(&asked.world.mixture)?,
        ron::to_string(&checkpoint)?,
        ron::to_string(&asked.reward)?,
        ron::to_string(&plan)?,
    ] {
        // With its length, so that no two lists of parts read the same.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let first = u64::from_be_bytes(std::array::from_fn(|i| digest[i]));
    Ok(format!("{first:016x}"))
}

/// One line of the file. Numbers read back as the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    fingerprint: String,
    label: String,
    method: String,
    dynamics: String,
    steps: u32,
    draws: u32,
    particles: u32,
    seed: u64,
    budget: u64,
    evaluations: f64,
    network_forward: u64,
    network_backward: u64,
    reward: u64,
    reward_gradient: u64,
    sliced_w2: f64,
    mmd_squared: f64,
    tv: f64,
    mean_reward: f64,
    mean_reward_error: f64,
    non_finite: u64,
    seconds: f64,
}

const HEADER: &str = "fingerprint,label,method,dynamics,steps,draws,particles,seed,budget,evaluations,\
network_forward,network_backward,reward,reward_gradient,sliced_w2,mmd_squared,tv,mean_reward,mean_reward_error,\
non_finite,seconds\n";

impl Record {
    fn new(fingerprint: &str, label: &str, row: &GridRow) -> Self {
        let plan = &row.plan;
        Self {
            fingerprint: fingerprint.into(),
            label: label.into(),
            method: plan.method.to_string(),
            dynamics: flow_name(plan.flow).into(),
            steps: plan.steps,
            draws: plan.draws,
            particles: plan.particles,
            seed: plan.seed,
            budget: row.budget,
            evaluations: row.evaluations,
            network_forward: row.counters.network_forward,
            network_backward: row.counters.network_backward,
            reward: row.counters.reward,
            reward_gradient: row.counters.reward_gradient,
            sliced_w2: row.sliced_w2,
            mmd_squared: row.mmd_squared,
            tv: row.tv,
            mean_reward: row.mean_reward,
            mean_reward_error: row.mean_reward_error,
            non_finite: row.non_finite,
            seconds: row.seconds,
        }
    }

    fn row(&self, asked: &GridRun) -> GridRow {
        GridRow {
            method: asked.method,
            budget: asked.budget,
            evaluations: self.evaluations,
            plan: asked.plan.clone(),
            counters: Counters {
                network_forward: self.network_forward,
                network_backward: self.network_backward,
                reward: self.reward,
                reward_gradient: self.reward_gradient,
            },
            sliced_w2: self.sliced_w2,
            mmd_squared: self.mmd_squared,
            tv: self.tv,
            mean_reward: self.mean_reward,
            mean_reward_error: self.mean_reward_error,
            non_finite: self.non_finite,
            seconds: self.seconds,
        }
    }
}

/// `ode` or `sde`.
pub(super) fn flow_name(flow: Flow) -> &'static str {
    match flow {
        Flow::Ode => "ode",
        Flow::Sde => "sde",
    }
}

/// The open file.
pub(super) struct Rows {
    path: PathBuf,
    file: File,
    found: BTreeMap<String, Record>,
    /// Lines that could not be read and are computed again.
    pub unreadable: usize,
}

impl Rows {
    /// Opens the file, or makes it, and reads what is there. A last line that was cut off is removed.
    pub fn open(path: &Path) -> Result<Self, String> {
        let said = |e: io::Error| {
            format!(
                "{}: {e}. Check the folder and its permissions",
                path.display()
            )
        };
        // Asked before opening: a pipe would wait for ever.
        if std::fs::metadata(path).is_ok_and(|m| !m.is_file() || m.len() > MAX_BYTES) {
            return Err(format!(
                "{} is no file of rows of at most {MAX_BYTES} bytes: move it away or choose another --out-dir",
                path.display()
            ));
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(said)?;
        if matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
            return Err(format!(
                "{}: another comparison is writing here: wait for it or choose another --out-dir",
                path.display()
            ));
        }
        let mut text = Vec::new();
        (&mut file)
            .take(MAX_BYTES)
            .read_to_end(&mut text)
            .map_err(said)?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        if whole < text.len() {
            // Killed while it wrote: what is not whole is computed again.
            file.set_len(whole as u64).map_err(said)?;
            file.seek(SeekFrom::End(0)).map_err(said)?;
            text.truncate(whole);
        }
        let mut rows = Self {
            path: path.to_owned(),
            file,
            found: BTreeMap::new(),
            unreadable: 0,
        };
        if text.is_empty() {
            rows.append(HEADER.as_bytes())?;
        } else if text.starts_with(HEADER.as_bytes()) {
            rows.read(&text);
        } else {
            return Err(format!(
                "{}: its first line is not that of this version's rows: move it away or choose another --out-dir",
                path.display()
            ));
        }
        Ok(rows)
    }

    fn read(&mut self, text: &[u8]) {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
        for record in reader.deserialize::<Record>() {
            match record {
                Ok(record) => {
                    self.found
                        .entry(record.fingerprint.clone())
                        .or_insert(record);
                }
                Err(_) => self.unreadable += 1,
            }
        }
    }

    fn append(&mut self, line: &[u8]) -> Result<(), String> {
        self.file
            .write_all(line)
            .and_then(|()| self.file.sync_data())
            .map_err(|e| {
                format!(
                    "{}: {e}. Check free space; the rows before are kept, the same command goes on from there",
                    self.path.display()
                )
            })
    }

    /// The row of a run, if it is there.
    pub fn get(&self, fingerprint: &str, asked: &GridRun) -> Option<GridRow> {
        let record = self.found.get(fingerprint)?;
        // A fingerprint covers these; a file edited by hand does not.
        let plan = &asked.plan;
        (record.seed == plan.seed && record.steps == plan.steps && record.draws == plan.draws)
            .then(|| record.row(asked))
    }

    /// Keeps a finished row: it is on the disk when this returns.
    pub fn keep(&mut self, fingerprint: &str, label: &str, row: &GridRow) -> Result<(), String> {
        let record = Record::new(fingerprint, label, row);
        let mut line = Vec::new();
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(&mut line);
        writer
            .serialize(&record)
            .map_err(|e| e.to_string())
            .and_then(|()| writer.flush().map_err(|e| e.to_string()))?;
        drop(writer);
        self.append(&line)?;
        self.found.insert(fingerprint.into(), record);
        Ok(())
    }
}
