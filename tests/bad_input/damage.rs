//! Ways to damage a file.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::files::{joined, rebuilt, split};

/// Numbers and fragments that readers stumble over.
const NASTY: &[&str] = &[
    "-1",
    "0",
    "1e999",
    "-0.0",
    "NaN",
    "inf",
    "-inf",
    "18446744073709551615",
    "4294967296",
    "1e-320",
    "99999999999999999999999",
    "null",
    "[]",
    "{}",
    "()",
    "\"\"",
    "true",
    "\"\\u0000\"",
    "[[[[[[[[",
    "((((((((",
    "Some(",
    ",,,,,,,,",
    "/*",
    "\u{feff}",
    "é",
    "0x7fffffffffffffff",
    "1_000",
    "\r\n",
    "#",
    "\"",
];

pub fn damage(seed: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.random_range(1..=3) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.random_range(0..bytes.len());
        let end = (at + rng.random_range(1..=64)).min(bytes.len());
        match rng.random_range(0..9) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => rng.fill_bytes(&mut bytes[at..end]),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].repeat(rng.random_range(1..=40));
                bytes.splice(at..at, copy);
            }
            5 => {
                let from = rng.random_range(0..other.len());
                let to = (from + rng.random_range(1..=256)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            6 => bytes.extend(vec![bytes[at]; rng.random_range(1..=2_000)]),
            _ => replace_number(&mut bytes, at, rng),
        }
    }
    bytes
}

/// Puts something nasty in the place of the first number after `at`.
fn replace_number(bytes: &mut Vec<u8>, at: usize, rng: &mut ChaCha8Rng) {
    let is_number = |b: &u8| b.is_ascii_digit() || *b == b'.' || *b == b'-';
    let Some(start) = bytes[at..].iter().position(is_number).map(|i| at + i) else {
        return;
    };
    let length = bytes[start..].iter().take_while(|b| is_number(b)).count();
    let nasty = NASTY[rng.random_range(0..NASTY.len())];
    bytes.splice(start..start + length, nasty.bytes());
}

/// A model file damaged in its length, its header or its data, with the rest kept sound so that readers get far.
pub fn damaged_checkpoint(seed: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    const LENGTHS: [u64; 8] = [0, 1, 7, 1 << 24, (1 << 24) + 1, 1 << 40, 1 << 63, u64::MAX];
    let (header, data) = split(seed);
    match rng.random_range(0..6) {
        0 => damage(seed, other, rng),
        1 => {
            let mut bytes = seed.to_vec();
            let near = (header.len() as u64).wrapping_add_signed(rng.random_range(-9..=9));
            let length = if rng.random() {
                near
            } else {
                LENGTHS[rng.random_range(0..LENGTHS.len())]
            };
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            bytes
        }
        2 => {
            let mut data = data.to_vec();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..data.len() / 4) * 4;
                let bad = [f32::NAN, f32::INFINITY, f32::MAX, 1e-45][rng.random_range(0..4)];
                data[at..at + 4].copy_from_slice(&bad.to_le_bytes());
            }
            joined(header, &data)
        }
        3 => rebuilt(seed, |header, card, _| {
            let target = if rng.random() { card } else { header };
            damage_json(target, rng);
        }),
        _ => joined(&damage(header, other, rng), data),
    }
}

/// Replaces, removes or nests one random node.
fn damage_json(value: &mut Value, rng: &mut ChaCha8Rng) {
    let go_deeper = rng.random_range(0..4) > 0;
    match value {
        Value::Object(map) if go_deeper && !map.is_empty() => {
            let key = map
                .keys()
                .nth(rng.random_range(0..map.len()))
                .cloned()
                .unwrap();
            if rng.random_range(0..8) == 0 {
                map.remove(&key);
            } else {
                damage_json(&mut map[&key], rng);
            }
        }
        Value::Array(list) if go_deeper && !list.is_empty() => {
            let at = rng.random_range(0..list.len());
            damage_json(&mut list[at], rng);
        }
        other => {
            *other = match rng.random_range(0..9) {
                0 => Value::Null,
                1 => (-1).into(),
                2 => u64::MAX.into(),
                3 => (1_u64 << 32).into(),
                4 => 1e300.into(),
                5 => Value::Array(vec![0.into(); rng.random_range(0..200)]),
                6 => "x".repeat(rng.random_range(0..200)).into(),
                7 => serde_json::json!({ "colour": 3 }),
                _ => (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
            };
        }
    }
}
