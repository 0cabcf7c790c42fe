//! The rows of any query, as text and numbers: for analyses that hand figures on rather than draw them.

use crate::{Database, QueryError};
use duckdb::types::ValueRef;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not known.
    Unknown,
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// Yes or no.
    Truth(bool),
    /// Text.
    Text(String),
}

/// Columns and rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// Whether there were more rows than were asked for.
    pub is_cut: bool,
}

impl Database {
    /// At most `limit` rows of `sql`, whose columns are numbers, text or truths.
    ///
    /// # Errors
    /// The query is refused, or a column holds something else.
    pub fn listing(&self, sql: &str, limit: usize) -> Result<Listing, QueryError> {
        let read = || {
            let mut statement = self.connection.prepare(&format!("SELECT * FROM ({sql}) LIMIT {}", limit.saturating_add(1)))?;
            let mut rows = statement.query([])?;
            let columns = rows.as_ref().map(duckdb::Statement::column_names).unwrap_or_default();
            let mut read_rows = Vec::new();
            while let Some(row) = rows.next()? {
                read_rows.push((0..columns.len()).map(|at| cell(at, row.get_ref(at)?)).collect::<duckdb::Result<Vec<_>>>()?);
            }
            let is_cut = read_rows.len() > limit;
            read_rows.truncate(limit);
            Ok(Listing { columns, rows: read_rows, is_cut })
        };
        read().map_err(|source| QueryError::new("listing the rows of an analysis", source))
    }
}

fn cell(at: usize, value: ValueRef<'_>) -> duckdb::Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Unknown,
        ValueRef::Boolean(truth) => Cell::Truth(truth),
        ValueRef::Int(whole) => Cell::Whole(i64::from(whole)),
        ValueRef::BigInt(whole) => Cell::Whole(whole),
        ValueRef::UBigInt(whole) => Cell::Whole(i64::try_from(whole).unwrap_or(i64::MAX)),
        ValueRef::HugeInt(whole) => Cell::Whole(i64::try_from(whole).unwrap_or(i64::MAX)),
        ValueRef::Float(number) => Cell::Number(f64::from(number)),
        // A quotient by nothing is no figure.
        ValueRef::Double(number) if !number.is_finite() => Cell::Unknown,
        ValueRef::Double(number) => Cell::Number(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        other => return Err(duckdb::Error::InvalidColumnType(at, "a column of an analysis".into(), other.data_type())),
    })
}
