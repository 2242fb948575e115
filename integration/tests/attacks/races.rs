//! How often a recipe that races is repeated, and what its rounds came to.

use std::thread;

/// What `few` of [`Race::new`] counts in: with `COFFERDAM_RACES` there are more of them, or less.
const USUAL: usize = 60;

/// The rounds of one race. When it ends it says what came of them.
///
/// An escape ends the test, so that the rounds without one are as many as there were. With none in
/// N rounds, the rule of three says with a confidence of 95 % that less than 3/N of them succeed.
pub(crate) struct Race {
    recipe: &'static str,
    rounds: usize,
    done: usize,
    refused: usize,
}

impl Race {
    /// A race with as many rounds as the recipe has if `COFFERDAM_ALL_RACES` is set, as `./x attack
    /// races` does; else with a `few`, so that it takes seconds.
    pub(crate) fn new(recipe: &'static str, all: usize, few: usize) -> Self {
        let given = std::env::var("COFFERDAM_RACES");
        let rounds = if std::env::var_os("COFFERDAM_ALL_RACES").is_some() {
            all
        } else {
            given.map_or(few, |text| {
                let given: usize = text.parse().expect("COFFERDAM_RACES is a number");
                (given * few / USUAL).max(1)
            })
        };
        Self {
            recipe,
            rounds,
            done: 0,
            refused: 0,
        }
    }

    /// How many rounds there are to be.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    /// A round is over. In an attack it may be that no container could be made.
    pub(crate) fn round(&mut self, made: bool) {
        self.done += 1;
        self.refused += usize::from(!made);
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        let (name, done) = (
            thread::current().name().unwrap_or("?").to_owned(),
            self.done,
        );
        let (recipe, refused) = (self.recipe, self.refused);
        let of_all = |number: f64| number / f64::from(u32::try_from(done.max(1)).unwrap_or(1));
        let errors = of_all(f64::from(u32::try_from(refused).unwrap_or(u32::MAX))) * 100.0;
        if thread::panicking() {
            println!("{recipe} {name}: FAULT in round {}", done + 1);
        } else {
            println!(
                "{recipe} {name}: {done} rounds, 0 escapes (95 %: less than {:.1e}), {refused} refused ({errors:.2} %)",
                of_all(3.0)
            );
        }
    }
}
