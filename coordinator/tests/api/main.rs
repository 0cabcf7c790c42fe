//! The coordinator as a program: how it starts, what it answers, what it survives.

mod daemon;
mod database;
mod live;
mod report;
mod salvage;
mod start;
mod traces;
mod wire;
