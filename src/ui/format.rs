//! Numbers as they are written on screen.

use std::time::Duration;

/// `4,096`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 draw`, `1,024 draws`.
pub fn counted(n: u64, of: &str) -> String {
    let end = if n == 1 { "" } else { "s" };
    format!("{} {of}{end}", count(n))
}

/// With a true minus sign; `-0.00` is written without one.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().any(|b| (b'1'..=b'9').contains(&b)) => format!("\u{2212}{rest}"),
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// `−0.60, −0.80`.
pub fn point(x: [f64; 2]) -> String {
    format!("{}, {}", fixed(x[0], 2), fixed(x[1], 2))
}

/// A share in [0, 1] as `69.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", fixed(share * 100.0, 1))
}

/// `0.8 ms`, `42 ms`, `1.3 s`.
pub fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1e3)
    }
}

/// `about 12 s left`.
pub fn left(time: Duration) -> String {
    let secs = time.as_secs_f64();
    if secs < 1.5 {
        "about 1 s left".to_owned()
    } else if secs < 90.0 {
        format!("about {secs:.0} s left")
    } else {
        format!("about {:.0} min left", secs / 60.0)
    }
}

/// `896 kB`.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    if n < 1e3 {
        format!("{n:.0} B")
    } else if n < 1e6 {
        format!("{:.0} kB", n / 1e3)
    } else {
        format!("{:.1} MB", n / 1e6)
    }
}

/// Spacing of round ticks: 1, 2 or 5 times a power of ten, at least `least`.
pub fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let base = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * base)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * base)
}

/// Decimals that tell neighbouring ticks apart.
pub fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 6.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1), "1");
        assert_eq!(count(4096), "4,096");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(counted(1, "draw"), "1 draw");
        assert_eq!(counted(1024, "draw"), "1,024 draws");
        assert_eq!(fixed(-0.6, 2), "\u{2212}0.60");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(percent(0.694), "69.4 %");
        assert_eq!(duration(Duration::from_micros(820)), "0.8 ms");
        assert_eq!(duration(Duration::from_millis(1300)), "1.3 s");
    }

    #[test]
    fn ticks_are_round() {
        for (least, step) in [
            (0.3, 0.5),
            (1.0, 1.0),
            (1.1, 2.0),
            (70.0, 100.0),
            (0.011, 0.02),
        ] {
            assert!((round_step(least) - step).abs() < 1e-9 * step, "{least}");
        }
        assert_eq!(decimals(0.5), 1);
        assert_eq!(decimals(0.02), 2);
        assert_eq!(decimals(5.0), 0);
    }
}
