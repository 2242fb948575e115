//! The binary search over pieces of the system call numbers.

use crate::bpf;

use super::assembler::{Assembler, Destination};
use super::conditions::Checks;
use super::ranges::{Answer, Piece};

/// Writes the search over `pieces`, which are in order; the accumulator holds the number when it is
/// entered.
///
/// Every comparison halves the pieces, so that the depth is the logarithm of their count.
pub(super) fn write(
    pieces: &[Piece],
    checks: &mut Checks,
    assembler: &mut Assembler,
) -> Destination {
    let (lower, upper) = pieces.split_at(pieces.len() / 2);
    match (lower, upper) {
        ([], [piece]) => write_piece(piece, checks, assembler),
        (lower, [first, ..]) => {
            let yes = write(upper, checks, assembler);
            let no = write(lower, checks, assembler);
            Destination::Code(assembler.jump(bpf::JMP_JGE_K, first.start, yes, no))
        }
        // Only the empty list has an empty upper half, and a filter has an answer for every number.
        (_, []) => Destination::Return(super::UNKNOWN_ARCHITECTURE.return_value()),
    }
}

fn write_piece(piece: &Piece, checks: &mut Checks, assembler: &mut Assembler) -> Destination {
    let answer = destination(piece.answer, checks, assembler);
    let Some((nr, except)) = piece.except else {
        return answer;
    };
    let except = destination(except, checks, assembler);
    Destination::Code(assembler.jump(bpf::JMP_JEQ_K, nr, except, answer))
}

/// Where an answer is given; the code of a check is written if it is not there yet.
pub(super) fn destination(
    answer: Answer,
    checks: &mut Checks,
    assembler: &mut Assembler,
) -> Destination {
    match answer {
        Answer::Return(value) => Destination::Return(value),
        Answer::Check(id) => checks.destination(id, assembler),
    }
}
