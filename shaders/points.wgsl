// Points as round, anti-aliased discs, pulled from the buffer they were computed in.
//
// One triangle a point, just large enough for the disc and half a pixel around it: three vertices
// instead of six matter at a million.

struct Style {
    view: View,
    // Alpha multiplied in.
    color: vec4<f32>,
    radius_px: f32,
    count: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> style: Style;
@group(0) @binding(1) var<storage, read> points: array<vec2<f32>>;

struct Corner {
    @builtin(position) clip: vec4<f32>,
    // From the disc's middle, in pixels.
    @location(0) offset_px: vec2<f32>,
}

// An equilateral triangle around the unit circle.
const CORNERS = array<vec2<f32>, 3>(
    vec2<f32>(-1.7320508, -1.0),
    vec2<f32>(1.7320508, -1.0),
    vec2<f32>(0.0, 2.0),
);

@vertex
fn vs(@builtin(vertex_index) vertex: u32) -> Corner {
    var corners = CORNERS;
    let offset_px = corners[vertex % 3u] * (max(style.radius_px, 0.5) + 0.5);
    let center = clip_from_world(style.view, points[vertex / 3u]);
    var clip = center + 2.0 * offset_px / style.view.viewport_px;
    // Far away or not a number: one place outside, so that the triangle has no area.
    if !(abs(center.x) < 4.0 && abs(center.y) < 4.0) {
        clip = vec2<f32>(4.0);
    }
    return Corner(vec4<f32>(clip, 0.0, 1.0), offset_px);
}

@fragment
fn fs(corner: Corner) -> @location(0) vec4<f32> {
    // A disc smaller than a pixel keeps its size and pays with its alpha.
    let radius = max(style.radius_px, 0.5);
    let thin = min(1.0, style.radius_px / 0.5);
    let coverage = clamp(radius + 0.5 - length(corner.offset_px), 0.0, 1.0) * thin * thin;
    if coverage <= 0.0 {
        discard;
    }
    return stored(style.color * coverage);
}
