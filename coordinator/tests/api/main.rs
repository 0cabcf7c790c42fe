//! The coordinator as a program: how it starts, what it answers, what it survives.

mod daemon;
mod live;
mod start;
mod traces;
mod wire;
