//! The clock of one machine: it never stands still and never goes back, but it may run too fast or too slow.

use shared::time::Time;

/// See the module. True time is what the simulation counts; what the dial shows is all a core ever sees.
#[derive(Debug, Clone, Copy)]
pub struct Dial {
    began: Time,
    shows: Time,
    ppm: i64,
}

impl Dial {
    /// A dial that shows `shows` at the true time `began`, and gains `ppm` microseconds each second from then on.
    pub fn new(began: Time, shows: Time, ppm: i64) -> Self {
        Self { began, shows, ppm }
    }

    /// The same clock as another machine's program reads it, which was started at `now` and counts from `shows`.
    pub fn restarted(self, now: Time, shows: Time) -> Self {
        Self::new(now, shows, self.ppm)
    }

    /// What it shows at a true time.
    pub fn shows(&self, now: Time) -> Time {
        let passed = i128::from(now.0.saturating_sub(self.began.0));
        let shown = passed + passed * i128::from(self.ppm) / 1_000_000;
        Time(self.shows.0 + u64::try_from(shown).expect("a clock gains or loses less than all of the time"))
    }

    /// The first true time at which it shows `shown` or later.
    pub fn when(&self, shown: Time) -> Time {
        let left = i128::from(shown.0.saturating_sub(self.shows.0));
        let passed = left * 1_000_000 / (1_000_000 + i128::from(self.ppm));
        let mut at = Time(self.began.0.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX >> 1)));
        while self.shows(at) < shown {
            at.0 += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_shows_a_time_no_earlier_than_it_is_waited_for() {
        for ppm in [-1000, -1, 0, 1, 1000] {
            let dial = Dial::new(Time(5_000_000), Time(77), ppm);
            for shown in [0, 77, 78, 1_000_000, 7_200_000_123] {
                let at = dial.when(Time(shown));
                assert!(dial.shows(at) >= Time(shown), "{ppm} ppm, {shown}");
                assert!(at == Time(5_000_000) || dial.shows(Time(at.0 - 2)) < Time(shown), "{ppm} ppm, {shown}: not before");
            }
        }
        assert_eq!(Dial::new(Time::ZERO, Time::ZERO, 1000).shows(Time(30_000_000)), Time(30_030_000));
    }
}
