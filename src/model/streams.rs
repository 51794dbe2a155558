//! Number streams that tests share with the scripts under `tests/reference`, so that weights need not be stored.

/// Where tests compute, for rooms that do not know tensors.
pub fn processor() -> burn::tensor::Device {
    burn::tensor::Device::flex()
}

/// The numbers in [-1, 1) of stream `key` of the scripts there.
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

/// Asserts a relative error, of the largest number, of less than 5e-5: half of what is asked for. It is 1e-6 to 1e-5 in
/// practice, f32 against f64.
pub fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let error = found
        .iter()
        .zip(expected)
        .fold(0.0_f64, |m, (a, b)| m.max((f64::from(*a) - b).abs()));
    println!("{what}: relative error {:.1e}", error / largest);
    assert!(error < 5e-5 * largest, "{what}: {error} of {largest}");
}

/// The slope of `value` at `at` along stream 1002, as a gradient says it and as central differences do, whose steps leave
/// third-order terms, smaller ones rounding.
pub fn slopes(at: &[f32], gradient: &[f32], value: impl Fn(&[f32]) -> f64) -> [f64; 2] {
    /// Between one side and the middle.
    const STEP: f64 = 1e-2;
    let along = numbers(1002, at.len());
    let told = gradient.iter().zip(&along).map(|(g, d)| f64::from(*g) * d);
    let side = |step: f64| {
        let moved = at.iter().zip(&along);
        let moved: Vec<f32> = moved
            .map(|(v, d)| (f64::from(*v) + step * d) as f32)
            .collect();
        value(&moved)
    };
    [told.sum(), (side(STEP) - side(-STEP)) / (2.0 * STEP)]
}
