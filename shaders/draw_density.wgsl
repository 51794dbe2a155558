// Draws as a density: counted into cells, blurred, and the largest value found.

struct Grid {
    view: View,
    // Alpha multiplied in.
    low_color: vec4<f32>,
    high_color: vec4<f32>,
    // World coordinates of the lower left corner of cell (0, 0), and a cell's side.
    origin: vec2<f32>,
    cell: f32,
    // Of the blur, in cells.
    sigma: f32,
    size: vec2<u32>,
    radius: u32,
    count: u32,
    exponent: f32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> points: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> across: array<f32>;
@group(0) @binding(4) var<storage, read_write> density: array<f32>;
// The largest density's bits: for positive floats the order of the bits is the order of the values.
@group(0) @binding(5) var<storage, read_write> largest: atomic<u32>;

@compute @workgroup_size(256)
fn count_points(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= grid.count {
        return;
    }
    let place = (points[id.x] - grid.origin) / grid.cell;
    // Written so that what is not a number falls out too.
    if all(place >= vec2<f32>(0.0)) && all(place < vec2<f32>(grid.size)) {
        let cell = min(vec2<u32>(place), grid.size - 1u);
        atomicAdd(&counts[cell.y * grid.size.x + cell.x], 1u);
    }
}

fn weight(offset: i32) -> f32 {
    let far = f32(offset) / grid.sigma;
    return exp(-0.5 * far * far);
}

@compute @workgroup_size(8, 8)
fn blur_across(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id.xy >= grid.size) {
        return;
    }
    var sum = 0.0;
    var total = 0.0;
    let reach = i32(grid.radius);
    for (var offset = -reach; offset <= reach; offset += 1) {
        let x = i32(id.x) + offset;
        let w = weight(offset);
        total += w;
        if x >= 0 && x < i32(grid.size.x) {
            sum += w * f32(atomicLoad(&counts[id.y * grid.size.x + u32(x)]));
        }
    }
    across[id.y * grid.size.x + id.x] = sum / total;
}

@compute @workgroup_size(8, 8)
fn blur_up(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id.xy >= grid.size) {
        return;
    }
    var sum = 0.0;
    var total = 0.0;
    let reach = i32(grid.radius);
    for (var offset = -reach; offset <= reach; offset += 1) {
        let y = i32(id.y) + offset;
        let w = weight(offset);
        total += w;
        if y >= 0 && y < i32(grid.size.y) {
            sum += w * across[u32(y) * grid.size.x + id.x];
        }
    }
    let value = sum / total;
    density[id.y * grid.size.x + id.x] = value;
    if value > 0.0 {
        atomicMax(&largest, bitcast<u32>(value));
    }
}
