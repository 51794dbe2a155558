//! Number streams that tests share with the scripts under `tests/reference`, so that weights need not be stored.

/// The numbers in [-1, 1) of stream `key`.
pub fn numbers(key: u32, count: usize) -> Vec<f64> {
    (0..count as u32)
        .map(|i| {
            let z = i
                .wrapping_mul(0x9E37_79B9)
                .wrapping_add(key.wrapping_mul(0x85EB_CA6B));
            let z = (z ^ (z >> 16)).wrapping_mul(0x7FEB_352D);
            let z = (z ^ (z >> 15)).wrapping_mul(0x846C_A68B);
            let z = z ^ (z >> 16);
            f64::from(z >> 8) / 8_388_608.0 - 1.0
        })
        .collect()
}
