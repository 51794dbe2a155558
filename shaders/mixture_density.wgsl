// Density of a Gaussian mixture: log density on a grid once, then a coloured picture of it.
//
// The grid holds log(p / peak). Between nodes it is interpolated bilinearly in the log, where a
// Gaussian is a parabola: that stays smooth down to components as narrow as a cell.

struct Grid {
    view: View,
    // World coordinates of node (0, 0), and between nodes.
    origin: vec2<f32>,
    cell: vec2<f32>,
    size: vec2<u32>,
    count: u32,
    // Log density that the ramp's end stands for.
    log_peak: f32,
    // Components that add less than exp(-cutoff) of the peak are left out.
    cutoff: f32,
    exponent: f32,
    opacity: f32,
    unused: f32,
}

struct Term {
    mean: vec2<f32>,
    inverse_xx: f32,
    inverse_xy: f32,
    inverse_yy: f32,
    log_scale: f32,
    slowest: f32,
    unused: f32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> terms: array<Term>;
@group(0) @binding(2) var<storage, read_write> nodes: array<f32>;

const TILE: u32 = 8u;
const LANES: u32 = 64u;
const LOG_NOTHING: f32 = -87.0;
// Far beyond the ramp's end; keeps a caller's low peak from becoming infinite.
const LOG_FULL: f32 = 40.0;

var<workgroup> close: array<u32, LANES>;
var<workgroup> close_count: atomic<u32>;

@compute @workgroup_size(TILE, TILE)
fn evaluate(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) tile: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let x = grid.origin + vec2<f32>(id.xy) * grid.cell;
    let middle = grid.origin + (vec2<f32>(tile.xy * TILE) + 0.5 * f32(TILE - 1u)) * grid.cell;
    let reach = 0.5 * f32(TILE - 1u) * length(grid.cell);
    var sum = 0.0;
    for (var base = 0u; base < grid.count; base += LANES) {
        // Each lane asks of one component whether it matters anywhere in this tile.
        if lane == 0u {
            atomicStore(&close_count, 0u);
        }
        workgroupBarrier();
        let candidate = base + lane;
        if candidate < grid.count {
            let distance = max(0.0, length(terms[candidate].mean - middle) - reach);
            let most = terms[candidate].log_scale
                - 0.5 * terms[candidate].slowest * distance * distance;
            if most > grid.log_peak - grid.cutoff {
                close[atomicAdd(&close_count, 1u)] = candidate;
            }
        }
        workgroupBarrier();
        let kept = atomicLoad(&close_count);
        for (var i = 0u; i < kept; i += 1u) {
            let term = terms[close[i]];
            let d = x - term.mean;
            let distance_squared = term.inverse_xx * d.x * d.x
                + 2.0 * term.inverse_xy * d.x * d.y
                + term.inverse_yy * d.y * d.y;
            let log_share = term.log_scale - grid.log_peak - 0.5 * distance_squared;
            sum += exp(clamp(log_share, LOG_NOTHING, LOG_FULL));
        }
        workgroupBarrier();
    }
    if all(id.xy < grid.size) {
        nodes[id.y * grid.size.x + id.x] = max(log(max(sum, 1e-37)), LOG_NOTHING);
    }
}
