// The grid of mixture_density.wgsl as a picture, through a colour ramp.

struct Grid {
    view: View,
    origin: vec2<f32>,
    cell: vec2<f32>,
    size: vec2<u32>,
    count: u32,
    log_peak: f32,
    cutoff: f32,
    exponent: f32,
    opacity: f32,
    unused: f32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> nodes: array<f32>;
// Alpha multiplied in.
@group(0) @binding(2) var<uniform> ramp: array<vec4<f32>, 256>;

struct Corner {
    @builtin(position) clip: vec4<f32>,
    // In cells from node (0, 0).
    @location(0) place: vec2<f32>,
}

@vertex
fn vs(@builtin(vertex_index) vertex: u32) -> Corner {
    let clip = covering_triangle(vertex);
    let place = (world_from_clip(grid.view, clip) - grid.origin) / grid.cell;
    return Corner(vec4<f32>(clip, 0.0, 1.0), place);
}

fn ramp_at(value: f32) -> vec4<f32> {
    let place = clamp(value, 0.0, 1.0) * 255.0;
    let low = u32(place);
    return mix(ramp[low], ramp[min(low + 1u, 255u)], fract(place));
}

@fragment
fn fs(corner: Corner) -> @location(0) vec4<f32> {
    let place = clamp(corner.place, vec2<f32>(0.0), vec2<f32>(grid.size - 1u));
    let low = min(vec2<u32>(place), grid.size - 2u);
    let along = place - vec2<f32>(low);
    let at = low.y * grid.size.x + low.x;
    let log_share = mix(
        mix(nodes[at], nodes[at + 1u], along.x),
        mix(nodes[at + grid.size.x], nodes[at + grid.size.x + 1u], along.x),
        along.y,
    );
    let color = ramp_at(exp(log_share * grid.exponent)) * grid.opacity;
    if color.a <= 0.0 {
        discard;
    }
    return stored(dithered(color, corner.clip.xy));
}
