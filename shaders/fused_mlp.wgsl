// The whole small network in one kernel: x += (u - s) * v(x), with v an MLP of hidden layers of 256
// with SiLU and 2 outputs. Everything but x is folded into the first layer's bias, so a row of
// input is one point and nothing but points moves through memory.
//
// gpu/fused.rs puts these in front, chosen by the device's limits:
//   const GROUPS: u32   groups of 64 invocations; each group carries 8 rows
//
// One workgroup carries ROWS = 8 * GROUPS rows through all layers. Activations stay in workgroup
// memory (ROWS KiB), four rows to a vec4: h[q * 256 + neuron]. Invocation (n, g) computes the
// neurons n, n + 64, n + 128, n + 192 of rows 8 g .. 8 g + 7: eight vec4 accumulators in registers.
// Weights are packed so that the four neurons of one invocation are one vec4, and the 64
// invocations of a group read 1 KiB in a row.

const HIDDEN: u32 = 256u;
const LANES: u32 = 64u;
const THREADS: u32 = LANES * GROUPS;
const ROWS: u32 = 8u * GROUPS;
const QUADS: u32 = 2u * GROUPS;
// Output layer: the 256 terms of a row are summed in PARTS pieces.
const PARTS: u32 = THREADS / QUADS;
const PART_TERMS: u32 = HIDDEN / PARTS;

struct Network {
    hidden_to_hidden: u32,
    out_bias_x: f32,
    out_bias_y: f32,
    unused: u32,
}

struct Chunk {
    // Rows first .. end of `points`.
    first: u32,
    end: u32,
    // Neighbouring rows that share a conditioning state; 0: theirs is in the bias already.
    group: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> network: Network;
// [layer][input neuron][lane]: the four neurons of that lane.
@group(0) @binding(1) var<storage, read> hidden_weights: array<vec4<f32>>;
// [64] W_x first column, [64] W_x second column, [128] output weights as (x, y) pairs of two
// neurons, then [layer][64] hidden biases, [64] x_t first column, [64] x_t second column.
@group(0) @binding(2) var<storage, read> small: array<vec4<f32>>;

@group(1) @binding(0) var<uniform> chunk: Chunk;
// [64] conditioned bias, then (u - s) in [64].x.
@group(1) @binding(1) var<storage, read> flow: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read_write> points: array<vec2<f32>>;
// One conditioning state for each `chunk.group` rows.
@group(1) @binding(3) var<storage, read> conditions: array<vec2<f32>>;

const SMALL_W_Y: u32 = 64u;
const SMALL_OUT: u32 = 128u;
const SMALL_BIAS: u32 = 256u;

var<workgroup> h: array<vec4<f32>, 512u * GROUPS>;

fn silu(z: vec4<f32>) -> vec4<f32> {
    // The bound keeps exp finite; at -80 the result is 0 in f32 anyway.
    return z / (1.0 + exp(min(-z, vec4<f32>(80.0))));
}

fn point_or_zero(row: u32) -> vec2<f32> {
    if row < chunk.end {
        return points[row];
    }
    return vec2<f32>(0.0);
}

// What row `row` adds to the first layer's neurons for its conditioning state.
fn condition(row: u32, c_x: vec4<f32>, c_y: vec4<f32>) -> vec4<f32> {
    if chunk.group == 0u || row >= chunk.end {
        return vec4<f32>(0.0);
    }
    let x_t = conditions[row / chunk.group];
    return c_x * x_t.x + c_y * x_t.y;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) tile: vec3<u32>) {
    let n = lid % LANES;
    let group = lid / LANES;
    let base = chunk.first + tile.x * ROWS;
    let q_0 = 2u * group * HIDDEN;
    let q_1 = q_0 + HIDDEN;

    // First layer.
    let row = base + 8u * group;
    let p_0 = point_or_zero(row);
    let p_1 = point_or_zero(row + 1u);
    let p_2 = point_or_zero(row + 2u);
    let p_3 = point_or_zero(row + 3u);
    let p_4 = point_or_zero(row + 4u);
    let p_5 = point_or_zero(row + 5u);
    let p_6 = point_or_zero(row + 6u);
    let p_7 = point_or_zero(row + 7u);
    let x_0 = vec4<f32>(p_0.x, p_1.x, p_2.x, p_3.x);
    let y_0 = vec4<f32>(p_0.y, p_1.y, p_2.y, p_3.y);
    let x_1 = vec4<f32>(p_4.x, p_5.x, p_6.x, p_7.x);
    let y_1 = vec4<f32>(p_4.y, p_5.y, p_6.y, p_7.y);
    let w_x = small[n];
    let w_y = small[SMALL_W_Y + n];
    let b = flow[n];
    let at_c = SMALL_BIAS + network.hidden_to_hidden * LANES + n;
    let c_x = small[at_c];
    let c_y = small[at_c + LANES];
    // Four neurons of four rows: one matrix of columns, a row of input each.
    let c_0 = transpose(mat4x4<f32>(
        condition(row, c_x, c_y),
        condition(row + 1u, c_x, c_y),
        condition(row + 2u, c_x, c_y),
        condition(row + 3u, c_x, c_y),
    ));
    let c_1 = transpose(mat4x4<f32>(
        condition(row + 4u, c_x, c_y),
        condition(row + 5u, c_x, c_y),
        condition(row + 6u, c_x, c_y),
        condition(row + 7u, c_x, c_y),
    ));
    h[q_0 + n] = silu(b.x + c_0[0] + w_x.x * x_0 + w_y.x * y_0);
    h[q_1 + n] = silu(b.x + c_1[0] + w_x.x * x_1 + w_y.x * y_1);
    h[q_0 + n + 64u] = silu(b.y + c_0[1] + w_x.y * x_0 + w_y.y * y_0);
    h[q_1 + n + 64u] = silu(b.y + c_1[1] + w_x.y * x_1 + w_y.y * y_1);
    h[q_0 + n + 128u] = silu(b.z + c_0[2] + w_x.z * x_0 + w_y.z * y_0);
    h[q_1 + n + 128u] = silu(b.z + c_1[2] + w_x.z * x_1 + w_y.z * y_1);
    h[q_0 + n + 192u] = silu(b.w + c_0[3] + w_x.w * x_0 + w_y.w * y_0);
    h[q_1 + n + 192u] = silu(b.w + c_1[3] + w_x.w * x_1 + w_y.w * y_1);
    workgroupBarrier();

    for (var layer = 0u; layer < network.hidden_to_hidden; layer += 1u) {
        let bias = small[SMALL_BIAS + layer * LANES + n];
        var a_00 = vec4<f32>(bias.x);
        var a_01 = vec4<f32>(bias.x);
        var a_10 = vec4<f32>(bias.y);
        var a_11 = vec4<f32>(bias.y);
        var a_20 = vec4<f32>(bias.z);
        var a_21 = vec4<f32>(bias.z);
        var a_30 = vec4<f32>(bias.w);
        var a_31 = vec4<f32>(bias.w);
        let weights = layer * HIDDEN * LANES + n;
        for (var k = 0u; k < HIDDEN; k += 4u) {
            // Four inputs a turn: the loop's own cost is shared, the loads are under way together.
            let at = weights + k * LANES;
            let w_0 = hidden_weights[at];
            let w_1 = hidden_weights[at + LANES];
            let w_2 = hidden_weights[at + 2u * LANES];
            let w_3 = hidden_weights[at + 3u * LANES];
            var h_0 = h[q_0 + k];
            var h_1 = h[q_1 + k];
            a_00 += w_0.x * h_0;
            a_01 += w_0.x * h_1;
            a_10 += w_0.y * h_0;
            a_11 += w_0.y * h_1;
            a_20 += w_0.z * h_0;
            a_21 += w_0.z * h_1;
            a_30 += w_0.w * h_0;
            a_31 += w_0.w * h_1;
            h_0 = h[q_0 + k + 1u];
            h_1 = h[q_1 + k + 1u];
            a_00 += w_1.x * h_0;
            a_01 += w_1.x * h_1;
            a_10 += w_1.y * h_0;
            a_11 += w_1.y * h_1;
            a_20 += w_1.z * h_0;
            a_21 += w_1.z * h_1;
            a_30 += w_1.w * h_0;
            a_31 += w_1.w * h_1;
            h_0 = h[q_0 + k + 2u];
            h_1 = h[q_1 + k + 2u];
            a_00 += w_2.x * h_0;
            a_01 += w_2.x * h_1;
            a_10 += w_2.y * h_0;
            a_11 += w_2.y * h_1;
            a_20 += w_2.z * h_0;
            a_21 += w_2.z * h_1;
            a_30 += w_2.w * h_0;
            a_31 += w_2.w * h_1;
            h_0 = h[q_0 + k + 3u];
            h_1 = h[q_1 + k + 3u];
            a_00 += w_3.x * h_0;
            a_01 += w_3.x * h_1;
            a_10 += w_3.y * h_0;
            a_11 += w_3.y * h_1;
            a_20 += w_3.z * h_0;
            a_21 += w_3.z * h_1;
            a_30 += w_3.w * h_0;
            a_31 += w_3.w * h_1;
        }
        // Everyone has read the old activations before anyone writes the new ones over them.
        workgroupBarrier();
        h[q_0 + n] = silu(a_00);
        h[q_1 + n] = silu(a_01);
        h[q_0 + n + 64u] = silu(a_10);
        h[q_1 + n + 64u] = silu(a_11);
        h[q_0 + n + 128u] = silu(a_20);
        h[q_1 + n + 128u] = silu(a_21);
        h[q_0 + n + 192u] = silu(a_30);
        h[q_1 + n + 192u] = silu(a_31);
        workgroupBarrier();
    }

    // Output layer: each invocation sums PART_TERMS terms of four rows, both coordinates.
    let quad = lid % QUADS;
    let part = lid / QUADS;
    var v_x = vec4<f32>(0.0);
    var v_y = vec4<f32>(0.0);
    for (var i = 0u; i < PART_TERMS; i += 2u) {
        let k = part * PART_TERMS + i;
        let w = small[SMALL_OUT + k / 2u];
        let h_0 = h[quad * HIDDEN + k];
        let h_1 = h[quad * HIDDEN + k + 1u];
        v_x += w.x * h_0 + w.z * h_1;
        v_y += w.y * h_0 + w.w * h_1;
    }
    workgroupBarrier();
    h[part * QUADS + quad] = v_x;
    h[THREADS + part * QUADS + quad] = v_y;
    workgroupBarrier();

    let out_row = base + lid;
    if lid < ROWS && out_row < chunk.end {
        var sum_x = vec4<f32>(0.0);
        var sum_y = vec4<f32>(0.0);
        for (var i = 0u; i < PARTS; i += 1u) {
            let at = i * QUADS + lid / 4u;
            sum_x += h[at];
            sum_y += h[THREADS + at];
        }
        let v = vec2<f32>(sum_x[lid % 4u], sum_y[lid % 4u])
            + vec2<f32>(network.out_bias_x, network.out_bias_y);
        points[out_row] += flow[64].x * v;
    }
}
