//! Curves as SVG: figures over sizes on a logarithmic axis.

use std::fmt::Write;

/// A curve: its name, and (size, figure).
pub type Curve = (String, Vec<(f64, f64)>);

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 46.0;
const COLOURS: [&str; 4] = ["#1f5f99", "#b3541e", "#3d7a3d", "#7a3d75"];

/// A picture of curves; both axes have a name. The vertical one begins at 0.
pub fn plot(title: &str, across: &str, upwards: &str, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|(_, points)| points.iter().copied());
    let log = |x: f64| x.max(1.0).log10();
    let (low, high) = points().fold((f64::MAX, f64::MIN), |(l, h), (x, _)| (l.min(log(x)), h.max(log(x))));
    let top = points().map(|(_, y)| y).fold(1.0, f64::max) * 1.25;
    let x_of = |x: f64| LEFT + (log(x) - low) / (high - low).max(0.1) * (WIDTH - LEFT - RIGHT);
    let y_of = |y: f64| HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"18\" font-size=\"14\">{title}</text>\n"
    );
    for step in 0..=4 {
        let y = top / 4.0 * f64::from(step);
        let at = y_of(y);
        let _ = writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>", WIDTH - RIGHT);
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{y:.0}</text>", LEFT - 6.0, at + 4.0);
    }
    for power in low.floor() as i32..=high.ceil() as i32 {
        let x = 10f64.powi(power);
        if (low - 0.01..=high + 0.01).contains(&f64::from(power)) {
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{x}</text>", x_of(x), HEIGHT - BOTTOM + 16.0);
        }
    }
    let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{across}</text>", (LEFT + WIDTH) / 2.0, HEIGHT - 10.0);
    let _ = writeln!(svg, "<text transform=\"translate(14 {:.0}) rotate(-90)\" text-anchor=\"middle\">{upwards}</text>", HEIGHT / 2.0);
    for (i, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_of(*x), y_of(*y))).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" "));
        for (x, y) in points {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x_of(*x), y_of(*y));
        }
        let at = TOP + 14.0 * (i as f64 + 1.0);
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{at:.0}\" fill=\"{colour}\">{name}</text>", LEFT + 10.0);
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_inside_the_picture() {
        let curves = vec![("a".to_string(), vec![(10.0, 5.0), (1e7, 9.0)]), ("b".to_string(), vec![(100.0, 0.0)])];
        let svg = plot("title", "flows", "ns", &curves);
        let centres: Vec<f64> = svg.split("cx=\"").skip(1).filter_map(|part| part.split('"').next()?.parse().ok()).collect();
        assert_eq!(centres.len(), 3);
        assert!(centres.iter().all(|x| (LEFT..=WIDTH - RIGHT).contains(x)), "{centres:?}");
    }
}
