// Pictures as tiles, each read from the buffer that it was computed in: C x H x W numbers, -1 black
// and 1 white, planes one after the other.
//
// A pixel of the screen shows the mean of what it covers of the picture. Enlarged, all pixels of the
// picture look alike and their edges lie where they belong, at any zoom; reduced, nothing is skipped.

struct Style {
    viewport_px: vec2<f32>,
    // Width and height of a picture.
    size: vec2<u32>,
    channels: u32,
    // Whether what is enlarged is blended from pixel to pixel.
    blends: u32,
    unused_0: u32,
    unused_1: u32,
}

struct Tile {
    // On the screen, from the viewport's corner.
    min_px: vec2<f32>,
    max_px: vec2<f32>,
    item: u32,
    opacity: f32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> style: Style;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
@group(0) @binding(2) var<storage, read> numbers: array<f32>;

// Pixels of the picture that are looked at along each side, at most: of more, every second or third.
const MOST = 12;

struct Corner {
    @builtin(position) clip: vec4<f32>,
    // In pixels of the picture.
    @location(0) place: vec2<f32>,
    @location(1) @interpolate(flat) tile: u32,
}

@vertex
fn vs(@builtin(vertex_index) vertex: u32, @builtin(instance_index) instance: u32) -> Corner {
    // 0 0, 1 0, 0 1 and 0 1, 1 0, 1 1.
    let along = vec2<f32>(f32(vertex & 1u), f32(vertex >> 1u));
    let corner = select(along, vec2<f32>(f32(vertex != 3u), f32(vertex != 4u)), vertex > 2u);
    let tile = tiles[instance];
    let px = mix(tile.min_px, tile.max_px, corner);
    let clip = px / style.viewport_px * vec2<f32>(2.0, -2.0) + vec2<f32>(-1.0, 1.0);
    return Corner(vec4<f32>(clip, 0.0, 1.0), corner * vec2<f32>(style.size), instance);
}

// One number as it is written to files: of 256 steps; what is no number is black.
fn shade(at: u32) -> f32 {
    let value = numbers[at];
    let is_none = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
    let byte = floor(clamp((value + 1.0) * 127.5, 0.0, 255.0) + 0.5);
    return select(byte / 255.0, 0.0, is_none);
}

fn color(item: u32, at: vec2<i32>) -> vec3<f32> {
    let inside = vec2<u32>(clamp(at, vec2<i32>(0), vec2<i32>(style.size) - 1));
    let area = style.size.x * style.size.y;
    let first = item * style.channels * area + inside.y * style.size.x + inside.x;
    let red = shade(first);
    if style.channels < 3u {
        return vec3<f32>(red);
    }
    return vec3<f32>(red, shade(first + area), shade(first + 2u * area));
}

// Blended between the middles of four pixels.
fn blended(item: u32, place: vec2<f32>) -> vec3<f32> {
    let left = floor(place - 0.5);
    let share = place - 0.5 - left;
    let at = vec2<i32>(left);
    let above = mix(color(item, at), color(item, at + vec2<i32>(1, 0)), share.x);
    let below = mix(color(item, at + vec2<i32>(0, 1)), color(item, at + vec2<i32>(1, 1)), share.x);
    return mix(above, below, share.y);
}

// The mean over a rectangle.
fn mean(item: u32, low: vec2<f32>, high: vec2<f32>) -> vec3<f32> {
    let first = vec2<i32>(floor(low));
    let last = max(vec2<i32>(ceil(high)) - 1, first);
    let stride = (last - first) / MOST + 1;
    var sum = vec3<f32>(0.0);
    var total = 0.0;
    for (var y = first.y; y <= last.y; y += stride.y) {
        let down = max(min(high.y, f32(y + 1)) - max(low.y, f32(y)), 1e-6);
        for (var x = first.x; x <= last.x; x += stride.x) {
            let across = max(min(high.x, f32(x + 1)) - max(low.x, f32(x)), 1e-6);
            sum += down * across * color(item, vec2<i32>(x, y));
            total += down * across;
        }
    }
    return sum / total;
}

@fragment
fn fs(corner: Corner) -> @location(0) vec4<f32> {
    let tile = tiles[corner.tile];
    // Of a pixel of the screen.
    let covered = vec2<f32>(style.size) / max(tile.max_px - tile.min_px, vec2<f32>(1.0));
    var seen: vec3<f32>;
    if style.blends != 0u && max(covered.x, covered.y) <= 1.0 {
        seen = blended(tile.item, corner.place);
    } else {
        seen = mean(tile.item, corner.place - 0.5 * covered, corner.place + 0.5 * covered);
    }
    return stored(vec4<f32>(seen, 1.0) * tile.opacity);
}
