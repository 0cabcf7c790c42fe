//! Bugs on purpose: the tests of the tests. A build with `--cfg planted` can switch one of them on, and what watches must see it;
//! in every other build [`bug`] is false for ever and costs nothing.

/// Whether the bug of this number is switched on.
#[cfg(not(planted))]
pub const fn bug(_number: u8) -> bool {
    false
}

#[cfg(planted)]
thread_local! {
    static PLANTED: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

/// Whether the bug of this number is switched on in this thread.
#[cfg(planted)]
pub fn bug(number: u8) -> bool {
    PLANTED.get() == number
}

/// Switches this bug on in this thread, and every other one off; 0 switches all off.
#[cfg(planted)]
pub fn plant(number: u8) {
    PLANTED.set(number);
}
