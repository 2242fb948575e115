//! The drawing: a line for each runtime of each scenario, with two panels on logarithmic scales.

use std::fmt::Write as _;

use super::{Series, quartiles};

const WIDTH: f64 = 880.0;
/// A line for one runtime, and the heading of a scenario.
const LINE: f64 = 15.0;
const HEADING: f64 = 24.0;
/// Where the lines begin, below titles.
const TOP: f64 = 66.0;
/// Below the lines: numbers of the scale.
const BOTTOM: f64 = 30.0;
/// The width of a panel, and where each begins; the medians stand behind it.
const PANEL: f64 = 290.0;
const PANELS: [f64; 2] = [150.0, 520.0];
const GAP: f64 = 8.0;

/// Colours for both kinds of themes. The background is part of the picture, so that it can be read
/// on any page; the names of the runtimes are at their lines, so that no reader has to distinguish
/// colours.
const STYLE: &str = "
    .paper { fill: #ffffff } text { fill: #1b1b1b; font: 12px sans-serif }
    .title { font-size: 15px; font-weight: bold } .scenario { font-weight: bold }
    .grid { stroke: #d0d0d0 } .first { fill: #0b5cad; stroke: #0b5cad } .other { fill: #8a4b08; stroke: #8a4b08 }
    .quartiles { stroke-width: 6; stroke-opacity: 0.4 } .end { text-anchor: end } .middle { text-anchor: middle }
    @media (prefers-color-scheme: dark) {
        .paper { fill: #16181d } text { fill: #e8e8e8 } .grid { stroke: #3c4048 }
        .first { fill: #6cb6ff; stroke: #6cb6ff } .other { fill: #f0b070; stroke: #f0b070 }
    }
";

/// The milliseconds of a series that a panel shows.
type Measure = fn(&Series) -> &[f64];

/// One of the two panels.
struct Panel {
    left: f64,
    title: &'static str,
    measure: Measure,
    /// The ends of the scale in milliseconds.
    range: [f64; 2],
}

impl Panel {
    fn at(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        self.left + PANEL * (value / low).ln() / (high / low).ln()
    }
}

/// A value on the scale: 1, 2 or 5 times a power of ten.
fn step(number: i32) -> f64 {
    let digit = match number.rem_euclid(3) {
        0 => 1.0,
        1 => 2.0,
        _ => 5.0,
    };
    digit * 10_f64.powi(number.div_euclid(3))
}

/// The steps of the scale that enclose these values.
fn scale(values: impl Iterator<Item = f64> + Clone) -> [i32; 2] {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    let first = (-12..24).rev().find(|number| step(*number) <= low);
    let last = (-12..24).find(|number| step(*number) >= high);
    let first = first.unwrap_or(-12);
    [first, last.unwrap_or(24).max(first + 1)]
}

/// Milliseconds with three digits that count.
fn shown(value: f64) -> String {
    let decimals = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What the picture shows, in words.
fn description(groups: &[Vec<&Series>]) -> String {
    let mut text = "Medians and quartiles of the wall time.".to_owned();
    for group in groups {
        let Some(first) = group.first() else { continue };
        let figures: Vec<String> = group
            .iter()
            .map(|series| {
                let [low, middle, high] = quartiles(&series.wall).map(shown);
                format!("{} {middle} ms ({low} to {high})", series.peer)
            })
            .collect();
        let _ = write!(text, " {}: {}.", first.title, figures.join(", "));
    }
    escaped(&text)
}

/// The median as a dot on the range between the quartiles, and as a number behind the panel.
fn figure(panel: &Panel, series: &Series, class: &str, y: f64) -> String {
    let [low, middle, high] = quartiles((panel.measure)(series));
    let [from, at, to] = [low, middle, high].map(|value| panel.at(value));
    let number = panel.left + PANEL + GAP;
    format!(
        "<line class=\"{class} quartiles\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n\
         <circle class=\"{class}\" cx=\"{at:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n\
         <text x=\"{number:.1}\" y=\"{:.1}\">{} ms</text>\n",
        y + 4.0,
        shown(middle)
    )
}

/// The lines of the scale, with their numbers.
fn grid(panel: &Panel, steps: [i32; 2], bottom: f64) -> String {
    let mut text = String::new();
    for number in steps[0]..=steps[1] {
        let value = step(number);
        let x = panel.at(value);
        let _ = write!(
            text,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\n\
             <text class=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{value}</text>\n",
            TOP - 6.0,
            bottom + 16.0
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\">{}, milliseconds</text>",
        panel.left,
        TOP - 12.0,
        panel.title
    );
    text
}

/// The picture of scenarios, each a list of what its runtimes took; the first runtime is ours.
pub fn drawn(title: &str, circumstances: &str, groups: &[Vec<&Series>]) -> String {
    let lines: usize = groups.iter().map(Vec::len).sum();
    let bottom = TOP + groups.len() as f64 * HEADING + lines as f64 * LINE;
    let height = bottom + BOTTOM;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-labelledby=\"title description\">\n\
         <title id=\"title\">{title}</title>\n\
         <desc id=\"description\">{}</desc>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{GAP}\" y=\"20\">{title}</text>\n\
         <text x=\"{GAP}\" y=\"38\">{circumstances}. Dot: median; bar: quartiles; less is better.</text>\n",
        description(groups),
        title = escaped(title),
        circumstances = escaped(circumstances),
    );
    let measures: [(&str, Measure); 2] = [
        ("wall time", |series| &series.wall),
        ("processor time", |series| &series.cpu),
    ];
    let mut panels = Vec::new();
    for (left, (title, measure)) in PANELS.into_iter().zip(measures) {
        let all = groups.iter().flatten();
        let steps = scale(all.flat_map(|series| quartiles(measure(series))));
        let panel = Panel {
            left,
            title,
            measure,
            range: steps.map(step),
        };
        text += &grid(&panel, steps, bottom);
        panels.push(panel);
    }
    let mut y = TOP;
    for group in groups {
        let heading = group.first().map_or("", |series| series.title.as_str());
        let _ = writeln!(
            text,
            "<text class=\"scenario\" x=\"{GAP}\" y=\"{:.1}\">{}</text>",
            y + HEADING - 8.0,
            escaped(heading)
        );
        y += HEADING;
        for (index, series) in group.iter().enumerate() {
            let class = if index == 0 { "first" } else { "other" };
            let middle = y + LINE / 2.0 - 2.0;
            let _ = writeln!(
                text,
                "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                PANELS[0] - GAP,
                middle + 4.0,
                escaped(&series.peer)
            );
            for panel in &panels {
                text += &figure(panel, series, class, middle);
            }
            y += LINE;
        }
    }
    text + "</svg>\n"
}
