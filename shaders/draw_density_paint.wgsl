// The blurred counts of draw_density.wgsl as a picture between two colours.

struct Grid {
    view: View,
    low_color: vec4<f32>,
    high_color: vec4<f32>,
    origin: vec2<f32>,
    cell: f32,
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
@group(0) @binding(1) var<storage, read> density: array<f32>;
@group(0) @binding(2) var<storage, read> largest: u32;

struct Corner {
    @builtin(position) clip: vec4<f32>,
    // In cells from the middle of cell (0, 0).
    @location(0) place: vec2<f32>,
}

@vertex
fn vs(@builtin(vertex_index) vertex: u32) -> Corner {
    let clip = covering_triangle(vertex);
    let place = (world_from_clip(grid.view, clip) - grid.origin) / grid.cell - 0.5;
    return Corner(vec4<f32>(clip, 0.0, 1.0), place);
}

@fragment
fn fs(corner: Corner) -> @location(0) vec4<f32> {
    let place = clamp(corner.place, vec2<f32>(0.0), vec2<f32>(grid.size - 1u));
    let low = min(vec2<u32>(place), grid.size - 2u);
    let along = place - vec2<f32>(low);
    let at = low.y * grid.size.x + low.x;
    let value = mix(
        mix(density[at], density[at + 1u], along.x),
        mix(density[at + grid.size.x], density[at + grid.size.x + 1u], along.x),
        along.y,
    );
    let share = clamp(value / max(bitcast<f32>(largest), 1e-30), 0.0, 1.0);
    let color = mix(grid.low_color, grid.high_color, pow(share, grid.exponent));
    if color.a <= 0.0 {
        discard;
    }
    return stored(dithered(color, corner.clip.xy));
}
