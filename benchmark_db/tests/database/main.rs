//! The database from outside: one program, so that its facts are written once.

mod append;
mod common;
mod conditions;
mod figures;
mod open;
mod views;
