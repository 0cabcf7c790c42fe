//! Rust source with its comments and literals blanked out, so that rules see code only.
//!
//! Every blanked character becomes a space and every line keeps its number, so a place in the mask is a place in the file.

/// The code of `source`, with comments, strings and characters blanked.
pub fn mask(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < text.len() {
        let end = literal_end(&text, at);
        if end == at {
            out.push(text[at]);
            at += 1;
        } else {
            out.extend(text[at..end].iter().map(|&letter| if letter == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself when code stands there.
fn literal_end(text: &[char], at: usize) -> usize {
    let next = |offset: usize| text.get(at + offset).copied().unwrap_or('\0');
    match text[at] {
        '/' if next(1) == '/' => line_end(text, at),
        '/' if next(1) == '*' => block_comment_end(text, at),
        '"' => string_end(text, at),
        '\'' => character_end(text, at),
        'r' | 'b' | 'c' if !continues_a_word(text, at) => prefixed_end(text, at),
        _ => at,
    }
}

fn continues_a_word(text: &[char], at: usize) -> bool {
    at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_')
}

fn line_end(text: &[char], at: usize) -> usize {
    text[at..].iter().position(|&letter| letter == '\n').map_or(text.len(), |length| at + length)
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut here = at;
    while here + 1 < text.len() {
        match (text[here], text[here + 1]) {
            ('/', '*') => (depth, here) = (depth + 1, here + 2),
            ('*', '/') if depth == 1 => return here + 2,
            ('*', '/') => (depth, here) = (depth - 1, here + 2),
            _ => here += 1,
        }
    }
    text.len()
}

fn string_end(text: &[char], quote: usize) -> usize {
    let mut here = quote + 1;
    while here < text.len() {
        match text[here] {
            '\\' => here += 2,
            '"' => return here + 1,
            _ => here += 1,
        }
    }
    text.len()
}

/// `'x'` and `'\n'` are characters; `'a` is a lifetime and stays.
fn character_end(text: &[char], quote: usize) -> usize {
    match (text.get(quote + 1), text.get(quote + 2)) {
        (Some('\\'), _) => {
            let rest = text.get(quote + 3..).unwrap_or_default();
            rest.iter().position(|&letter| letter == '\'').map_or(text.len(), |length| quote + 4 + length)
        }
        (Some(_), Some('\'')) => quote + 3,
        _ => quote,
    }
}

/// `b'x'`, `b"…"`, `c"…"`, `r"…"`, `r#"…"#`, `br#"…"#`; an identifier such as `r#type` stays.
fn prefixed_end(text: &[char], at: usize) -> usize {
    let letters = text[at..].iter().take(2).take_while(|letter| matches!(letter, 'r' | 'b' | 'c')).count();
    let raw = text[at..at + letters].contains(&'r');
    let hashes = text[at + letters..].iter().take_while(|&&letter| letter == '#').count();
    let quote = at + letters + hashes;
    match text.get(quote) {
        Some('"') if raw => raw_string_end(text, quote, hashes),
        Some('"') if hashes == 0 => string_end(text, quote),
        Some('\'') if hashes == 0 && text[at] == 'b' && letters == 1 => character_end(text, quote),
        _ => at,
    }
}

fn raw_string_end(text: &[char], quote: usize, hashes: usize) -> usize {
    let mut here = quote + 1;
    while here < text.len() {
        let closing =
            text[here] == '"' && text[here + 1..].iter().take(hashes).filter(|&&letter| letter == '#').count() == hashes;
        if closing {
            return here + 1 + hashes;
        }
        here += 1;
    }
    text.len()
}
