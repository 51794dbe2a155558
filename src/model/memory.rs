//! About how much memory a network takes, before it takes it.

/// Memory that the system can give, in bytes, where it tells.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Bytes that a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Its weights, and what else stays while another network computes.
    pub weights: u64,
    /// What is alive beside them while it computes.
    pub working: u64,
}

impl Memory {
    /// Both.
    pub const fn bytes(self) -> u64 {
        self.weights + self.working
    }

    /// Of two networks that are asked one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            weights: self.weights + other.weights,
            working: self.working.max(other.working),
        }
    }
}
