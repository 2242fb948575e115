//! Tokens as text, spaced as rustfmt does it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Marks that consist of several characters.
const COMPOUND: [&str; 9] = ["->", "=>", "::", "..", "...", "..=", "==", "&&", "||"];

/// The text of a piece of syntax, on one line.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut pieces = Vec::new();
    collect(tokens.to_token_stream(), &mut pieces);
    let mut text = String::new();
    let mut last = "";
    for (index, piece) in pieces.iter().enumerate() {
        let next = pieces.get(index + 1).map_or("", String::as_str);
        if piece == "," && matches!(next, ")" | "]" | ">" | "}") {
            continue;
        }
        if spaced(last, piece) {
            text.push(' ');
        }
        text.push_str(piece);
        last = piece;
    }
    text
}

/// Whether there is a space between two pieces.
fn spaced(last: &str, next: &str) -> bool {
    const TIGHT_AFTER: [&str; 13] = [
        "", "(", "[", "<", "&", "::", "!", "#", "*", ".", "'", "$", "-",
    ];
    const TIGHT_BEFORE: [&str; 10] = [")", "]", ">", ",", ";", ":", "::", ".", "!", "<"];
    if TIGHT_AFTER.contains(&last) || TIGHT_BEFORE.contains(&next) {
        return false;
    }
    let ends_name = last == ">" || last.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let keyword = matches!(last, "mut" | "dyn" | "const" | "for" | "in" | "as");
    let opens = matches!(next, "(" | "[");
    keyword || !opens || !ends_name
}

fn collect(tokens: TokenStream, pieces: &mut Vec<String>) {
    // Whether the next mark may belong to the last one.
    let mut joint = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                pieces.push(open.to_owned());
                collect(group.stream(), pieces);
                pieces.push(close.to_owned());
                pieces.retain(|piece| !piece.is_empty());
                joint = false;
            }
            TokenTree::Punct(mark) => {
                let mark_text = mark.as_char().to_string();
                match pieces.last_mut() {
                    Some(last)
                        if joint && COMPOUND.contains(&format!("{last}{mark_text}").as_str()) =>
                    {
                        last.push(mark.as_char());
                    }
                    _ => pieces.push(mark_text),
                }
                joint = mark.spacing() == Spacing::Joint;
            }
            other => {
                pieces.push(other.to_string());
                joint = false;
            }
        }
    }
}

/// The paths that a piece of syntax names: `a::b` as `["a", "b"]`.
pub(crate) fn paths(tokens: &impl ToTokens) -> Vec<Vec<String>> {
    let mut pieces = Vec::new();
    collect(tokens.to_token_stream(), &mut pieces);
    let mut paths: Vec<Vec<String>> = Vec::new();
    let mut last = "";
    for piece in &pieces {
        if piece.starts_with(|c: char| c.is_alphabetic() || c == '_') && last != "'" {
            match paths.last_mut() {
                Some(path) if last == "::" => path.push(piece.clone()),
                _ => paths.push(vec![piece.clone()]),
            }
        }
        last = piece;
    }
    paths
}
