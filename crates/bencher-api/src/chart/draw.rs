//! Draws a picture: where everything is, and in which colours.
//!
//! The same function draws on SVG and on a bitmap. The bitmap is drawn larger and made smaller again, which smooths it.

use std::sync::LazyLock;

use bencher_types::wire::plot::XAxis;
use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _},
    element::{Circle, PathElement, Rectangle, Text},
    style::{
        Color as _, FontStyle, IntoFont as _, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{Chart, ChartError, Line, Panel, scale::Scale};

/// Noto Sans with the letters of Latin, Greek and Cyrillic; what has no letter is drawn as a box.
static FONT_FILE: &[u8] = include_bytes!("../../assets/NotoSans-Regular.subset.ttf");
/// Also what a viewer of an SVG is asked for.
const FONT: &str = "sans-serif";

const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(33, 37, 41);
const FAINT: RGBColor = RGBColor(108, 117, 125);
const GRID: RGBColor = RGBColor(226, 230, 234);

// Pixels of a picture that is not enlarged.
const WIDTH: i32 = 1024;
const MARGIN: i32 = 20;
/// From the left edge to the vertical axis: room for the numbers.
const LEFT: i32 = 84;
/// From the vertical end of the lines to the right edge: room for half of a mark's text.
const RIGHT: i32 = 48;
const TITLE_HEIGHT: i32 = 40;
const SUBTITLE_HEIGHT: i32 = 24;
const HEADING_HEIGHT: i32 = 28;
/// Of the area with the lines, where there is one panel and where there are more.
const PLOT_HEIGHTS: [i32; 2] = [380, 180];
/// Below the lines: the marks' texts.
const MARKS_HEIGHT: i32 = 34;
const LEGEND_ROW_HEIGHT: i32 = 22;
const LEGEND_COLUMNS: usize = 2;
/// Entries of the legend; what more there are is counted.
const LEGEND_ENTRIES: usize = 24;
/// Points of a panel that get a dot each; more make a line by themselves.
const DOTTED_POINTS: usize = 500;
/// Of the broken line where a series changed, and of the gaps in it.
const CHANGE_DASH: i32 = 6;
/// How much larger a bitmap is drawn.
const ENLARGED: i32 = 2;

/// Colours that are easy to tell apart.
const PALETTE: [(u8, u8, u8); 10] = [
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
];

/// The colour of a line: red, green and blue.
#[must_use]
pub fn color(index: usize) -> (u8, u8, u8) {
    if let Some(color) = PALETTE.get(index) {
        return *color;
    }
    // Hues in steps of the golden angle are never the same again.
    #[expect(clippy::cast_precision_loss, reason = "an index of some hundreds")]
    let hue = (index as f64 * 137.508 / 360.0).fract();
    plotters::style::HSLColor(hue, 0.6, 0.42).to_backend_color().rgb
}

/// The picture as an SVG document.
pub(super) fn svg(chart: &Chart) -> Result<Vec<u8>, ChartError> {
    let mut document = String::new();
    let (width, height) = size(chart);
    draw(&SVGBackend::with_string(&mut document, (width, height)).into_drawing_area(), chart, 1)?;
    Ok(document.into_bytes())
}

/// The picture as a PNG file.
pub(super) fn png(chart: &Chart) -> Result<Vec<u8>, ChartError> {
    let (width, height) = size(chart);
    let enlarged = ENLARGED.unsigned_abs();
    let (large_width, large_height) = (width * enlarged, height * enlarged);
    let mut pixels = vec![0_u8; large_width as usize * large_height as usize * 3];
    draw(&BitMapBackend::with_buffer(&mut pixels, (large_width, large_height)).into_drawing_area(), chart, ENLARGED)?;
    let pixels = halved(&pixels, large_width as usize * 3);

    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(ChartError::Encode)?;
    writer.write_image_data(&pixels).map_err(ChartError::Encode)?;
    writer.finish().map_err(ChartError::Encode)?;
    Ok(file)
}

/// Each square of four pixels as one of their mean colour. `row` is the number of bytes of a row.
fn halved(pixels: &[u8], row: usize) -> Vec<u8> {
    let mut small = Vec::with_capacity(pixels.len() / 4);
    for rows in pixels.chunks_exact(2 * row) {
        let (upper, lower) = rows.split_at(row);
        for (upper, lower) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for part in 0..3 {
                let sum =
                    u16::from(upper[part]) + u16::from(upper[part + 3]) + u16::from(lower[part]) + u16::from(lower[part + 3]);
                small.push(u8::try_from(sum / 4).unwrap_or(u8::MAX));
            }
        }
    }
    small
}

/// Width and height in pixels.
fn size(chart: &Chart) -> (u32, u32) {
    (WIDTH.unsigned_abs(), (legend_top(chart) + legend_height(chart) + MARGIN).unsigned_abs())
}

fn panels_top(chart: &Chart) -> i32 {
    TITLE_HEIGHT + if chart.subtitle.is_empty() { 0 } else { SUBTITLE_HEIGHT }
}

fn plot_height(chart: &Chart) -> i32 {
    PLOT_HEIGHTS[usize::from(chart.panels.len() > 1)]
}

fn legend_top(chart: &Chart) -> i32 {
    let panels = i32::try_from(chart.panels.len().max(1)).unwrap_or(1);
    panels_top(chart) + panels * (HEADING_HEIGHT + plot_height(chart)) + MARKS_HEIGHT
}

fn legend_height(chart: &Chart) -> i32 {
    let entries = chart.legend.len().min(LEGEND_ENTRIES + 1);
    i32::try_from(entries.div_ceil(LEGEND_COLUMNS)).unwrap_or(0) * LEGEND_ROW_HEIGHT
}

/// A surface, and how much larger than the picture it is.
struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    factor: i32,
}

/// A rectangle of the picture, by its edges.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

impl<DB: DrawingBackend> Canvas<'_, DB> {
    fn at(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (x * self.factor, y * self.factor)
    }

    fn text(&self, text: &str, at: (i32, i32), height: i32, (color, h, v): (RGBColor, HPos, VPos), most: i32) -> Drawn<DB> {
        static REGISTERED: LazyLock<()> = LazyLock::new(|| {
            plotters::style::register_font(FONT, FontStyle::Normal, FONT_FILE).ok().expect("the embedded font is one");
        });
        LazyLock::force(&REGISTERED);
        let style = TextStyle::from((FONT, height * self.factor).into_font()).color(&color).pos(Pos::new(h, v));
        let text = self.fit(text, &style, most)?;
        self.area.draw(&Text::new(text, self.at(at), style))
    }

    /// The text, without its end where it is wider than this.
    fn fit(&self, text: &str, style: &TextStyle<'_>, most: i32) -> Result<String, DrawingAreaErrorKind<DB::ErrorType>> {
        let most = (most * self.factor).unsigned_abs();
        let mut fitting = text.to_owned();
        let mut chars = text.chars().count();
        while chars > 1 && self.area.estimate_text_size(&fitting, style)?.0 > most {
            chars -= 1;
            fitting = text.chars().take(chars).chain(['…']).collect();
        }
        Ok(fitting)
    }

    fn line(&self, points: Vec<(i32, i32)>, color: RGBColor, width: i32) -> Drawn<DB> {
        let style = color.stroke_width((width * self.factor).unsigned_abs());
        self.area.draw(&PathElement::new(points, style))
    }
}

fn draw<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, chart: &Chart, factor: i32) -> Result<(), ChartError>
where
    DB::ErrorType: 'static,
{
    let canvas = Canvas { area, factor };
    draw_all(&canvas, chart).and_then(|()| area.present()).map_err(|error| ChartError::Draw(Box::new(error)))
}

fn draw_all<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, chart: &Chart) -> Drawn<DB> {
    let middle = |color| (color, HPos::Center, VPos::Center);
    canvas.area.fill(&BACKGROUND)?;
    let width = WIDTH - 2 * MARGIN;
    canvas.text(&chart.title, (WIDTH / 2, TITLE_HEIGHT / 2 + 2), 26, middle(INK), width)?;
    canvas.text(&chart.subtitle, (WIDTH / 2, TITLE_HEIGHT + SUBTITLE_HEIGHT / 2 - 4), 17, middle(FAINT), width)?;

    let everything = chart.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|point| point.0);
    let (horizontal, unit) = match chart.axis {
        XAxis::DateTime => (Scale::of_times(everything), "UTC"),
        XAxis::Version => (Scale::of_versions(everything), "version"),
    };
    let mut top = panels_top(chart);
    let mut frame = Frame { left: LEFT, top, right: WIDTH - RIGHT, bottom: top };
    for panel in &chart.panels {
        let heading = (INK, HPos::Left, VPos::Center);
        canvas.text(&panel.heading, (LEFT, top + HEADING_HEIGHT / 2), 18, heading, WIDTH - LEFT - MARGIN)?;
        frame.top = top + HEADING_HEIGHT;
        frame.bottom = frame.top + plot_height(chart);
        draw_panel(canvas, panel, frame, &horizontal)?;
        top = frame.bottom;
    }
    if chart.panels.is_empty() {
        frame.bottom = top + HEADING_HEIGHT + plot_height(chart);
        let place = (WIDTH / 2, i32::midpoint(frame.top, frame.bottom));
        return canvas.text("There is no data.", place, 22, middle(FAINT), width);
    }
    for (number, label) in &horizontal.marks {
        let x = along(frame.left, frame.right, horizontal.place(*number));
        canvas.text(label, (x, frame.bottom + 8), 15, (FAINT, HPos::Center, VPos::Top), 110)?;
    }
    canvas.text(unit, (MARGIN, frame.bottom + 8), 15, (FAINT, HPos::Left, VPos::Top), LEFT)?;
    draw_legend(canvas, chart)
}

fn draw_panel<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, panel: &Panel, frame: Frame, horizontal: &Scale) -> Drawn<DB> {
    let Frame { left, top, right, bottom } = frame;
    let vertical = Scale::of_values(panel.lines.iter().flat_map(|line| &line.points).map(|point| point.1));
    for (number, label) in &vertical.marks {
        let y = along(bottom, top, vertical.place(*number));
        canvas.line(vec![canvas.at((left, y)), canvas.at((right, y))], GRID, 1)?;
        canvas.text(label, (left - 8, y), 15, (FAINT, HPos::Right, VPos::Center), LEFT - 12)?;
    }
    for (number, _) in &horizontal.marks {
        let x = along(left, right, horizontal.place(*number));
        canvas.line(vec![canvas.at((x, top)), canvas.at((x, bottom))], GRID, 1)?;
    }
    canvas.line([(left, top), (left, bottom), (right, bottom)].map(|corner| canvas.at(corner)).to_vec(), FAINT, 1)?;

    let dotted = panel.lines.iter().map(|line| line.points.len()).sum::<usize>() <= DOTTED_POINTS;
    for line in &panel.lines {
        draw_line(canvas, line, frame, (horizontal, &vertical), dotted)?;
    }
    Ok(())
}

fn draw_line<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    line: &Line,
    frame: Frame,
    (horizontal, vertical): (&Scale, &Scale),
    dotted: bool,
) -> Drawn<DB> {
    let (red, green, blue) = color(line.color);
    let color = RGBColor(red, green, blue);
    let (left, top) = canvas.at((frame.left, frame.top));
    let (right, bottom) = canvas.at((frame.right, frame.bottom));
    let mut points: Vec<(i32, i32)> = line
        .points
        .iter()
        .map(|(x, y)| (along(left, right, horizontal.place(*x)), along(bottom, top, vertical.place(*y))))
        .collect();
    for change in &line.changes {
        let x = along(left, right, horizontal.place(*change));
        draw_change(canvas, x, (top, bottom), color)?;
    }
    // Points that fall together are drawn once.
    points.dedup();
    if dotted || points.len() == 1 {
        for point in &points {
            canvas.area.draw(&Circle::new(*point, 3 * canvas.factor, color.filled()))?;
        }
    }
    if points.len() > 1 { canvas.line(points, color, 2) } else { Ok(()) }
}

/// A broken line from top to bottom.
fn draw_change<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, x: i32, (top, bottom): (i32, i32), color: RGBColor) -> Drawn<DB> {
    let (dash, width) = (CHANGE_DASH * canvas.factor, canvas.factor.unsigned_abs());
    let mut from = top;
    while from < bottom {
        let to = bottom.min(from + dash);
        canvas.area.draw(&PathElement::new(vec![(x, from), (x, to)], color.stroke_width(width)))?;
        from += 2 * dash;
    }
    Ok(())
}

fn draw_legend<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, chart: &Chart) -> Drawn<DB> {
    let column = (WIDTH - LEFT - MARGIN) / i32::try_from(LEGEND_COLUMNS).unwrap_or(1);
    let left_out = chart.legend.len().saturating_sub(LEGEND_ENTRIES);
    let more = (left_out > 0).then(|| format!("and {left_out} more"));
    let entries = chart.legend.iter().take(LEGEND_ENTRIES).chain(more.as_ref());
    for (index, entry) in entries.enumerate() {
        let (row, place) = (index / LEGEND_COLUMNS, index % LEGEND_COLUMNS);
        let x = LEFT + i32::try_from(place).unwrap_or(0) * column;
        let y = legend_top(chart) + i32::try_from(row).unwrap_or(0) * LEGEND_ROW_HEIGHT + LEGEND_ROW_HEIGHT / 2;
        if index < LEGEND_ENTRIES {
            let (red, green, blue) = color(index);
            let swatch = [canvas.at((x, y - 5)), canvas.at((x + 18, y + 5))];
            canvas.area.draw(&Rectangle::new(swatch, RGBColor(red, green, blue).filled()))?;
        }
        canvas.text(entry, (x + 26, y), 16, (INK, HPos::Left, VPos::Center), column - 36)?;
    }
    Ok(())
}

/// The pixel at a part of the way from one to another; beyond them where the part is.
fn along(from: i32, to: i32, part: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "pixels of a picture; a conversion that does not fit saturates")]
    let offset = (f64::from(to - from) * part).round() as i32;
    from + offset.clamp(-2 * WIDTH * ENLARGED, 2 * WIDTH * ENLARGED)
}
