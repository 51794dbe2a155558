// Put in front of every shader that paints, after TARGET_IS_SRGB (see render/pipeline.rs).

// clip = world * scale + offset
struct View {
    scale: vec2<f32>,
    offset: vec2<f32>,
    viewport_px: vec2<f32>,
    units_per_px: f32,
    unused: f32,
}

fn clip_from_world(view: View, world: vec2<f32>) -> vec2<f32> {
    return world * view.scale + view.offset;
}

fn world_from_clip(view: View, clip: vec2<f32>) -> vec2<f32> {
    return (clip - view.offset) / view.scale;
}

// The corners of one triangle that covers the viewport.
fn covering_triangle(vertex: u32) -> vec2<f32> {
    return vec2<f32>(f32((vertex << 1u) & 2u), f32(vertex & 2u)) * 2.0 - 1.0;
}

// Less than half an 8-bit step either way, in a pattern too fine to see (interleaved gradient
// noise): a slow gradient shows no bands. Jimenez, "Next generation post processing in Call of Duty:
// Advanced Warfare", 2014.
fn dithered(color: vec4<f32>, px: vec2<f32>) -> vec4<f32> {
    let noise = fract(52.9829189 * fract(dot(px, vec2<f32>(0.06711056, 0.00583715)))) - 0.5;
    return vec4<f32>(color.rgb + noise * (0.98 / 255.0), color.a);
}

// Gamma-space colour, alpha multiplied in, to what the target stores.
fn stored(color: vec4<f32>) -> vec4<f32> {
    if TARGET_IS_SRGB {
        let low = color.rgb / 12.92;
        let high = pow((max(color.rgb, vec3<f32>(0.0)) + 0.055) / 1.055, vec3<f32>(2.4));
        return vec4<f32>(select(high, low, color.rgb <= vec3<f32>(0.04045)), color.a);
    }
    return color;
}
