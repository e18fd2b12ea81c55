use serde_json::{Value, json};

use super::*;

const UUID: &str = "00000000-0000-4000-8000-000000000000";
const TIME: &str = "2026-01-01T00:00:00Z";

/// A series whose values are one day apart.
fn series(branch: &str, benchmark: &str, (measure, units): (&str, &str), values: &[f64]) -> Value {
    let common = json!({ "uuid": UUID, "project": UUID, "slug": "x", "created": TIME, "modified": TIME });
    let with = |more: Value| {
        let mut all = common.clone();
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        all
    };
    let number = u8::try_from(measure.len()).unwrap();
    let points = values.iter().enumerate().map(|(day, value)| {
        let time = format!("2026-01-{:02}T{:02}:00:00Z", day / 24 + 1, day % 24);
        json!({
            "report": UUID, "iteration": 0, "start_time": time, "end_time": time, "version": { "number": day },
            "metric": { "uuid": UUID, "value": value },
        })
    });
    json!({
        "branch": with(json!({ "name": branch, "head": { "uuid": UUID, "created": TIME } })),
        "testbed": with(json!({ "name": "bare-metal-1" })),
        "benchmark": with(json!({ "name": benchmark })),
        "measure": with(json!({ "name": measure, "units": units, "uuid": uuid::Uuid::from_bytes([number; 16]) })),
        "metrics": points.collect::<Vec<_>>(),
    })
}

fn perf(series: &[Value]) -> Perf {
    let project = json!({
        "uuid": UUID, "organization": UUID, "name": "Shop", "slug": "shop", "visibility": "public", "created": TIME, "modified": TIME,
    });
    serde_json::from_value(json!({ "project": project, "results": series })).unwrap()
}

const LATENCY: (&str, &str) = ("Latency", "nanoseconds (ns)");

/// Curves that look like measurements and are the same each time.
fn curve(base: f64, phase: usize, count: usize) -> Vec<f64> {
    (0..count)
        .map(|at| {
            let wave = f64::from(u32::try_from((at * 7 + phase * 13) % 11).unwrap()) - 5.0;
            let step = if at > count / 2 { base * 0.2 } else { 0.0 };
            base + base * 0.01 * wave + step
        })
        .collect()
}

/// Width, height and the pixels, three bytes each.
fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

fn shows((.., pixels): &(u32, u32, Vec<u8>), color: (u8, u8, u8)) -> bool {
    pixels.chunks_exact(3).any(|pixel| pixel == [color.0, color.1, color.2])
}

fn svg(chart: &Chart) -> String {
    String::from_utf8(draw::svg(chart).unwrap()).unwrap()
}

/// Where `BENCHER_CHART_FOLDER` is set, what is drawn is kept there to be looked at.
fn keep(name: &str, file: &[u8]) {
    if let Ok(folder) = std::env::var("BENCHER_CHART_FOLDER") {
        std::fs::write(std::path::Path::new(&folder).join(name), file).unwrap();
    }
}

#[tokio::test]
async fn every_series_has_a_line_and_a_place_in_the_legend() {
    let all: Vec<Value> = [
        "sort",
        "search",
        "insert",
        "a::rather::long::name::of::a::benchmark<with, generics>::that::does::not::fit::into::one::column",
    ]
    .iter()
    .enumerate()
    .map(|(at, name)| series("main", name, LATENCY, &curve(1.2e6 + 4e5 * f64::from(u32::try_from(at).unwrap()), at, 60)))
    .collect();
    let chart = Chart::of(&perf(&all), Some("Nightly, äöü Ω Ж"), XAxis::DateTime).unwrap();
    assert_eq!(chart.subtitle, "main · bare-metal-1");
    let file = render(chart.clone(), Format::Png).await.unwrap();
    keep("lines.png", &file);
    let picture = decode(&file);
    assert_eq!((picture.0, picture.1), (1024, 40 + 24 + 28 + 380 + 34 + 2 * 22 + 20));
    for line in 0..4 {
        assert!(shows(&picture, color(line)), "{line}");
    }
    assert!(!shows(&picture, color(4)));

    let document = render(chart, Format::Svg).await.unwrap();
    keep("lines.svg", &document);
    let document = String::from_utf8(document).unwrap();
    for text in ["Nightly, äöü Ω Ж", "Latency: nanoseconds (ns)", "01-02 12:00", "1.5M", "UTC", "insert", "a::rather::long"]
    {
        assert!(document.contains(text), "{text}");
    }
    for (red, green, blue) in (0..4).map(color) {
        assert!(document.contains(&format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"")));
    }
    assert!(!document.contains("fit::into"), "what is too long for a column is cut off");
}

#[test]
fn a_measure_has_a_panel_of_its_own_and_a_line_the_same_colour_in_each() {
    let memory = ("Memory", "bytes (B)");
    let all = [
        series("main", "sort", LATENCY, &[1.0, 2.0]),
        series("dev", "sort", memory, &[5.0, 6.0]),
        series("main", "sort", memory, &[7.0]),
    ];
    let chart = Chart::of(&perf(&all), None, XAxis::Version).unwrap();
    assert_eq!(
        (chart.title.as_str(), chart.subtitle.as_str(), chart.legend.as_slice()),
        ("Shop", "bare-metal-1 · sort", &["main".to_owned(), "dev".to_owned()][..])
    );
    let colors: Vec<Vec<usize>> = chart.panels.iter().map(|panel| panel.lines.iter().map(|line| line.color).collect()).collect();
    assert_eq!(colors, [vec![0], vec![1, 0]]);
    let file = draw::png(&chart).unwrap();
    keep("panels.png", &file);
    assert_eq!(decode(&file).1, 40 + 24 + 2 * (28 + 180) + 34 + 22 + 20);
    assert!(svg(&chart).contains("version"));
}

#[test]
fn hostile_texts_are_only_texts() {
    let hostile = "</text><script>alert(1)</script>&\"'\u{1}\n\u{202e}\u{ffff}]]>";
    let chart = Chart::of(
        &perf(&[series("main", hostile, LATENCY, &[1.0]), series("main", "b", LATENCY, &[1.0])]),
        Some(hostile),
        XAxis::DateTime,
    )
    .unwrap();
    let document = svg(&chart);
    assert!(!document.contains("<script"), "{document}");
    assert!(document.contains("&lt;/text&gt;&lt;script&gt;"), "{document}");
    assert!(!document.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{ffff}')));
    draw::png(&chart).unwrap();

    let endless = "x".repeat(1 << 20);
    let chart = Chart::of(&perf(&[]), Some(&endless), XAxis::DateTime).unwrap();
    assert_eq!(chart.title.chars().count(), limits::MAX_CHART_TITLE_CHARS + 1);
    draw::png(&chart).unwrap();
}

#[test]
fn nothing_and_any_number_can_be_drawn() {
    let empty = Chart::of(&perf(&[]), None, XAxis::DateTime).unwrap();
    keep("empty.png", &draw::png(&empty).unwrap());
    assert!(svg(&empty).contains("There is no data."));
    let extremes = [f64::MAX, f64::MIN, 0.0, f64::MIN_POSITIVE, 5e-324];
    for values in [&extremes[..], &[0.0], &[f64::MAX], &[5e-324], &[-1.0, -1.0]] {
        let chart = Chart::of(&perf(&[series("main", "sort", LATENCY, values)]), None, XAxis::DateTime).unwrap();
        assert!(!svg(&chart).contains("NaN"));
        draw::png(&chart).unwrap();
    }
}

#[test]
fn as_many_series_and_points_as_can_be_asked_for_are_drawn() {
    let all: Vec<Value> = (0..limits::MAX_PERF_SERIES)
        .map(|at| series("main", &format!("benchmark {at}"), LATENCY, &curve(100.0, at, 190)))
        .collect();
    let chart = Chart::of(&perf(&all), None, XAxis::DateTime).unwrap();
    let file = draw::png(&chart).unwrap();
    keep("many.png", &file);
    assert!(file.len() < 1 << 20, "{}", file.len());
    let document = svg(&chart);
    assert!(document.contains(&format!("and {} more", limits::MAX_PERF_SERIES - 24)));
}

#[test]
fn too_many_measures_are_refused() {
    let names: Vec<String> = (1..=limits::MAX_CHART_PANELS + 1).map(|count| "m".repeat(count)).collect();
    let all: Vec<Value> = names.iter().map(|name| series("main", "sort", (name, "u"), &[1.0])).collect();
    let error = Chart::of(&perf(&all), None, XAxis::DateTime).unwrap_err();
    assert!(matches!(error, ChartError::TooManyPanels { found: 9, most: 8 }));
    draw::png(&Chart::of(&perf(&all[..8]), None, XAxis::DateTime).unwrap()).unwrap();
}

#[test]
fn colours_are_told_apart() {
    let colors: std::collections::HashSet<_> = (0..100).map(color).collect();
    assert_eq!(colors.len(), 100);
}
