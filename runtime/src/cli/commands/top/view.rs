//! What is shown, and what keys change of it.

use std::cmp::Ordering;

use super::columns::{self, Column};
use super::keys::Key;
use super::rates::Row;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Table,
    /// The selected container alone.
    Container,
    Help,
}

/// What has to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Show,
    Quit,
    Suspend,
    /// Everything is drawn anew.
    Redraw,
}

/// What is shown of which containers, and how it is sorted.
#[derive(Debug)]
pub(super) struct View {
    pub(super) page: Page,
    pub(super) sort: &'static Column,
    pub(super) reversed: bool,
    /// Only containers with this in their id.
    pub(super) filter: String,
    /// The filter is being typed; this is the one before.
    pub(super) typing: Option<String>,
    /// Stopped containers are left out.
    pub(super) alive_only: bool,
    /// No readings are taken.
    pub(super) held: bool,
    /// The id of the selected container.
    pub(super) selected: Option<String>,
    /// It was chosen by keys: else the first row is selected, whichever it is.
    chosen: bool,
    /// The first row that is shown.
    pub(super) first: usize,
    /// How many rows have room: a page is one less.
    pub(super) room: usize,
}

impl View {
    pub(super) fn new(sort: &'static Column, filter: String) -> Self {
        Self {
            page: Page::Table,
            sort,
            reversed: false,
            filter,
            typing: None,
            alive_only: false,
            held: false,
            selected: None,
            chosen: false,
            first: 0,
            room: 1,
        }
    }

    /// The rows that are shown, in their order.
    pub(super) fn pick(&self, rows: &[Row]) -> Vec<Row> {
        let shown =
            |row: &&Row| row.now.id.contains(&self.filter) && (!self.alive_only || row.is_alive());
        let mut rows: Vec<Row> = rows.iter().filter(shown).cloned().collect();
        rows.sort_by(|a, b| self.order(a, b));
        rows
    }

    fn order(&self, a: &Row, b: &Row) -> Ordering {
        let order = (self.sort.order)(a, b);
        let order = if self.reversed {
            order.reverse()
        } else {
            order
        };
        order.then_with(|| a.now.id.cmp(&b.now.id))
    }

    /// Where the selected container is among the rows; the first one if it is not there, which is
    /// selected then, unless its page is shown.
    pub(super) fn select(&mut self, rows: &[Row]) -> usize {
        let selected = self.selected.as_deref().filter(|_| self.chosen);
        let found = rows
            .iter()
            .position(|row| Some(row.now.id.as_str()) == selected);
        if found.is_none() && self.page != Page::Container {
            self.selected = rows.first().map(|row| row.now.id.clone());
            self.chosen = false;
        }
        found.unwrap_or(0)
    }

    fn choose(&mut self, id: String) {
        self.selected = Some(id);
        self.chosen = true;
    }

    /// Moves the rows so that the selected one is among the `room` that are shown.
    pub(super) fn scroll(&mut self, selected: usize, count: usize, room: usize) {
        self.room = room.max(1);
        let last = count.saturating_sub(self.room);
        self.first = self
            .first
            .min(selected)
            .max((selected + 1).saturating_sub(self.room))
            .min(last);
    }

    /// Does what a key means; `rows` are those that are shown.
    pub(super) fn press(&mut self, key: Key, rows: &[Row]) -> Action {
        match key {
            Key::Interrupt => return Action::Quit,
            Key::Suspend => return Action::Suspend,
            Key::Redraw => return Action::Redraw,
            _ => {}
        }
        if self.typing.is_some() {
            self.type_filter(key);
            return Action::Show;
        }
        match (self.page, key) {
            (Page::Table, Key::Character(b'q')) => return Action::Quit,
            (Page::Table, Key::Escape) => self.filter.clear(),
            (Page::Table, Key::Enter) => {
                if let Some(id) = self.selected.take() {
                    self.choose(id);
                    self.page = Page::Container;
                }
            }
            (Page::Container | Page::Help, Key::Character(b'q') | Key::Escape)
            | (Page::Container | Page::Help, Key::Backspace)
            | (Page::Help, Key::Enter | Key::Character(_)) => self.page = Page::Table,
            (_, Key::Character(b'?' | b'h')) => self.page = Page::Help,
            (_, Key::Character(b' ')) => self.held = !self.held,
            (Page::Table, Key::Character(b'/')) => {
                self.typing = Some(std::mem::take(&mut self.filter));
            }
            (Page::Table, Key::Character(b'r')) => self.reversed = !self.reversed,
            (Page::Table, Key::Character(b'a')) => self.alive_only = !self.alive_only,
            (Page::Table | Page::Container, key) => self.steer(key, rows),
            (Page::Help, _) => {}
        }
        Action::Show
    }

    /// Moves the selection, or sorts.
    fn steer(&mut self, key: Key, rows: &[Row]) {
        let page = isize::try_from(self.room.saturating_sub(1).max(1)).unwrap_or(1);
        let steps = match key {
            Key::Up | Key::Character(b'k') => -1,
            Key::Down | Key::Character(b'j') => 1,
            Key::PageUp => page.saturating_neg(),
            Key::PageDown => page,
            Key::Home | Key::Character(b'g') => isize::MIN,
            Key::End | Key::Character(b'G') => isize::MAX,
            Key::Character(letter) => {
                if self.page == Page::Table
                    && let Some(column) = columns::by_key(letter)
                {
                    self.sort = column;
                    self.reversed = false;
                }
                return;
            }
            _ => return,
        };
        let last = rows.len().saturating_sub(1);
        let at = self.select(rows).saturating_add_signed(steps).min(last);
        if let Some(row) = rows.get(at) {
            self.choose(row.now.id.clone());
        }
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter | Key::Up | Key::Down => self.typing = None,
            Key::Escape => self.filter = self.typing.take().unwrap_or_default(),
            Key::Backspace => {
                self.filter.pop();
            }
            // The characters of an id.
            Key::Character(letter @ (b'!'..=b'~')) => self.filter.push(char::from(letter)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::tests::row;
    use super::*;

    fn view() -> View {
        View::new(columns::by_name("cpu").unwrap(), String::new())
    }

    fn rows() -> Vec<Row> {
        vec![row("a", 1.0), row("bee", 30.0), row("c", 20.0)]
    }

    fn ids(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.now.id.as_str()).collect()
    }

    /// Types, as the program does: what is shown is picked before each key.
    fn typed(view: &mut View, text: &[u8]) -> Action {
        let mut action = Action::Show;
        for key in super::super::keys::keys(text) {
            let rows = view.pick(&rows());
            view.select(&rows);
            action = view.press(key, &rows);
        }
        let rows = view.pick(&rows());
        view.select(&rows);
        action
    }

    #[test]
    fn the_table_is_sorted_by_what_a_key_says() {
        let mut view = view();
        assert_eq!(ids(&view.pick(&rows())), ["bee", "c", "a"]);
        typed(&mut view, b"r");
        assert_eq!(ids(&view.pick(&rows())), ["a", "c", "bee"]);
        typed(&mut view, b"n");
        assert_eq!(ids(&view.pick(&rows())), ["a", "bee", "c"]);
        // Equal ones keep the order of their ids.
        typed(&mut view, b"or");
        assert_eq!(ids(&view.pick(&rows())), ["a", "bee", "c"]);
    }

    #[test]
    fn the_selection_stays_with_its_container() {
        let mut view = view();
        typed(&mut view, b"j");
        assert_eq!(view.selected.as_deref(), Some("c"));
        typed(&mut view, b"n");
        assert_eq!(view.selected.as_deref(), Some("c"));
        assert_eq!(view.select(&view.pick(&rows())), 2);
        typed(&mut view, b"g");
        assert_eq!(view.selected.as_deref(), Some("a"));
        typed(&mut view, b"GG\x1b[B");
        assert_eq!(view.selected.as_deref(), Some("c"));
        // It goes: the first one is next.
        let rows = vec![row("z", 0.0)];
        assert_eq!(view.select(&rows), 0);
        assert_eq!(view.selected.as_deref(), Some("z"));
        assert_eq!(view.select(&[]), 0);
        assert_eq!(view.selected, None);
    }

    #[test]
    fn the_first_row_is_selected_until_another_one_is_chosen() {
        let mut view = view();
        typed(&mut view, b"");
        assert_eq!(view.selected.as_deref(), Some("bee"));
        let others = vec![row("later", 99.0), row("bee", 1.0)];
        assert_eq!(view.select(&others), 0);
        assert_eq!(view.selected.as_deref(), Some("later"));
        typed(&mut view, b"\x1b[H");
        assert_eq!(view.select(&others), 1);
    }

    #[test]
    fn a_filter_is_typed_and_taken_back() {
        let mut view = view();
        typed(&mut view, b"/qe");
        assert_eq!(view.filter, "qe");
        assert!(view.pick(&rows()).is_empty());
        typed(&mut view, b"\x7f\x7fe\r");
        assert_eq!(ids(&view.pick(&rows())), ["bee"]);
        typed(&mut view, b"/c\x1b");
        assert_eq!(view.filter, "e");
        typed(&mut view, b"\x1b");
        assert_eq!(view.pick(&rows()).len(), 3);
    }

    #[test]
    fn keys_lead_to_a_page_and_back() {
        let mut view = view();
        typed(&mut view, b"j\r");
        assert_eq!(view.page, Page::Container);
        typed(&mut view, b"\x1b[A");
        assert_eq!(view.selected.as_deref(), Some("bee"));
        assert_eq!(typed(&mut view, b"q"), Action::Show);
        assert_eq!(view.page, Page::Table);
        typed(&mut view, b"?");
        assert_eq!(view.page, Page::Help);
        typed(&mut view, b"x");
        assert_eq!(view.page, Page::Table);
        for (keys, action) in [
            (&b"q"[..], Action::Quit),
            (b"\x03", Action::Quit),
            (b"\x1a", Action::Suspend),
            (b"/\x03", Action::Quit),
        ] {
            assert_eq!(typed(&mut view, keys), action);
        }
    }

    #[test]
    fn the_page_of_a_container_that_goes_stays() {
        let mut view = view();
        typed(&mut view, b"\r");
        view.select(&[row("other", 1.0)]);
        assert_eq!(view.selected.as_deref(), Some("bee"));
    }

    #[test]
    fn stopped_containers_can_be_left_out() {
        let mut view = view();
        let mut rows = rows();
        rows[0].now.status = crate::Status::Stopped;
        typed(&mut view, b"a");
        assert_eq!(ids(&view.pick(&rows)), ["bee", "c"]);
    }

    #[test]
    fn the_selected_row_is_always_in_the_window() {
        let mut view = view();
        for (selected, first) in [(0, 0), (9, 5), (7, 5), (4, 4), (99, 95), (0, 0)] {
            view.scroll(selected, 100, 5);
            assert_eq!(view.first, first, "{selected}");
        }
        // A window that has grown shows no less than it can.
        view.scroll(99, 100, 5);
        view.scroll(99, 100, 50);
        assert_eq!(view.first, 50);
        view.scroll(2, 3, 50);
        assert_eq!(view.first, 0);
    }
}
