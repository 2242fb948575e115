//! The lines of the screen.

use super::columns::{COLUMNS, Tone};
use super::graph::Levels;
use super::rates::{Memory, Row, Totals};
use super::table::{Table, unpainted};
use super::view::{Page, View};
use super::{page, text};

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colours: bool,
    pub(super) levels: Levels,
}

/// The size of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

/// What is known when a frame is drawn.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) rows: &'a [Row],
    pub(super) memory: &'a Memory,
    /// What could not be read the last time.
    pub(super) trouble: Option<String>,
    /// Seconds between readings, as text.
    pub(super) interval: &'a str,
}

/// One line: its text, without escapes its width, and whether it stands out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) reverse: bool,
}

impl Line {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            reverse: false,
        }
    }

    /// In reverse video over the whole width.
    fn reverse(text: &str, width: usize) -> Self {
        Self {
            text: format!("{:<width$}", text::cut(text, width)),
            reverse: true,
        }
    }
}

/// All lines of the screen, no more than it has.
pub(super) fn frame(view: &mut View, known: &Known<'_>, size: Size, style: Style) -> Vec<Line> {
    let mut lines = match view.page {
        Page::Table => table(view, known, size, style),
        Page::Container => container(view, known, size, style),
        Page::Help => help(size.columns),
    };
    let bottom = bottom(view, known);
    lines.truncate(size.lines.saturating_sub(1));
    while lines.len() + 1 < size.lines {
        lines.push(Line::plain(""));
    }
    lines.push(Line::plain(text::cut(&bottom, size.columns)));
    lines
}

fn table(view: &mut View, known: &Known<'_>, size: Size, style: Style) -> Vec<Line> {
    let rows = view.pick(known.rows);
    let selected = view.select(&rows);
    // The head, the titles and the line at the bottom.
    let room = size.lines.saturating_sub(3);
    view.scroll(selected, rows.len(), room);
    let table = Table::new(&rows, Some(size.columns));
    let head = head(view, known, rows.len());
    let titles = table.head(Some(view.sort));
    let mut lines = vec![
        Line::plain(text::cut(&head, size.columns)),
        Line::reverse(&titles, size.columns),
    ];
    let paint = if style.colours { painted } else { unpainted };
    for index in view.first..rows.len().min(view.first + room) {
        lines.push(if index == selected {
            Line::reverse(&table.line(index, unpainted), size.columns)
        } else {
            Line::plain(table.line(index, paint))
        });
    }
    if rows.is_empty() {
        lines.push(Line::plain(text::cut(nothing(view, known), size.columns)));
    }
    lines
}

fn nothing(view: &View, known: &Known<'_>) -> &'static str {
    if known.rows.is_empty() {
        "no containers in this state root"
    } else if view.filter.is_empty() {
        "no container is alive (a shows all)"
    } else {
        "no container has this in its id"
    }
}

fn head(view: &View, known: &Known<'_>, shown: usize) -> String {
    let totals = Totals::of(known.rows);
    let mut head = format!(
        "containers: {}, {} running, CPU {:.0}%, memory {}, every {}",
        totals.containers,
        totals.running,
        totals.cpu,
        text::size(totals.memory),
        known.interval
    );
    if view.held {
        head.push_str(", held");
    }
    if shown != totals.containers {
        let plural = if view.filter.is_empty() { "" } else { " with " };
        head.push_str(&format!(", {shown} shown{plural}{}", view.filter));
    }
    head
}

fn container(view: &mut View, known: &Known<'_>, size: Size, style: Style) -> Vec<Line> {
    let rows = view.pick(known.rows);
    view.select(&rows);
    let id = view.selected.as_deref().unwrap_or_default();
    match known.rows.iter().find(|row| row.now.id == id) {
        Some(row) => page::lines(row, known.memory.history(id), size, style),
        None => vec![Line::plain(text::cut(
            &format!("{id} is gone"),
            size.columns,
        ))],
    }
}

fn bottom(view: &View, known: &Known<'_>) -> String {
    if view.typing.is_some() {
        return format!("id contains: {}_", view.filter);
    }
    if let Some(trouble) = &known.trouble {
        return trouble.clone();
    }
    match view.page {
        Page::Table => "q quit  ? help  enter page  / filter  c m i p w o t n s sort  r reverse",
        Page::Container => "q back  up/down another container  space hold  ? help",
        Page::Help => "any key: back",
    }
    .to_owned()
}

fn help(width: usize) -> Vec<Line> {
    let keys = [
        "up, down, j, k, page up, page down, home, end   select a container",
        "enter, right      the page of the selected container; q, escape, left: back",
        "/                 show only containers with a text in their id; escape: all",
        "a                 leave out stopped containers, and back",
        "r                 reverse the order",
        "space             hold: take no readings, and go on",
        "control and L     draw the screen anew",
        "q, control and C  end",
        "",
        "CPU%       processor time, 100 is one processor",
        "MEM/LIMIT  memory without cache that was not used lately, and its limit",
        "READ/s, WRITE/s   bytes from and to block devices",
        "PIDS       processes and threads, and their limit",
        "PSI CMI    percent of 10 s in which a task waited: processor/memory/I/O",
        "OOM        processes killed for lack of memory",
        "THR%       percent of periods in which the CPU quota ran out",
        "-          is not counted for this container, or not known yet",
    ];
    let mut lines: Vec<Line> = keys
        .iter()
        .map(|line| Line::plain(text::cut(line, width)))
        .collect();
    let mut sort = String::from("sort:");
    for (index, column) in COLUMNS.iter().enumerate() {
        // Two columns have one order.
        if COLUMNS.iter().position(|other| other.key == column.key) == Some(index) {
            sort.push_str(&format!(" {} {},", char::from(column.key), column.name));
        }
    }
    let sort = sort.trim_end_matches(',');
    lines.insert(4, Line::plain(text::cut(sort, width)));
    lines
}

/// In the colour of its tone (ECMA-48, SGR).
pub(super) fn painted(text: &str, tone: Tone) -> String {
    match tone {
        Tone::Plain => text.to_owned(),
        Tone::Warning => format!("\x1b[33m{text}\x1b[39m"),
        Tone::Alarm => format!("\x1b[31m{text}\x1b[39m"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns;
    use super::super::graph::{ASCII, BLOCKS};
    use super::super::keys::Key;
    use super::super::rates::tests::row;
    use super::*;

    fn screen(view: &mut View, rows: &[Row], size: Size, colours: bool) -> Vec<Line> {
        let known = Known {
            rows,
            memory: &Memory::default(),
            trouble: None,
            interval: "2s",
        };
        let levels = if colours { BLOCKS } else { ASCII };
        frame(view, &known, size, Style { colours, levels })
    }

    fn view() -> View {
        View::new(columns::by_name("cpu").unwrap(), String::new())
    }

    #[test]
    fn every_page_fits_every_terminal() {
        let rows: Vec<Row> = (0..300).map(|n| row(&format!("web-{n}"), 1.0)).collect();
        for (columns, lines) in [
            (80, 24),
            (200, 50),
            (20, 5),
            (1, 1),
            (2, 2),
            (40, 3),
            (80, 0),
        ] {
            let size = Size { columns, lines };
            for page in [Page::Table, Page::Container, Page::Help] {
                let mut view = view();
                view.selected = Some("web-7".to_owned());
                view.page = page;
                let shown = screen(&mut view, &rows, size, false);
                assert_eq!(shown.len(), lines.max(1), "{page:?} {size:?}");
                for line in shown {
                    let width = line.text.chars().count();
                    assert!(width <= columns, "{page:?} {size:?} {line:?}");
                }
            }
        }
    }

    #[test]
    fn the_selected_container_is_shown_among_hundreds() {
        let rows: Vec<Row> = (0..300).map(|n| row(&format!("web-{n:03}"), 1.0)).collect();
        let mut view = view();
        for key in [Key::Character(b'n'), Key::End] {
            let picked = view.pick(&rows);
            view.press(key, &picked);
        }
        let size = Size {
            columns: 80,
            lines: 24,
        };
        let shown = screen(&mut view, &rows, size, false);
        let selected: Vec<&Line> = shown.iter().filter(|line| line.reverse).collect();
        assert_eq!(selected.len(), 2, "the titles and one row");
        assert!(selected[1].text.starts_with("web-299"));
        assert!(shown[0].text.starts_with("containers: 300, 300 running"));
    }

    #[test]
    fn colours_are_used_only_where_they_are_wanted() {
        let mut full = row("full", 1.0);
        let memory = full.now.counters.memory.as_mut().unwrap();
        memory.working_set = memory.limit.unwrap();
        let rows = [row("first", 2.0), full];
        let size = Size {
            columns: 80,
            lines: 24,
        };
        let text = |colours| -> String {
            let shown = screen(&mut view(), &rows, size, colours);
            shown.into_iter().map(|line| line.text).collect()
        };
        assert!(text(true).contains("\u{1b}[31m"));
        assert!(!text(false).contains('\u{1b}'));
    }

    #[test]
    fn an_empty_table_says_why() {
        let size = Size {
            columns: 80,
            lines: 24,
        };
        let third = |view: &mut View, rows: &[Row]| screen(view, rows, size, false)[2].text.clone();
        let mut view = view();
        assert!(third(&mut view, &[]).contains("no containers"));
        view.filter = "zzz".to_owned();
        assert!(third(&mut view, &[row("x", 1.0)]).contains("in its id"));
    }
}
