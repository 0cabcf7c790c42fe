//! Patterns that select exactly the named tests.

/// An expression that matches each of `names` and nothing else, in the dialect of CTest's `-R` and of Go's `-run`: both
/// take a backslash before any character that means something for that character itself.
pub fn exactly<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let escaped: Vec<String> = names.into_iter().map(escape).collect();
    format!("^({})$", escaped.join("|"))
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if r".[]()^$*+?|\{}".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_means_something_is_escaped() {
        assert_eq!(exactly(["a", "b.c"]), r"^(a|b\.c)$");
        assert_eq!(exactly(["x[1] (a|b) $^*+?{}\\"]), r"^(x\[1\] \(a\|b\) \$\^\*\+\?\{\}\\)$");
    }
}
