//! Every colour, size and duration of the window. Nothing else in `ui` names a colour.
//!
//! Learned is blue and exact is orange, everywhere (Okabe and Ito's palette, which colour-blind
//! people can tell apart); a second learned set of draws is green. The rest is quiet grey.

use std::time::Duration;

use eframe::egui::{
    self, Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Theme,
    Visuals, vec2,
};

/// One theme's colours.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind the panels.
    pub window: Color32,
    /// A panel.
    pub panel: Color32,
    /// A panel's outline, and separators.
    pub outline: Color32,
    /// The canvas and the plots.
    pub canvas: Color32,
    /// Outline of the canvas and the plots.
    pub canvas_outline: Color32,
    /// Grid lines on the canvas and the plots.
    pub grid: Color32,
    /// What is read first.
    pub text_strong: Color32,
    /// Text.
    pub text: Color32,
    /// Labels and units.
    pub text_quiet: Color32,
    /// Hints: shortcuts, ticks.
    pub text_faint: Color32,
    /// A button, a track.
    pub control: Color32,
    /// A control under the pointer.
    pub control_hovered: Color32,
    /// A control that is pressed or open.
    pub control_active: Color32,
    /// Outline of a control.
    pub control_outline: Color32,
    /// Learned: what a network says.
    pub learned: Color32,
    /// Exact: what the closed form says.
    pub exact: Color32,
    /// A second learned set of draws.
    pub overlay: Color32,
    /// What is rewarded: its heat map, its lines and its handles.
    pub reward: Color32,
    /// The denoised mean.
    pub mean: Color32,
    /// The densest place of the heat map; it fades into the canvas.
    pub heat: Color32,
    /// The floor of two exact samples.
    pub floor: Color32,
    /// `x_t`.
    pub state: Color32,
    /// Around `x_t` and other marks, so that they stand out from any ground.
    pub halo: Color32,
    /// The path and the velocity arrows.
    pub flow: Color32,
    /// All is well.
    pub good: Color32,
    /// Something to know.
    pub note: Color32,
    /// Something failed.
    pub error: Color32,
    /// The keyboard's focus.
    pub focus: Color32,
    /// Behind an overlay window.
    pub veil: Color32,
    /// The methods of a comparison, by their place: see [`method_color`].
    methods: [Color32; 6],
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Dark.
pub const DARK: Palette = Palette {
    window: rgb(0x0015_171C),
    panel: rgb(0x001D_2027),
    outline: rgb(0x002A_2E37),
    canvas: rgb(0x000B_0C0F),
    canvas_outline: rgb(0x0030_343E),
    grid: rgb(0x001C_1F26),
    text_strong: rgb(0x00F2_F4F7),
    text: rgb(0x00D3_D7DE),
    text_quiet: rgb(0x0097_9EAA),
    text_faint: rgb(0x0070_7785),
    control: rgb(0x0029_2D36),
    control_hovered: rgb(0x0033_3843),
    control_active: rgb(0x003D_4450),
    control_outline: rgb(0x0037_3C47),
    learned: rgb(0x0056_B4E9),
    exact: rgb(0x00E6_9F00),
    overlay: rgb(0x005F_E3A1),
    reward: rgb(0x00CC_79A7),
    mean: rgb(0x00F0_E442),
    heat: rgb(0x006E_7177),
    floor: rgb(0x003C_4049),
    state: rgb(0x00FF_FFFF),
    halo: rgb(0x000B_0C0F),
    flow: rgb(0x009A_A1AD),
    good: rgb(0x002F_B48C),
    note: rgb(0x00E2_B45C),
    error: rgb(0x00FF_8A7A),
    focus: rgb(0x0056_B4E9),
    veil: Color32::from_black_alpha(140),
    methods: [
        rgb(0x00FF_5C9C),
        rgb(0x005C_E8E3),
        rgb(0x00F2_EF63),
        rgb(0x004F_7CFE),
        rgb(0x00A8_45B5),
        rgb(0x006F_8A1C),
    ],
};

/// Paper white.
pub const LIGHT: Palette = Palette {
    window: rgb(0x00EF_EEEA),
    panel: rgb(0x00FA_F9F6),
    outline: rgb(0x00DD_DBD5),
    canvas: rgb(0x00FF_FFFF),
    canvas_outline: rgb(0x00D0_CEC8),
    grid: rgb(0x00F0_EFEB),
    text_strong: rgb(0x0014_161A),
    text: rgb(0x002C_2F36),
    text_quiet: rgb(0x0062_666E),
    text_faint: rgb(0x0080_848B),
    control: rgb(0x00EB_E9E4),
    control_hovered: rgb(0x00E1_DFD9),
    control_active: rgb(0x00D5_D2CB),
    control_outline: rgb(0x00D3_D0C9),
    learned: rgb(0x0000_72B2),
    exact: rgb(0x00C2_6A00),
    overlay: rgb(0x0000_6B4C),
    reward: rgb(0x00A8_4F80),
    mean: rgb(0x0080_6400),
    heat: rgb(0x00B4_B3AF),
    floor: rgb(0x00D8_D6D0),
    state: rgb(0x0014_161A),
    halo: rgb(0x00FF_FFFF),
    flow: rgb(0x0078_7A80),
    good: rgb(0x0000_7F5F),
    note: rgb(0x008A_5A00),
    error: rgb(0x00B3_261E),
    focus: rgb(0x0000_72B2),
    veil: Color32::from_black_alpha(70),
    methods: [
        rgb(0x00A8_3A6E),
        rgb(0x0045_A098),
        rgb(0x0063_5418),
        rgb(0x0033_11C4),
        rgb(0x00BE_5CFA),
        rgb(0x0019_3608),
    ],
};

/// The colours of a `Ui`.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    if ui.visuals().dark_mode {
        &DARK
    } else {
        &LIGHT
    }
}

/// The colour of a method by its place among the panels of a comparison, from 0, everywhere on screen.
///
/// Chosen by search: with normal, protan, deutan and tritan vision (the matrices of Machado et al. 2009) any two of them
/// differ by at least 0.10 in Oklab, and as much from exact and learned; each has a contrast of 3 to the canvas.
pub fn method_color(palette: &Palette, index: usize) -> Color32 {
    palette.methods[index % palette.methods.len()]
}

/// Bands of classes, by their place: Tableau 10, which reads on dark and on light.
const CLASSES: [Color32; 10] = [
    rgb(0x004E_79A7),
    rgb(0x00F2_8E2B),
    rgb(0x00E1_5759),
    rgb(0x0076_B7B2),
    rgb(0x0059_A14F),
    rgb(0x00ED_C948),
    rgb(0x00B0_7AA1),
    rgb(0x00FF_9DA7),
    rgb(0x009C_755F),
    rgb(0x00BA_B0AC),
];

/// What is written on the band of a class, in either theme.
pub const CLASS_INK: Color32 = rgb(0x000B_0C0F);

/// The colour of a class among those that stand one above the other.
pub fn class_color(place: usize) -> Color32 {
    CLASSES[place % CLASSES.len()]
}

/// A colour that lets what is under it through; `opacity` in [0, 1].
pub fn faded(color: Color32, opacity: f32) -> Color32 {
    color.gamma_multiply(opacity)
}

/// White that covers so much, for textures that are tinted when painted; `share` in [0, 1].
pub fn coverage(share: f32) -> Color32 {
    Color32::WHITE.gamma_multiply(share)
}

/// A pixel of a picture.
pub fn pixel([r, g, b]: [u8; 3]) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Stops of the thumbnail's ramp, from empty to dense: Matplotlib's *magma*.
pub const MAGMA: [Color32; 9] = [
    rgb(0x0000_0004),
    rgb(0x001D_1147),
    rgb(0x0051_127C),
    rgb(0x0083_2681),
    rgb(0x00B7_3779),
    rgb(0x00E7_5263),
    rgb(0x00FC_8961),
    rgb(0x00FE_C488),
    rgb(0x00FC_FDBF),
];

/// Spaces, in points.
pub mod space {
    /// Between the panels.
    pub const GAP: f32 = 8.0;
    /// Inside a panel.
    pub const PANEL: i8 = 16;
    /// Between a section's heading and its content.
    pub const HEADING: f32 = 6.0;
    /// Between sections.
    pub const SECTION: f32 = 15.0;
    /// Between rows.
    pub const ROW: f32 = 6.0;
    /// Between things on a row.
    pub const ITEM: f32 = 8.0;
    /// Right of what scrolls, for the scroll bar.
    pub const SCROLL: f32 = 12.0;
    /// Around a badge's text.
    pub const BADGE: f32 = 8.0;
}

/// Sizes, in points.
pub mod size {
    /// Text that is read.
    pub const BODY: f32 = 13.5;
    /// Labels, ticks.
    pub const SMALL: f32 = 12.0;
    /// Axis ticks.
    pub const TICK: f32 = 11.0;
    /// Panel headings.
    pub const HEADING: f32 = 15.5;
    /// The clock.
    pub const CLOCK: f32 = 17.0;
    /// File names, hashes, recipes.
    pub const MONO: f32 = 12.5;
    /// Height of a control.
    pub const CONTROL: f32 = 26.0;
    /// The bar at the top.
    pub const TOP_BAR: f32 = 46.0;
    /// The bar at the bottom.
    pub const STATUS_BAR: f32 = 28.0;
    /// The timeline.
    pub const TIMELINE: f32 = 84.0;
    /// The left panel.
    pub const SIDE: f32 = 264.0;
    /// Thumbnail of the world.
    pub const THUMBNAIL: f32 = 96.0;
    /// Each plot against time.
    pub const PLOT: f32 = 118.0;
    /// Left of each plot, for the numbers.
    pub const PLOT_AXIS: f32 = 40.0;
    /// Rounding of panels.
    pub const PANEL_RADIUS: u8 = 8;
    /// Rounding of controls.
    pub const RADIUS: u8 = 5;
    /// Radius of the ring around `x_t`.
    pub const STATE_RADIUS: f32 = 9.0;
    /// Radius of its dot.
    pub const STATE_DOT: f32 = 3.5;
    /// How near the pointer must come to a handle.
    pub const GRAB: f32 = 16.0;
    /// Radius of a mode's handle.
    pub const HANDLE: f32 = 6.0;
    /// Radius of a dot for one draw.
    pub const DRAW_RADIUS: f32 = 1.45;
    /// Radius of a dot for one particle of a panel.
    pub const PARTICLE_RADIUS: f32 = 1.4;
    /// Lines of curves and contours.
    pub const LINE: f32 = 1.5;
    /// Radius of the timeline's handle.
    pub const TIME_HANDLE: f32 = 8.0;
    /// The smallest window.
    pub const MIN_WINDOW: [f32; 2] = [1024.0, 640.0];
    /// The first window.
    pub const WINDOW: [f32; 2] = [1600.0, 1000.0];
}

/// Durations.
pub mod duration {
    use super::Duration;

    /// From noise to data at speed 1.
    pub const PLAY: Duration = Duration::from_secs(8);
    /// The curves are asked for when nothing moved for this long.
    pub const DEBOUNCE: Duration = Duration::from_millis(150);
    /// While something moves, an answer should come within this; slow sources draw fewer.
    pub const PREVIEW: Duration = Duration::from_millis(50);
    /// A comparison that has played to its end rests there before it is played again.
    pub const HOLD: Duration = Duration::from_millis(1500);
    /// While the reward or a mode is dragged, each method should take no longer than this.
    pub const STEER_PREVIEW: Duration = Duration::from_millis(120);
    /// A preview that has taken longer than this is given up for a newer one.
    pub const PATIENCE: Duration = Duration::from_secs(2);
    /// While something moves, the first pictures of a wall should come within this.
    pub const WALL_PREVIEW: Duration = Duration::from_millis(100);
    /// Between scores while the clock moves.
    pub const BETWEEN_SCORES: Duration = Duration::from_millis(200);
    /// Futures of another time fade in for this long.
    pub const FUTURES_SECS: f32 = 0.25;
    /// Between two steps of what turns while something is waited for.
    pub const SPIN: Duration = Duration::from_millis(125);
    /// The same where the processor paints: it is wanted for what is waited for.
    pub const SPIN_SLOWLY: Duration = Duration::from_millis(400);
    /// Notes in the status bar.
    pub const NOTE: Duration = Duration::from_secs(6);
    /// How long a link says that its text was copied.
    pub const COPIED: Duration = Duration::from_secs(2);
    /// Between keeping the session for the next run, while it changes.
    pub const AUTO_SAVE: Duration = Duration::from_secs(5);
    /// Least time between two writings of the session, which a program that is killed leaves behind.
    pub const KEEP: Duration = Duration::from_millis(500);
    /// Fades.
    pub const FADE_SECS: f32 = 0.1;
}

/// The heavier cut of the font, for headings and values.
pub fn strong_family() -> FontFamily {
    FontFamily::Name("strong".into())
}

/// Heading of a panel.
pub fn heading_font() -> FontId {
    FontId::new(size::HEADING, strong_family())
}

/// A value or a name that is read first.
pub fn strong_font() -> FontId {
    FontId::new(size::BODY, strong_family())
}

/// Text that is read.
pub fn body_font() -> FontId {
    FontId::proportional(size::BODY)
}

/// Labels.
pub fn small_font() -> FontId {
    FontId::proportional(size::SMALL)
}

/// Ticks.
pub fn tick_font() -> FontId {
    FontId::proportional(size::TICK)
}

/// Installs fonts, spacing and both themes.
pub fn install(ctx: &egui::Context) {
    super::fonts::install(ctx);
    for (theme, palette) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(palette, theme == Theme::Dark);
            style.text_styles = [
                (TextStyle::Small, small_font()),
                (TextStyle::Body, body_font()),
                (TextStyle::Button, body_font()),
                (TextStyle::Heading, heading_font()),
                (TextStyle::Monospace, FontId::monospace(size::MONO)),
            ]
            .into();
            let spacing = &mut style.spacing;
            spacing.item_spacing = vec2(space::ITEM, space::ROW);
            spacing.button_padding = vec2(10.0, 4.0);
            spacing.interact_size = vec2(32.0, size::CONTROL);
            spacing.icon_width = 15.0;
            spacing.icon_width_inner = 9.0;
            spacing.icon_spacing = 8.0;
            spacing.slider_rail_height = 4.0;
            spacing.combo_width = 80.0;
            spacing.combo_height = 360.0;
            spacing.menu_margin = Margin::same(6);
            spacing.window_margin = Margin::same(20);
            spacing.scroll.floating = true;
            spacing.scroll.bar_width = 8.0;
            spacing.tooltip_width = 320.0;
            style.interaction.selectable_labels = false;
            style.interaction.tooltip_delay = 0.4;
            style.animation_time = duration::FADE_SECS;
        });
    }
}

fn visuals(palette: &Palette, dark: bool) -> Visuals {
    let mut visuals = if dark {
        Visuals::dark()
    } else {
        Visuals::light()
    };
    let radius = CornerRadius::same(size::RADIUS);
    let widgets = &mut visuals.widgets;
    for (state, fill, outline, text) in [
        (
            &mut widgets.noninteractive,
            palette.panel,
            palette.outline,
            palette.text,
        ),
        (
            &mut widgets.inactive,
            palette.control,
            palette.control_outline,
            palette.text,
        ),
        (
            &mut widgets.hovered,
            palette.control_hovered,
            palette.control_outline,
            palette.text_strong,
        ),
        (
            &mut widgets.active,
            palette.control_active,
            palette.focus,
            palette.text_strong,
        ),
        (
            &mut widgets.open,
            palette.control_active,
            palette.control_outline,
            palette.text_strong,
        ),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, outline);
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = radius;
        state.expansion = 0.0;
    }
    visuals.weak_text_color = Some(palette.text_quiet);
    visuals.selection.bg_fill = faded(palette.learned, if dark { 0.28 } else { 0.20 });
    visuals.selection.stroke = Stroke::new(1.5, palette.focus);
    visuals.hyperlink_color = palette.learned;
    visuals.faint_bg_color = palette.control;
    visuals.extreme_bg_color = palette.canvas;
    visuals.text_edit_bg_color = Some(palette.canvas);
    visuals.code_bg_color = palette.control;
    visuals.warn_fg_color = palette.note;
    visuals.error_fg_color = palette.error;
    visuals.window_fill = palette.panel;
    visuals.window_stroke = Stroke::new(1.0, palette.canvas_outline);
    visuals.window_corner_radius = CornerRadius::same(size::PANEL_RADIUS + 2);
    visuals.menu_corner_radius = CornerRadius::same(size::PANEL_RADIUS);
    visuals.window_shadow = Shadow {
        offset: [0, 8],
        blur: 32,
        spread: 0,
        color: Color32::from_black_alpha(if dark { 120 } else { 40 }),
    };
    visuals.popup_shadow = Shadow {
        offset: [0, 4],
        blur: 16,
        spread: 0,
        color: Color32::from_black_alpha(if dark { 100 } else { 30 }),
    };
    visuals.panel_fill = palette.window;
    visuals.slider_trailing_fill = true;
    visuals.striped = false;
    visuals
}

/// The ground of a panel: rounded, outlined, with room inside.
pub fn card(palette: &Palette) -> egui::Frame {
    egui::Frame::new()
        .fill(palette.panel)
        .stroke(Stroke::new(1.0, palette.outline))
        .corner_radius(CornerRadius::same(size::PANEL_RADIUS))
        .inner_margin(Margin::same(space::PANEL))
}
