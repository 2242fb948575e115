//! The page of one container: its numbers, and what they were in the last minutes.

use std::collections::VecDeque;

use super::frame::{Line, Size, Style};
use super::graph;
use super::rates::{History, Row, float};
use super::text;

/// A screen of this many lines has room for larger graphs.
const HIGH: usize = 22;

pub(super) fn lines(row: &Row, history: Option<&History>, size: Size, style: Style) -> Vec<Line> {
    let now = &row.now;
    let pid = now.pid.map_or(String::new(), |pid| format!(", pid {pid}"));
    let bundle = now.bundle.escape_debug();
    let mut page = Builder {
        lines: Vec::new(),
        size,
        style,
    };
    page.text(&format!("{}: {}{pid}", now.id, now.status.as_str()));
    page.text(&format!("created {}, bundle {bundle}", now.created));
    let empty = History::default();
    let history = history.unwrap_or(&empty);
    let large = if size.lines >= HIGH { 3 } else { 1 };
    page.text(&processor(row));
    let most = greatest(&history.cpu).max(100.0);
    page.graph(&history.cpu, most, large, &format!("{most:.0}%"));
    page.text(&memory(row));
    let limit = row.counters().memory.and_then(|memory| memory.limit);
    let most = limit.map_or_else(|| greatest(&history.memory), float);
    page.graph(
        &history.memory,
        most,
        large,
        &text::size_or_dash(Some(most)),
    );
    for (name, total, rate, series) in [
        (
            "read",
            io(row).map(|io| io.0),
            row.rates.read,
            &history.read,
        ),
        (
            "written",
            io(row).map(|io| io.1),
            row.rates.written,
            &history.written,
        ),
    ] {
        let total = total.map_or_else(|| "-".to_owned(), text::size);
        page.text(&format!(
            "I/O {name} {}/s, {total} in all",
            text::size_or_dash(rate)
        ));
        let most = greatest(series);
        page.graph(series, most, 1, &text::size_or_dash(Some(most)));
    }
    page.text(&processes(row));
    let limit = row.counters().pids.and_then(|pids| pids.limit);
    let most = limit.map_or_else(|| greatest(&history.pids), float);
    page.graph(&history.pids, most, 1, &format!("{most:.0}"));
    page.text(&pressure(row));
    if row.pressure().is_some() {
        page.graph(&history.pressure, 100.0, 1, "100%");
    }
    page.lines
}

/// Lines of the width of the terminal.
struct Builder {
    lines: Vec<Line>,
    size: Size,
    style: Style,
}

impl Builder {
    fn text(&mut self, text: &str) {
        self.lines
            .push(Line::plain(text::cut(text, self.size.columns)));
    }

    /// The graph, and what a full column of it means.
    fn graph(&mut self, values: &VecDeque<f64>, full: f64, height: u8, label: &str) {
        let width = self.size.columns.saturating_sub(label.len() + 3);
        let values = values.iter().copied();
        let graph = graph::draw(values, full, width, height, self.style.levels);
        for (index, line) in graph.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.text(&format!(" {line}| {label}"));
        }
    }
}

fn greatest(values: &VecDeque<f64>) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn processor(row: &Row) -> String {
    let Some(cpu) = row.counters().cpu else {
        return "CPU is not counted".to_owned();
    };
    let mut text = format!(
        "CPU {}%, {:.1} s in all",
        text::percent_or_dash(row.rates.cpu),
        float(cpu.usage) / 1e9
    );
    if cpu.periods != 0 {
        text.push_str(&format!(
            ", throttled {}% of periods ({} of {}, {:.1} s)",
            text::percent_or_dash(row.rates.throttled),
            cpu.throttled_periods,
            cpu.periods,
            float(cpu.throttled_time) / 1e9
        ));
    }
    text
}

fn memory(row: &Row) -> String {
    let Some(memory) = row.counters().memory else {
        return "Memory is not counted".to_owned();
    };
    let limit = match (memory.limit, row.memory_share()) {
        (Some(limit), Some(share)) => format!(" ({share:.0}% of {})", text::size(limit)),
        _ => ", no limit".to_owned(),
    };
    format!(
        "Memory {}{limit}, {} with cache, {} OOM kills",
        text::size(memory.working_set),
        text::size(memory.usage),
        memory.oom_kills
    )
}

fn io(row: &Row) -> Option<(u64, u64)> {
    row.counters().io.map(|io| (io.read, io.written))
}

fn processes(row: &Row) -> String {
    match row.counters().pids {
        None => "Processes are not counted".to_owned(),
        Some(pids) => match pids.limit {
            Some(limit) => format!("Processes and threads {} of {limit}", pids.current),
            None => format!("Processes and threads {}, no limit", pids.current),
        },
    }
}

fn pressure(row: &Row) -> String {
    if row.pressure().is_none() {
        return "The kernel tells no pressure (PSI) of it".to_owned();
    }
    let all = row.counters().pressure;
    let mut parts = Vec::new();
    for (name, psi) in [("CPU", all.cpu), ("memory", all.memory), ("I/O", all.io)] {
        if let Some(psi) = psi {
            parts.push(format!(
                "{name} {:.1}/{:.1}%",
                psi.some.avg10, psi.full.avg10
            ));
        }
    }
    format!("Pressure, some/full of 10 s: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::graph::ASCII;
    use super::super::rates::{Memory, tests};
    use super::*;

    #[test]
    fn a_page_has_the_numbers_and_the_past_of_its_container() {
        let style = Style {
            colours: false,
            levels: ASCII,
        };
        let size = Size {
            columns: 80,
            lines: 24,
        };
        let start = std::time::Instant::now();
        let mut memory = Memory::default();
        let mut rows = Vec::new();
        for second in 0..5 {
            let at = start + std::time::Duration::from_secs(second);
            rows = memory.take(vec![tests::used("web", at, second)]);
        }
        let page = lines(&rows[0], memory.history("web"), size, style);
        let text: Vec<&str> = page.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(text[0], "web: running, pid 42");
        assert!(text[2].starts_with("CPU 100.0%, 4.0 s in all"), "{text:#?}");
        // One processor, for four seconds.
        assert!(text[3].ends_with(" ####| 100%"), "{text:#?}");
        let memory = "Memory 48.0M (50% of 96.0M), 64.0M with cache, 0 OOM kills";
        assert!(text.contains(&memory), "{text:#?}");
        assert!(text.contains(&"Processes and threads 3 of 20"), "{text:#?}");
        assert!(text.iter().any(|line| line.contains("no pressure")));
        assert!(page.len() < 24, "{}", page.len());
    }
}
