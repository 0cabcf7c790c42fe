//! The grammar: `any = all ("||" all)*`, `all = not ("&&" not)*`, `not = "!" not | "(" any ")" | condition`,
//! `condition = kind | name operator value`.

use super::{Comparison, Expression, Name, Operator, Value};
use crate::hardware::HardwareKind;

/// Parentheses and negations may nest this deep.
const DEPTH_MAX: u32 = 32;
/// An expression may be this long, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Understands a whole expression; the empty one asks for nothing.
pub fn expression(text: &str) -> Result<Expression, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("it is {} bytes long; {TEXT_BYTES_MAX} are allowed", text.len()));
    }
    if text.trim().is_empty() {
        return Ok(Expression::default());
    }
    let mut parser = Parser { rest: text };
    let found = parser.any(0)?;
    match parser.rest.trim_start() {
        "" => Ok(found),
        rest => Err(format!("expected `&&` or `||` before `{rest}`")),
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn any(&mut self, depth: u32) -> Result<Expression, String> {
        let mut parts = vec![self.all(depth)?];
        while self.take("||") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
    }

    fn all(&mut self, depth: u32) -> Result<Expression, String> {
        let mut parts = vec![self.not(depth)?];
        while self.take("&&") {
            parts.push(self.not(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
    }

    fn not(&mut self, depth: u32) -> Result<Expression, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it nests deeper than {DEPTH_MAX}"));
        }
        if self.take("!") {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            return if self.take(")") { Ok(inner) } else { Err("a `)` is missing".into()) };
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Expression, String> {
        let word = self.word(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if word.is_empty() {
            let rest = self.rest.trim_start();
            return Err(if rest.is_empty() {
                "it ends where a condition should follow".into()
            } else {
                format!("expected a condition at `{rest}`")
            });
        }
        let Some(operator) = self.operator() else {
            return HardwareKind::from_name(word).map(Expression::Has).ok_or_else(|| match name(word) {
                Ok(_) => format!("`{word}` needs a comparison, such as `{word}>=8`"),
                Err(problem) => problem,
            });
        };
        let name = name(word)?;
        let text = self.word(|c| c.is_ascii_alphanumeric() || "._-:/+".contains(c));
        let value = value(&name, text)?;
        if matches!(value, Value::Text(_)) && !matches!(operator, Operator::Equal | Operator::Unequal) {
            return Err(format!("`{name}` is text: compare it with `==` or `!=`"));
        }
        Ok(Expression::Compare(Comparison { name, operator, value }))
    }

    fn operator(&mut self) -> Option<Operator> {
        let all = [
            (">=", Operator::Least),
            ("<=", Operator::Most),
            ("==", Operator::Equal),
            ("!=", Operator::Unequal),
            (">", Operator::More),
            ("<", Operator::Less),
            ("=", Operator::Equal),
        ];
        all.into_iter().find_map(|(symbol, operator)| self.take(symbol).then_some(operator))
    }

    fn take(&mut self, symbol: &str) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start();
        let (word, rest) = rest.split_at(rest.find(|c| !belongs(c)).unwrap_or(rest.len()));
        self.rest = rest;
        word
    }
}

fn name(word: &str) -> Result<Name, String> {
    Ok(match word {
        "cores" | "cpu_cores" => Name::Cores,
        "memory" | "available_memory" => Name::Memory,
        "gpu_memory" | "vram" => Name::GpuMemory,
        "cuda.cc" => Name::ComputeCapability,
        "os" => Name::Os,
        "arch" => Name::Arch,
        "worker" => Name::Worker,
        _ => match word.strip_prefix("label.") {
            Some(label) if !label.is_empty() => Name::Label(label.into()),
            _ => {
                let kinds = HardwareKind::ALL.map(HardwareKind::name).join(", ");
                return Err(format!(
                    "nothing is known as `{word}`; ask for cores, memory, gpu_memory, cuda.cc, os, arch, worker, label.NAME or a kind of hardware ({kinds})"
                ));
            }
        },
    })
}

fn value(name: &Name, text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Err(format!("a value should follow `{name}`"));
    }
    match name {
        Name::Memory | Name::GpuMemory => bytes(text).map(Value::Bytes),
        Name::Cores | Name::ComputeCapability => match text.parse::<f64>() {
            Ok(number) if (0.0..=1e6).contains(&number) => Ok(Value::Number(number)),
            _ => Err(format!("`{text}` is not a number `{name}` can have, such as 8")),
        },
        Name::Os | Name::Arch | Name::Worker | Name::Label(_) => Ok(Value::Text(text.into())),
    }
}

/// The bytes in a size such as `512MB`, `16GB` or `16GiB`; else what is wrong with it.
pub fn bytes(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("`{text}` has no known unit; write a size as 512MB, 16GB or 16GiB")),
    };
    match number.parse::<f64>() {
        Ok(number) if (0.0..=1e15).contains(&(number * unit)) => Ok((number * unit) as u64),
        _ => Err(format!("`{text}` is not a size; write 512MB, 16GB or 16GiB")),
    }
}
