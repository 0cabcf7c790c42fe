//! What the rules ask of masked code: its functions, its test regions, its words.

/// A function with a body: its name and its first and last line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub first: usize,
    pub last: usize,
}

/// Every function with a body, nested ones too.
pub fn functions(masked: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in words(masked).filter(|&(_, word)| word == "fn") {
        let rest = masked[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|&letter| is_word(letter)).collect();
        // `fn(u8) -> u8` is a type and `fn $name` belongs to a macro.
        let Some(open) = (!name.is_empty()).then(|| body_start(masked, at)).flatten() else { continue };
        let last = line_of(masked, block_end(masked, open));
        found.push(Function { name, first: line_of(masked, at), last });
    }
    found
}

/// The lines of items under `#[cfg(test)]`, as ranges that include both ends.
pub fn test_regions(masked: &str) -> Vec<(usize, usize)> {
    let mut regions = Vec::new();
    let mut from = 0;
    while let Some(found) = masked[from..].find("#[cfg(test)]") {
        let start = from + found;
        let after = start + "#[cfg(test)]".len();
        let end = body_start(masked, after).map_or_else(|| statement_end(masked, after), |open| block_end(masked, open));
        regions.push((line_of(masked, start), line_of(masked, end)));
        from = after;
    }
    regions
}

/// The lines of `while` and `loop` blocks: what polls a condition.
pub fn polling_loops(masked: &str) -> Vec<(usize, usize)> {
    let starts = words(masked).filter(|&(_, word)| word == "while" || word == "loop");
    let blocks = starts.filter_map(|(at, _)| body_start(masked, at).map(|open| (at, block_end(masked, open))));
    blocks.map(|(at, end)| (line_of(masked, at), line_of(masked, end))).collect()
}

/// Words of the code with their byte offsets.
pub fn words(masked: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    masked.split(|letter| !is_word(letter)).filter_map(move |word| {
        let here = at;
        // The separator that ended this word may be longer than a byte.
        let end = here + word.len();
        at = end + masked[end..].chars().next().map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((here, word))
    })
}

/// The line of a byte offset, counted from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}

/// Code without any white space, with the line each character came from: `a . b ( )` is found as `a.b()`.
pub fn squeezed(masked: &str) -> (String, Vec<usize>) {
    let mut line = 1;
    let mut text = String::new();
    let mut lines = Vec::new();
    let mut gap = false;
    for letter in masked.chars() {
        if letter == '\n' {
            line += 1;
        }
        if letter.is_whitespace() {
            gap = true;
            continue;
        }
        // Two words stay two words.
        if gap && is_word(letter) && text.ends_with(is_word) {
            text.push(' ');
            lines.push(line);
        }
        gap = false;
        text.push(letter);
        lines.extend(std::iter::repeat_n(line, letter.len_utf8()));
    }
    (text, lines)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The brace that opens the body of the item at `from`, or none when a semicolon comes first. Braces inside brackets, as in
/// `-> [u8; { N + 1 }]`, belong to the signature.
fn body_start(masked: &str, from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, letter) in masked[from..].char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(from + offset),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn statement_end(masked: &str, from: usize) -> usize {
    masked[from..].find(';').map_or(masked.len(), |offset| from + offset)
}

fn block_end(masked: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, letter) in masked[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + offset;
        }
    }
    masked.len()
}
