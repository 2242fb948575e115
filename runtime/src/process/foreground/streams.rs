//! What is copied between the calling process and the one it stays with.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::PollFd;

use crate::error::{Error, Result};
use crate::process::child::Child;
use crate::process::console::RawTerminal;
use crate::process::relay::Relay;
use crate::process::stream_end::StreamEnd;

/// The copies of standard streams or of a terminal.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) copies: Vec<Relay>,
    /// Index of the copy towards the child.
    input: Option<usize>,
    terminal: Option<(RawTerminal, OwnedFd)>,
}

impl Streams {
    /// Connects the terminal or the pipes of the child with the standard streams of this process.
    pub(crate) fn connect(child: &mut Child) -> Result<Self> {
        let mut this = Self::default();
        if let Some(console) = child.console().take() {
            let failed = |error| Error::system("duplicate the console", error);
            let terminal = RawTerminal::enter()?;
            terminal.copy_size(&console)?;
            let master = console.into_descriptor();
            let writer = master.try_clone().map_err(failed)?;
            let sizer = master.try_clone().map_err(failed)?;
            this.feed(writer)?;
            this.drain(master, 1)?;
            this.terminal = Some((terminal, sizer));
            return Ok(this);
        }
        let pipes = child.pipes();
        if let Some(stdin) = pipes.stdin.take() {
            this.feed(stdin)?;
        }
        if let Some(stdout) = pipes.stdout.take() {
            this.drain(stdout, 1)?;
        }
        if let Some(stderr) = pipes.stderr.take() {
            this.drain(stderr, 2)?;
        }
        Ok(this)
    }

    /// Standard input goes to this descriptor of ours.
    fn feed(&mut self, to: OwnedFd) -> Result<()> {
        let from = StreamEnd::standard_input().map_err(unusable)?;
        let to = StreamEnd::own(to).map_err(unusable)?;
        self.input = Some(self.copies.len());
        self.copies.push(Relay::new("standard input", from, to));
        Ok(())
    }

    /// What comes from this descriptor of ours goes to standard output (1) or error (2).
    fn drain(&mut self, from: OwnedFd, number: i32) -> Result<()> {
        let name = if number == 1 {
            "standard output"
        } else {
            "standard error"
        };
        let from = StreamEnd::own(from).map_err(unusable)?;
        let to = StreamEnd::standard_sink(number).map_err(unusable)?;
        self.copies.push(Relay::new(name, from, to));
        Ok(())
    }

    /// What the copies wait for at this time: their indices and, in the same order, the
    /// descriptors.
    pub(crate) fn interests(&self, now: Instant) -> (Vec<usize>, Vec<PollFd<'_>>) {
        let interests = self.copies.iter().enumerate();
        interests
            .filter_map(|(index, copy)| Some((index, copy.interest(now)?)))
            .unzip()
    }

    /// When the first copy goes on that rests at this time.
    pub(crate) fn rest_until(&self, now: Instant) -> Option<Instant> {
        let ends = self.copies.iter().filter_map(|copy| copy.rests_until(now));
        ends.min()
    }

    /// Lets the copy with this index do a step.
    pub(crate) fn step(&mut self, index: usize) {
        if let Some(copy) = self.copies.get_mut(index) {
            copy.step();
        }
    }

    /// Gives the child's terminal the size of that of this process.
    pub(crate) fn resize(&self) {
        if let Some((terminal, console)) = &self.terminal {
            // A window that vanished keeps its last size.
            let _ = terminal.copy_size(console);
        }
    }

    /// The child has ended: nothing goes to it any more, and what it wrote is in the buffers of the
    /// kernel.
    pub(crate) fn child_has_ended(&mut self) {
        let input = self.input.take();
        if let Some(copy) = input.and_then(|index| self.copies.get_mut(index)) {
            copy.close();
        }
        for copy in &mut self.copies {
            copy.copy_only_what_is_there();
        }
    }

    /// What made a copy end early.
    pub(crate) fn take_failures(&mut self) -> Vec<Error> {
        let copies = self.copies.iter_mut();
        copies.filter_map(Relay::take_failure).collect()
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::system("use a standard stream without blocking", error)
}
