//! The coordinator as a program: how it starts, what it answers, what it survives.

mod daemon;
mod report;
mod start;
mod wire;
