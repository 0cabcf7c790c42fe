//! What goes wrong, and how it is mended.

use super::around::{Around, CenterAlarm, Happening, StationAlarm};
use super::center::{self, Death, DeathPhase, DeathPoint};
use super::chance::Chance;
use super::farm::Farm;
use super::network::Hostility;
use super::station;
use shared::time::Time;

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The coordinator's program is killed.
    KillCenter,
    /// It dies in a commit, or in the middle of what follows from one.
    KillInCommit,
    /// The coordinator's machine loses its power.
    DarkenCenter,
    /// The coordinator's program stands still.
    StallCenter,
    /// The loop that owns the coordinator's core stands still.
    StallDriver,
    /// The coordinator's disk is full, or broken.
    FailDisk,
    /// The coordinator's disk is slow.
    SlowDisk,
    /// Someone starts a coordinator from an old backup.
    OldBackup,
    /// The coordinator's wall clock jumps.
    JumpClock,
    /// A worker's daemon is killed.
    KillDaemon,
    /// A worker's machine loses its power.
    DarkenStation,
    /// A worker's daemon stands still; its tasks run on.
    StallDaemon,
    /// A worker's machine stands still.
    StallMachine,
    /// The process that holds a worker's attempts is killed.
    KillRunner,
    /// A worker is told to stop.
    StopDaemon,
    /// A worker loses its disk.
    LoseDisk,
    /// A connection breaks.
    Tear,
    /// A connection carries nothing any more, and neither end learns of it.
    Mute,
    /// Nothing gets through to some workers, or from them, or both.
    Partition,
    /// A worker's connections are slow.
    Lag,
    /// Frames are lost, doubled and held back.
    Hostile,
}

/// The end of a trouble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mend {
    /// The coordinator goes on.
    Center,
    /// A worker goes on.
    Station(usize),
    /// A worker's connections are as fast as usual.
    Fast(usize),
    /// Nobody touches frames any more.
    Peace,
    /// The old backup is put away, and the newest data is served again.
    NewestData,
    /// A worker dies because of what it runs.
    Kill(usize, Death),
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Trouble; 21] = [
        Trouble::KillCenter,
        Trouble::KillInCommit,
        Trouble::DarkenCenter,
        Trouble::StallCenter,
        Trouble::StallDriver,
        Trouble::FailDisk,
        Trouble::SlowDisk,
        Trouble::OldBackup,
        Trouble::JumpClock,
        Trouble::KillDaemon,
        Trouble::DarkenStation,
        Trouble::StallDaemon,
        Trouble::StallMachine,
        Trouble::KillRunner,
        Trouble::StopDaemon,
        Trouble::LoseDisk,
        Trouble::Tear,
        Trouble::Mute,
        Trouble::Partition,
        Trouble::Lag,
        Trouble::Hostile,
    ];

    /// One of these, by how often each strikes.
    pub fn drawn(chance: &mut Chance, all: &[(Trouble, f64)]) -> Option<Trouble> {
        let whole: f64 = all.iter().map(|(_, weight)| weight).sum();
        let mut left = chance.share() * whole;
        all.iter()
            .find(|(_, weight)| {
                left -= weight;
                left < 0.0
            })
            .map(|(trouble, _)| *trouble)
    }
}

/// Lets a trouble strike.
pub fn strike(farm: &mut Farm, chance: &mut Chance, trouble: Trouble) {
    let at = chance.below(farm.stations.len());
    let around = &mut farm.around;
    around.trace.note(around.now, &[6, trouble as u64, at as u64], || format!("trouble: {trouble:?} (w{at})"));
    match trouble {
        Trouble::KillCenter | Trouble::DarkenCenter | Trouble::KillInCommit => strike_center(farm, chance, trouble),
        Trouble::StallCenter | Trouble::StallDriver | Trouble::FailDisk | Trouble::SlowDisk => slow_center(farm, chance, trouble),
        Trouble::OldBackup => farm.serve_old_backup(chance),
        Trouble::JumpClock => {
            let days = if farm.around.setting.wall_jumps { chance.share() * 2.0 - 1.0 } else { 0.0 };
            farm.center.wall_error_ms += (days * 86_400e3) as i64;
        }
        Trouble::KillDaemon => kill(farm, chance, at, Death::Killed),
        Trouble::DarkenStation => kill(farm, chance, at, Death::PowerLost),
        Trouble::StallDaemon => stall_station(farm, chance, at, false),
        Trouble::StallMachine => stall_station(farm, chance, at, true),
        Trouble::KillRunner if farm.stations[at].is_frozen() => {}
        Trouble::KillRunner => farm.stations[at].kill_runner(&mut farm.around),
        Trouble::StopDaemon => farm.stations[at].happened(&mut farm.around, worker_core::Event::ShutDown),
        Trouble::LoseDisk => {
            // An old backup may command a worker that remembers nothing: that is beyond what epochs can fence.
            if !farm.around.witness.is_impostor {
                kill(farm, chance, at, Death::PowerLost);
                farm.stations[at].forget_all();
                farm.around.witness.forgot_all(at);
                farm.around.sights.see(super::sights::Sight::WorkerForgot);
            }
        }
        Trouble::Tear | Trouble::Mute => {
            if let Some(wire) = around.network.newest_of(at) {
                if trouble == Trouble::Tear {
                    around.tear(wire);
                } else {
                    let (up, down) = *chance.pick(&[(true, true), (true, false), (false, true)]);
                    around.network.mute(wire, up, down);
                }
            }
        }
        Trouble::Partition => partition(farm, chance),
        Trouble::Lag => {
            around.network.slow(at, chance.span(5.0, 500.0).as_secs_f64());
            let end = around.now + chance.span(5.0, 120.0);
            around.clockwork.set(end, Happening::Mend(Mend::Fast(at)));
        }
        Trouble::Hostile => {
            let most = chance.span(0.001, 0.1).as_secs_f64();
            let mut share = || most * chance.share();
            around.network.hostility = Hostility { drop: share(), double: share(), delay: share() };
            let end = around.now + chance.span(10.0, 600.0);
            around.clockwork.set(end, Happening::Mend(Mend::Peace));
        }
    }
}

fn strike_center(farm: &mut Farm, chance: &mut Chance, trouble: Trouble) {
    // An old backup that is started again as often as the newest data was would be of the same epoch: see docs/chaos.md.
    if !farm.center.is_alive() || farm.around.witness.is_impostor {
        return;
    }
    if trouble == Trouble::KillInCommit {
        let at = match chance.below(3) {
            0 => DeathPhase::BeforeWrite,
            1 => DeathPhase::AfterWrite,
            _ => DeathPhase::AfterEffects(chance.below(6)),
        };
        farm.center.dies = Some(DeathPoint { after: chance.below(20) as u64, at });
        return;
    }
    let death = if trouble == Trouble::DarkenCenter { Death::PowerLost } else { Death::Killed };
    farm.center.die(&mut farm.around, death);
    let back = farm.around.now + chance.span(0.05, 60.0);
    farm.around.clockwork.set(back, Happening::Center(0, CenterAlarm::Start));
}

fn slow_center(farm: &mut Farm, chance: &mut Chance, trouble: Trouble) {
    let now = farm.around.now;
    let until = now + chance.span(0.2, 60.0);
    match trouble {
        Trouble::FailDisk => farm.center.disk.fails_until = until,
        Trouble::SlowDisk => farm.center.disk.slow_until = now + chance.span(2.0, 120.0),
        _ if farm.center.is_stalled() || !farm.center.is_alive() => {}
        Trouble::StallDriver => stall_center(farm, until, center::Stall::Driver),
        _ => stall_center(farm, until, center::Stall::Program),
    }
}

fn stall_center(farm: &mut Farm, until: Time, stall: fn(Time) -> center::Stall) {
    farm.center.stall(farm.around.now, stall(until));
    farm.around.clockwork.set(until, Happening::Mend(Mend::Center));
}

/// A worker dies and comes back after a while.
fn kill(farm: &mut Farm, chance: &mut Chance, at: usize, death: Death) {
    if death == Death::Killed && farm.stations[at].is_frozen() {
        return;
    }
    let was_alive = farm.stations[at].is_alive();
    farm.kill_station(at, death);
    if was_alive {
        let back = farm.around.now + chance.span(0.1, 120.0);
        farm.around.clockwork.set(back, Happening::Station(at, 0, StationAlarm::Start));
    }
}

fn stall_station(farm: &mut Farm, chance: &mut Chance, at: usize, is_whole: bool) {
    let station = &mut farm.stations[at];
    if station.is_stalled() || !station.is_alive() {
        return;
    }
    let since = farm.around.now;
    let until = since + chance.span(0.5, 120.0);
    station.stall(if is_whole { station::Stall::Machine { since, until } } else { station::Stall::Daemon(until) });
    if is_whole {
        farm.around.witness.freezes(since, at, true);
    }
    farm.around.clockwork.set(until, Happening::Mend(Mend::Station(at)));
}

fn partition(farm: &mut Farm, chance: &mut Chance) {
    let until = farm.around.now + chance.span(0.5, 120.0);
    let (up, down) = *chance.pick(&[(true, true), (true, true), (true, false), (false, true)]);
    let share = *chance.pick(&[0.3, 0.6, 1.0]);
    for station in 0..farm.stations.len() {
        if chance.hits(share) {
            farm.around.network.hold(station, up, down, until);
        }
    }
}

/// Ends a trouble.
pub fn mend(farm: &mut Farm, mend: Mend) {
    let around = &mut farm.around;
    match mend {
        Mend::Center if farm.center.is_stalled() => farm.center.go_on_after_stall(around),
        Mend::Station(at) if farm.stations[at].is_stalled() => farm.wake_station(at),
        Mend::Fast(at) => around.network.slow(at, 1.0),
        Mend::Peace => around.network.hostility = Hostility::default(),
        Mend::NewestData => farm.serve_newest_data(),
        Mend::Kill(at, death) => {
            farm.kill_station(at, death);
            let back = farm.around.chance.span(1.0, 60.0);
            let back = farm.around.now + back;
            farm.around.clockwork.set(back, Happening::Station(at, 0, StationAlarm::Start));
        }
        Mend::Center | Mend::Station(_) => {}
    }
}

/// Sets when the next trouble strikes.
pub fn set_next(around: &mut Around, chance: &mut Chance) {
    let next = around.now + chance.until_next(around.setting.trouble_every_s);
    around.clockwork.set(next, Happening::Trouble);
}
