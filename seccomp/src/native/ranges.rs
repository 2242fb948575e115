//! Ranges of system call numbers with the same answer.

use super::conditions::CheckId;

/// The answer for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// This return value.
    Return(u32),
    /// It depends on the arguments.
    Check(CheckId),
}

/// All numbers of one `AUDIT_ARCH_*` value, as ranges: each goes up to the start of the next.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    ranges: Vec<(u32, Answer)>,
}

/// A piece of the numbers that needs at most one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its first number.
    pub(super) start: u32,
    /// The answer for its numbers.
    pub(super) answer: Answer,
    /// A number with another answer.
    pub(super) except: Option<(u32, Answer)>,
}

impl Ranges {
    /// From `start` on, which must be above all starts so far, the answer is this one.
    pub(super) fn push(&mut self, start: u32, answer: Answer) {
        match self.ranges.last_mut() {
            Some((_, last)) if *last == answer => {}
            // A default that was pushed first gives way to what is known of its first number.
            Some((last_start, last)) if *last_start == start => *last = answer,
            _ => self.ranges.push((start, answer)),
        }
    }

    /// The numbers in order, as pieces: a range of one number between two of the same answer costs
    /// one test for equality instead of two for order.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.ranges.len());
        let mut rest = self.ranges.as_slice();
        while let [(start, answer), after @ ..] = rest {
            let mut piece = Piece {
                start: *start,
                answer: *answer,
                except: None,
            };
            rest = after;
            if let [(nr, other), (next, again), after @ ..] = after
                && again == answer
                && nr.checked_add(1) == Some(*next)
            {
                piece.except = Some((*nr, *other));
                rest = after;
            }
            pieces.push(piece);
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Answer = Answer::Return(1);
    const B: Answer = Answer::Return(2);

    fn ranges(starts: &[(u32, Answer)]) -> Ranges {
        let mut ranges = Ranges::default();
        for (start, answer) in starts {
            ranges.push(*start, *answer);
        }
        ranges
    }

    #[test]
    fn neighbours_with_one_answer_are_one_range() {
        let ranges = ranges(&[(0, A), (1, A), (2, B), (3, B), (4, A)]);
        assert_eq!(ranges.ranges, [(0, A), (2, B), (4, A)]);
    }

    #[test]
    fn a_single_number_in_between_is_an_exception() {
        let pieces = ranges(&[(0, A), (7, B), (8, A), (9, B), (11, A)]).pieces();
        assert_eq!(
            pieces,
            [
                Piece {
                    start: 0,
                    answer: A,
                    except: Some((7, B))
                },
                Piece {
                    start: 9,
                    answer: B,
                    except: None
                },
                Piece {
                    start: 11,
                    answer: A,
                    except: None
                },
            ]
        );
    }
}
