//! What a task asks of a machine: `memory>=16GB && cores>=8 && (cuda || rocm)`.
//!
//! An expression is checked when it is written, evaluated against an inventory, and answers with the first condition a
//! machine does not meet. Its lower bounds on cores and memory are also what the task keeps to itself while it runs.

mod parse;

pub use parse::bytes;

use crate::hardware::{HardwareKind, Inventory};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A checked expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Requirement {
    text: String,
    expression: Expression,
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Comparison),
    Has(HardwareKind),
}

impl Default for Expression {
    fn default() -> Self {
        Expression::All(Vec::new())
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    name: Name,
    operator: Operator,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Name {
    Cores,
    Memory,
    GpuMemory,
    ComputeCapability,
    Os,
    Arch,
    Worker,
    Label(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Least,
    Most,
    More,
    Less,
    Equal,
    Unequal,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(f64),
    Bytes(u64),
    Text(String),
}

/// An expression that cannot be understood: what, where, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("requirement `{text}`: {problem}")]
pub struct InvalidRequirement {
    text: String,
    problem: String,
}

/// The first condition a machine does not meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unmet {
    /// The condition.
    pub needs: String,
    /// What the machine has instead.
    pub has: String,
}

/// What a task keeps to itself on a worker while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Demand {
    /// Processors.
    pub cores: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Memory of the device, in bytes, where the task runs on one that has its own.
    #[serde(default)]
    pub gpu_memory_bytes: u64,
}

impl Requirement {
    /// Whether any machine will do.
    pub fn is_nothing(&self) -> bool {
        self.text.is_empty()
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first condition that `worker` with this inventory does not meet; nothing when it can run the task.
    pub fn unmet(&self, worker: &str, inventory: &Inventory) -> Option<Unmet> {
        self.expression.unmet(&Machine { worker, inventory })
    }

    /// The lower bounds that hold whatever else is chosen: at least one core, and no memory unless asked for.
    pub fn demand(&self) -> Demand {
        let mut demand = Demand { cores: 1, ..Demand::default() };
        self.expression.raise(&mut demand);
        demand
    }

    /// The kind of hardware it asks for before all others: the first one named outside of an alternative.
    pub fn hardware(&self) -> Option<HardwareKind> {
        self.expression.hardware()
    }

    /// Both this and `other`.
    pub fn and(&self, other: &Requirement) -> Requirement {
        if self.is_nothing() || other.is_nothing() {
            return if self.is_nothing() { other.clone() } else { self.clone() };
        }
        Requirement {
            text: format!("({}) && ({})", self.text, other.text),
            expression: Expression::All(vec![self.expression.clone(), other.expression.clone()]),
        }
    }
}

struct Machine<'a> {
    worker: &'a str,
    inventory: &'a Inventory,
}

impl Expression {
    fn unmet(&self, machine: &Machine<'_>) -> Option<Unmet> {
        match self {
            Expression::All(parts) => parts.iter().find_map(|part| part.unmet(machine)),
            Expression::Any(parts) => {
                let all: Option<Vec<Unmet>> = parts.iter().map(|part| part.unmet(machine)).collect();
                let all = all?;
                let join = |pick: fn(&Unmet) -> &str| all.iter().map(pick).collect::<Vec<_>>();
                let mut has = join(|unmet| &unmet.has);
                has.dedup();
                Some(Unmet { needs: join(|unmet| &unmet.needs).join(" || "), has: has.join(", ") })
            }
            Expression::Not(part) => match part.unmet(machine) {
                Some(_) => None,
                None => Some(Unmet { needs: format!("!{part}"), has: part.to_string() }),
            },
            Expression::Compare(comparison) => comparison.unmet(machine),
            Expression::Has(kind) => {
                let mut found = machine.inventory.of_kind(*kind);
                found.next().is_none().then(|| {
                    let kinds: Vec<&str> = machine.inventory.devices.iter().map(|device| device.kind.name()).collect();
                    Unmet { needs: kind.name().into(), has: if kinds.is_empty() { "no device".into() } else { kinds.join(", ") } }
                })
            }
        }
    }

    fn hardware(&self) -> Option<HardwareKind> {
        match self {
            Expression::All(parts) => parts.iter().find_map(Expression::hardware),
            Expression::Has(kind) => Some(*kind),
            Expression::Any(_) | Expression::Not(_) | Expression::Compare(_) => None,
        }
    }

    fn raise(&self, demand: &mut Demand) {
        match self {
            Expression::All(parts) => parts.iter().for_each(|part| part.raise(demand)),
            Expression::Compare(comparison) => comparison.raise(demand),
            Expression::Any(_) | Expression::Not(_) | Expression::Has(_) => {}
        }
    }
}

impl Comparison {
    fn unmet(&self, machine: &Machine<'_>) -> Option<Unmet> {
        let inventory = machine.inventory;
        let found = match &self.name {
            Name::Cores => Some(Value::Number(f64::from(inventory.cores))),
            Name::Memory => Some(Value::Bytes(inventory.memory_bytes)),
            Name::GpuMemory => inventory.gpu_memory_bytes().map(Value::Bytes),
            Name::ComputeCapability => inventory
                .of_kind(HardwareKind::Cuda)
                .filter_map(|device| device.compute_capability)
                .max_by(f64::total_cmp)
                .map(Value::Number),
            Name::Os => Some(Value::Text(inventory.os.clone())),
            Name::Arch => Some(Value::Text(inventory.arch.clone())),
            Name::Worker => Some(Value::Text(machine.worker.into())),
            Name::Label(label) => inventory.labels.get(label).map(|text| Value::Text(text.clone())),
        };
        let met = found.as_ref().is_some_and(|found| self.operator.holds(found, &self.value))
            || (found.is_none() && self.operator == Operator::Unequal);
        (!met).then(|| Unmet {
            needs: self.to_string(),
            has: found.map_or_else(|| format!("no {}", self.name), |found| format!("{} {found}", self.name)),
        })
    }

    fn raise(&self, demand: &mut Demand) {
        let is_floor = matches!(self.operator, Operator::Least | Operator::More | Operator::Equal);
        match (&self.name, &self.value) {
            (Name::Cores, Value::Number(cores)) if is_floor => demand.cores = demand.cores.max(cores.ceil() as u32),
            (Name::Memory, Value::Bytes(bytes)) if is_floor => demand.memory_bytes = demand.memory_bytes.max(*bytes),
            _ => {}
        }
    }
}

impl Operator {
    fn holds(self, found: &Value, asked: &Value) -> bool {
        let order = match (found, asked) {
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => return false,
        };
        match self {
            Operator::Least => order.is_ge(),
            Operator::Most => order.is_le(),
            Operator::More => order.is_gt(),
            Operator::Less => order.is_lt(),
            Operator::Equal => order.is_eq(),
            Operator::Unequal => order.is_ne(),
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Operator::Least => ">=",
            Operator::Most => "<=",
            Operator::More => ">",
            Operator::Less => "<",
            Operator::Equal => "==",
            Operator::Unequal => "!=",
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Expression], with: &str| parts.iter().map(|part| part.to_string()).collect::<Vec<_>>().join(with);
        match self {
            Expression::All(parts) => write!(f, "({})", joined(parts, " && ")),
            Expression::Any(parts) => write!(f, "({})", joined(parts, " || ")),
            Expression::Not(part) => write!(f, "!{part}"),
            Expression::Compare(comparison) => comparison.fmt(f),
            Expression::Has(kind) => kind.fmt(f),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.operator.symbol(), self.value)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Cores => f.write_str("cores"),
            Name::Memory => f.write_str("memory"),
            Name::GpuMemory => f.write_str("gpu_memory"),
            Name::ComputeCapability => f.write_str("cuda.cc"),
            Name::Os => f.write_str("os"),
            Name::Arch => f.write_str("arch"),
            Name::Worker => f.write_str("worker"),
            Name::Label(label) => write!(f, "label.{label}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Bytes(bytes) => {
                let units: [(u64, &str); 4] =
                    [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
                match units.into_iter().find(|(unit, _)| bytes >= unit) {
                    Some((unit, name)) => write!(f, "{}{name}", (*bytes as f64 / unit as f64 * 100.0).round() / 100.0),
                    None => write!(f, "{bytes}B"),
                }
            }
        }
    }
}

impl FromStr for Requirement {
    type Err = InvalidRequirement;

    fn from_str(text: &str) -> Result<Self, InvalidRequirement> {
        let expression =
            parse::expression(text).map_err(|problem| InvalidRequirement { text: text.chars().take(200).collect(), problem })?;
        Ok(Self { text: text.trim().into(), expression })
    }
}

impl Serialize for Requirement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
