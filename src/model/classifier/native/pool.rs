//! The largest of each two by two neighbours.

/// `out`, `[n][rows / 2][columns / 2]`, becomes the maxima of `input`, `[n][rows][columns]`, and `chosen` which of the four
/// they were; both sizes are even.
pub(super) fn pool(input: &[f32], [rows, columns]: [usize; 2], out: &mut [f32], chosen: &mut [u8]) {
    let planes = input.chunks_exact(rows * columns);
    let pooled = rows / 2 * (columns / 2);
    let outs = out
        .chunks_exact_mut(pooled)
        .zip(chosen.chunks_exact_mut(pooled));
    for (plane, (out, chosen)) in planes.zip(outs) {
        let pairs = plane.chunks_exact(2 * columns);
        let rows = out
            .chunks_exact_mut(columns / 2)
            .zip(chosen.chunks_exact_mut(columns / 2));
        for (pair, (out, chosen)) in pairs.zip(rows) {
            let (above, below) = pair.split_at(columns);
            let fours = above.chunks_exact(2).zip(below.chunks_exact(2));
            for ((above, below), (out, chosen)) in fours.zip(out.iter_mut().zip(chosen)) {
                (*out, *chosen) = (above[0], 0);
                for (value, which) in [(above[1], 1), (below[0], 2), (below[1], 3)] {
                    if value > *out {
                        (*out, *chosen) = (value, which);
                    }
                }
            }
        }
    }
}

/// `d_input` becomes the gradient by the input, from that by the maxima.
pub(super) fn unpool(
    d_out: &[f32],
    chosen: &[u8],
    [rows, columns]: [usize; 2],
    d_input: &mut [f32],
) {
    let pooled = rows / 2 * (columns / 2);
    let outs = d_out.chunks_exact(pooled).zip(chosen.chunks_exact(pooled));
    for (plane, (d_out, chosen)) in d_input.chunks_exact_mut(rows * columns).zip(outs) {
        let pairs = plane.chunks_exact_mut(2 * columns);
        let rows = d_out
            .chunks_exact(columns / 2)
            .zip(chosen.chunks_exact(columns / 2));
        for (pair, (d_out, chosen)) in pairs.zip(rows) {
            let (above, below) = pair.split_at_mut(columns);
            let fours = above.chunks_exact_mut(2).zip(below.chunks_exact_mut(2));
            for ((above, below), (d, chosen)) in fours.zip(d_out.iter().zip(chosen)) {
                let of = |which: u8| if *chosen == which { *d } else { 0.0 };
                (above[0], above[1]) = (of(0), of(1));
                (below[0], below[1]) = (of(2), of(3));
            }
        }
    }
}
