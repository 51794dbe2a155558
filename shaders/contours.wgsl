// Iso-lines of a mixture's density, worked out at every pixel.
//
// At a pixel the log density L, its gradient g and its second derivative along the gradient are
// exact, so the distance to the line L = level along the gradient is the root of a parabola. For a
// single Gaussian that is no approximation, however narrow it is, and the line keeps its width.

struct Style {
    view: View,
    // The part of the viewport where there can be lines, in clip coordinates.
    low: vec2<f32>,
    high: vec2<f32>,
    count: u32,
    level_count: u32,
    half_width_px: f32,
    log_peak: f32,
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

struct Level {
    // Alpha multiplied in.
    color: vec4<f32>,
    log_density: f32,
    unused_0: f32,
    unused_1: f32,
    unused_2: f32,
}

@group(0) @binding(0) var<uniform> style: Style;
@group(0) @binding(1) var<storage, read> terms: array<Term>;
@group(0) @binding(2) var<storage, read> levels: array<Level>;

struct Corner {
    @builtin(position) clip: vec4<f32>,
    @location(0) world: vec2<f32>,
}

@vertex
fn vs(@builtin(vertex_index) vertex: u32) -> Corner {
    // Two triangles over low .. high.
    let right = vertex == 1u || vertex == 2u || vertex == 4u;
    let top = vertex == 2u || vertex == 4u || vertex == 5u;
    let clip = select(style.low, style.high, vec2<bool>(right, top));
    return Corner(vec4<f32>(clip, 0.0, 1.0), world_from_clip(style.view, clip));
}

@fragment
fn fs(corner: Corner) -> @location(0) vec4<f32> {
    // Distances in pixels throughout: the world's unit may be anything.
    let unit = style.view.units_per_px;
    var sum = 0.0;
    var sum_g = vec2<f32>(0.0);
    // xx, xy, yy of the second derivative.
    var sum_h = vec3<f32>(0.0);
    for (var i = 0u; i < style.count; i += 1u) {
        let term = terms[i];
        let d = corner.world - term.mean;
        let g = -unit * vec2<f32>(
            term.inverse_xx * d.x + term.inverse_xy * d.y,
            term.inverse_xy * d.x + term.inverse_yy * d.y,
        );
        let log_p = term.log_scale - style.log_peak + 0.5 * dot(d, g) / unit;
        if log_p > -60.0 {
            let p = exp(log_p);
            sum += p;
            sum_g += p * g;
            sum_h += p * (vec3<f32>(g.x * g.x, g.x * g.y, g.y * g.y)
                - unit * unit * vec3<f32>(term.inverse_xx, term.inverse_xy, term.inverse_yy));
        }
    }
    if sum <= 0.0 {
        discard;
    }
    let log_p = log(sum) + style.log_peak;
    let g = sum_g / sum;
    let slope = length(g);
    let along = g / max(slope, 1e-12);
    let h = sum_h / sum - vec3<f32>(g.x * g.x, g.x * g.y, g.y * g.y);
    let bend = h.x * along.x * along.x + 2.0 * h.y * along.x * along.y + h.z * along.y * along.y;

    var color = vec4<f32>(0.0);
    for (var i = 0u; i < style.level_count; i += 1u) {
        // Smallest root of slope s + bend s^2 / 2 = rise.
        let rise = levels[i].log_density - log_p;
        let root = sqrt(max(slope * slope + 2.0 * bend * rise, 0.0));
        let distance_px = abs(2.0 * rise) / max(slope + root, 1e-12);
        let coverage = clamp(style.half_width_px + 0.5 - distance_px, 0.0, 1.0);
        let line = levels[i].color * coverage;
        color = line + color * (1.0 - line.a);
    }
    if color.a <= 0.0 {
        discard;
    }
    return stored(color);
}
