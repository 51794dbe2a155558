//! A convolution on the processor: what each output sees is laid out as columns, and the rest is one product.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use pulp::{Arch, Simd, WithSimd};

use crate::model::outer::{OuterShape, add_outer, transposed_len};
use crate::model::simd::{Bias, Buffer, Packed, Plain, TILE, product, transposed_rows};

/// Shape of a convolution. Its input has a border of one pixel, which one of 3x3 sees and one of 1x1 does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvShape {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Rows and columns of the kernel: 1 or 3.
    pub(super) taps: usize,
    pub(super) stride: usize,
    /// Rows and columns of the input, without the border.
    pub(super) size: [usize; 2],
}

impl ConvShape {
    /// Rows and columns of the output.
    pub(super) fn out(&self) -> [usize; 2] {
        self.size.map(|n| (n - 1) / self.stride + 1)
    }

    /// Numbers that one output sees.
    pub(super) fn sees(&self) -> usize {
        self.from * self.taps * self.taps
    }

    /// Distance between rows of the weights, `[sees][to]`.
    pub(super) fn row(&self) -> usize {
        self.to.next_multiple_of(16)
    }
}

/// Neighbouring outputs of one row of an image, in neighbouring lanes of a tile.
#[derive(Debug, Clone, Copy)]
struct Run {
    lane: usize,
    len: usize,
    image: usize,
    row: usize,
    column: usize,
}

/// A convolution, with its weights ready for the product.
#[derive(Debug)]
pub(super) struct Conv {
    pub(super) shape: ConvShape,
    /// Where the weights lie among all, and the bias behind them if there is one.
    pub(super) at: usize,
    pub(super) has_bias: bool,
    packed: Packed,
    /// The outputs of a unit of images, tile by tile.
    tiles: Vec<Vec<Run>>,
}

/// Room for one tile.
#[derive(Debug)]
pub(super) struct Columns {
    /// Images of the unit that count: what is made of the others is left as it was.
    pub(super) live: usize,
    seen: Buffer,
    out: Buffer,
    transposed: Buffer,
}

impl Columns {
    pub(super) fn new(sees: usize, to: usize) -> Self {
        Self {
            live: 0,
            seen: Buffer::zeroed(sees * TILE),
            out: Buffer::zeroed(to.next_multiple_of(8) * TILE),
            transposed: Buffer::zeroed(transposed_len(to.next_multiple_of(16))),
        }
    }
}

impl Conv {
    /// For `unit` images that pass together.
    pub(super) fn new(shape: ConvShape, at: usize, has_bias: bool, unit: usize) -> Self {
        let [rows, columns] = shape.out();
        let mut tiles: Vec<Vec<Run>> = vec![Vec::new()];
        let mut lane = 0;
        for image in 0..unit {
            for row in 0..rows {
                let mut column = 0;
                while column < columns {
                    if lane == TILE {
                        tiles.push(Vec::new());
                        lane = 0;
                    }
                    let len = (columns - column).min(TILE - lane);
                    let run = Run {
                        lane,
                        len,
                        image,
                        row,
                        column,
                    };
                    tiles.last_mut().expect("never empty").push(run);
                    lane += len;
                    column += len;
                }
            }
        }
        Self {
            packed: Packed::zeroed(shape.to, shape.sees()),
            shape,
            at,
            has_bias,
            tiles,
        }
    }

    /// Numbers of the weights, and of the bias.
    pub(super) fn len(&self) -> usize {
        let bias = if self.has_bias { self.shape.row() } else { 0 };
        self.bias_at() - self.at + bias
    }

    pub(super) fn bias_at(&self) -> usize {
        self.at + self.shape.sees() * self.shape.row()
    }

    /// The tiles of that many images.
    #[inline(always)]
    fn tiles(&self, images: usize) -> impl Iterator<Item = &Vec<Run>> {
        let counts = move |tile: &&Vec<Run>| tile.first().is_some_and(|run| run.image < images);
        self.tiles.iter().take_while(counts)
    }

    /// Takes over the weights.
    pub(super) fn load(&mut self, flat: &[f32]) {
        let (row, weights) = (self.shape.row(), &flat[self.at..]);
        let bias = self.has_bias.then(|| &flat[self.bias_at()..]);
        self.packed.fill(|to, k| weights[k * row + to], bias);
    }

    /// `out`, `[U][to][rows columns]`, becomes the convolution of `input`, `[U][from][rows + 2][columns + 2]`, or has
    /// it added.
    pub(super) fn forward(
        &self,
        arch: Arch,
        input: &[f32],
        room: &mut Columns,
        out: &mut [f32],
        add: bool,
    ) {
        arch.dispatch(Forward(self, input, room, out, add));
    }

    /// Adds the gradients of the weights and of the input, where they are wanted, from that of the output.
    pub(super) fn backward(
        &self,
        arch: Arch,
        (input, d_out): (&[f32], &[f32]),
        room: &mut Columns,
        gradient: Option<&mut [f32]>,
        d_input: Option<&mut [f32]>,
    ) {
        arch.dispatch(BackwardPass {
            conv: self,
            input,
            d_out,
            room,
            gradient,
            d_input,
        });
    }

    /// Number of the plane of a run's image and of a channel in it, where its first output begins to see, and the distance
    /// between rows of the plane.
    #[inline(always)]
    fn place(&self, run: Run, channel: usize) -> (usize, usize) {
        let [rows, columns] = self.shape.size;
        let width = columns + 2;
        let plane = (rows + 2) * width;
        let edge = usize::from(self.shape.taps == 1);
        let (row, column) = (
            run.row * self.shape.stride + edge,
            run.column * self.shape.stride + edge,
        );
        (
            (run.image * self.shape.from + channel) * plane + row * width + column,
            width,
        )
    }

    /// Everything that the outputs of a tile see, `[sees][TILE]`.
    #[inline(always)]
    fn gather(&self, tile: &[Run], input: &[f32], seen: &mut [f32]) {
        let ConvShape {
            from, taps, stride, ..
        } = self.shape;
        let (seen, _) = seen.as_chunks_mut::<TILE>();
        for (channel, seen) in seen.chunks_exact_mut(taps * taps).take(from).enumerate() {
            for run in tile {
                let (first, width) = self.place(*run, channel);
                for (tap, seen) in seen.iter_mut().enumerate() {
                    let from = &input[first + tap / taps * width + tap % taps..];
                    let to = &mut seen[run.lane..run.lane + run.len];
                    if stride == 1 {
                        each(to, from, |to, from| *to = from);
                    } else {
                        for (to, from) in to.iter_mut().zip(from.iter().step_by(stride)) {
                            *to = *from;
                        }
                    }
                }
            }
        }
    }

    /// Adds the gradient of what was seen to that of the input. Each number of the input has its outputs added row by row and
    /// from left to right, wherever tiles end, so that no image's gradient depends on which others pass with it.
    #[inline(always)]
    fn scatter(&self, tile: &[Run], d_seen: &[f32], d_input: &mut [f32]) {
        let ConvShape {
            from, taps, stride, ..
        } = self.shape;
        let (d_seen, _) = d_seen.as_chunks::<TILE>();
        for (channel, d_seen) in d_seen.chunks_exact(taps * taps).take(from).enumerate() {
            for run in tile {
                let (first, width) = self.place(*run, channel);
                for (tap, d_seen) in d_seen.iter().enumerate().rev() {
                    let to = &mut d_input[first + tap / taps * width + tap % taps..];
                    let from = &d_seen[run.lane..run.lane + run.len];
                    if stride == 1 {
                        each(&mut to[..run.len], from, |to, from| *to += from);
                    } else {
                        for (to, from) in to.iter_mut().step_by(stride).zip(from) {
                            *to += from;
                        }
                    }
                }
            }
        }
    }
}

struct Forward<'a>(&'a Conv, &'a [f32], &'a mut Columns, &'a mut [f32], bool);

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(conv, input, room, out, add) = self;
        let [rows, columns] = conv.shape.out();
        for tile in conv.tiles(room.live) {
            let live = tile.iter().map(|run| run.len).sum();
            conv.gather(tile, input, room.seen.as_mut_slice());
            let matrix = (&conv.packed, Bias::Added);
            let (seen, made) = (room.seen.as_slice(), room.out.as_mut_slice());
            product(simd, matrix, live, seen, made, &mut Plain);
            let (made, _) = made.as_chunks::<TILE>();
            for (channel, made) in made.iter().take(conv.shape.to).enumerate() {
                for run in tile {
                    let plane = (run.image * conv.shape.to + channel) * rows * columns;
                    let at = plane + run.row * columns + run.column;
                    let (to, from) = (&mut out[at..at + run.len], &made[run.lane..]);
                    if add {
                        each(to, from, |to, from| *to += from);
                    } else {
                        each(to, from, |to, from| *to = from);
                    }
                }
            }
        }
    }
}

struct BackwardPass<'a> {
    conv: &'a Conv,
    input: &'a [f32],
    d_out: &'a [f32],
    room: &'a mut Columns,
    gradient: Option<&'a mut [f32]>,
    d_input: Option<&'a mut [f32]>,
}

impl WithSimd for BackwardPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            conv,
            input,
            d_out,
            room,
            mut gradient,
            mut d_input,
        } = self;
        let ConvShape { to, .. } = conv.shape;
        let ([rows, columns], sees, row) = (conv.shape.out(), conv.shape.sees(), conv.shape.row());
        let images = room.live;
        for tile in conv.tiles(images) {
            let live: usize = tile.iter().map(|run| run.len).sum();
            let delta = room.out.as_mut_slice();
            let (lanes, _) = delta.as_chunks_mut::<TILE>();
            for (channel, lanes) in lanes.iter_mut().take(to).enumerate() {
                for run in tile {
                    let plane = (run.image * to + channel) * rows * columns;
                    let from = &d_out[plane + run.row * columns + run.column..];
                    let to = &mut lanes[run.lane..run.lane + run.len];
                    if run.image < images {
                        each(to, from, |to, from| *to = from);
                    } else {
                        to.fill(0.0);
                    }
                }
                lanes[live..].fill(0.0);
            }
            if let Some(gradient) = gradient.as_deref_mut() {
                let (low, high) = gradient.split_at_mut(conv.bias_at());
                if conv.has_bias {
                    for (sum, lanes) in high.iter_mut().zip(lanes.iter().take(to)) {
                        *sum += lanes.iter().sum::<f32>();
                    }
                }
                conv.gather(tile, input, room.seen.as_mut_slice());
                // What is seen takes the place of the outputs: the weights lie `[sees][to]`, and only the smaller side is
                // rearranged.
                let shape = OuterShape {
                    inputs: to,
                    outputs: sees,
                    stride: row,
                };
                let seen = room.seen.as_slice();
                let (delta, other) = (room.out.as_slice(), room.transposed.as_mut_slice());
                add_outer(simd, shape, seen, delta, other, &mut low[conv.at..], None);
            }
            if let Some(d_input) = d_input.as_deref_mut() {
                let (delta, d_seen) = (room.out.as_slice(), room.seen.as_mut_slice());
                transposed_rows(simd, &conv.packed, live, delta, d_seen);
                conv.scatter(tile, d_seen, d_input);
            }
        }
    }
}

/// `put(to, from)` for each number of `to`; of usual lengths without a call.
#[inline(always)]
fn each(to: &mut [f32], from: &[f32], put: impl Fn(&mut f32, f32)) {
    #[inline(always)]
    fn of<const N: usize>(to: &mut [f32], from: &[f32], put: impl Fn(&mut f32, f32)) {
        if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
            for (to, from) in to.iter_mut().zip(from) {
                put(to, *from);
            }
        }
    }
    match to.len() {
        4 => of::<4>(to, from, put),
        8 => of::<8>(to, from, put),
        16 => of::<16>(to, from, put),
        32 => of::<32>(to, from, put),
        _ => {
            for (to, from) in to.iter_mut().zip(from) {
                put(to, *from);
            }
        }
    }
}
