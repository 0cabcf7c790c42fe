//! Bounds against hand-computed cases, the best schedule found by trying all, and the simple bounds.

use super::*;
use HardwareKind::{Cpu, Cuda};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

fn worker(slots: f64, speed: &[(HardwareKind, f64)]) -> WorkerClass {
    WorkerClass {
        count: 1,
        slots,
        memory_gb: None,
        gpu_memory_gb: 0.0,
        speed: speed.to_vec(),
        idle_w: 10.0,
        busy_w: 110.0,
        joins_s: 0.0,
        leaves_s: f64::INFINITY,
    }
}

fn task(release_s: f64, cpu: f64) -> Task {
    Task { release_s, cores: 1.0, memory_gb: 0.0, gpu_memory_gb: 0.0, seconds: vec![(Cpu, cpu)] }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs().max(1.0)
}

fn unit(random: &mut Pcg64) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn below(random: &mut Pcg64, n: u64) -> u64 {
    random.next_u64() % n
}

/// Small workers and tasks with few distinct numbers, so that ties and tasks that fit nowhere occur.
fn tiny(random: &mut Pcg64, most_tasks: u64, memory: bool) -> (Vec<WorkerClass>, Vec<Task>) {
    let workers = (0..1 + below(random, 3)).map(|_| {
        let speed = [(Cpu, 0.5 + 0.5 * below(random, 4) as f64), (Cuda, 1.0 + below(random, 3) as f64)];
        let kinds = 1 + below(random, 2) as usize;
        let mut one = worker(1.0 + below(random, 2) as f64, &speed[..kinds]);
        one.gpu_memory_gb = 8.0;
        one.memory_gb = memory.then(|| 4.0 + 4.0 * below(random, 2) as f64);
        one
    });
    let workers: Vec<WorkerClass> = workers.collect();
    let tasks = (0..1 + below(random, most_tasks)).map(|_| {
        let mut one = task(2.0 * below(random, 4) as f64, 1.0 + below(random, 9) as f64);
        one.seconds.push((Cuda, 1.0 + 3.0 * unit(random)));
        one.cores = if memory { 1.0 + below(random, 2) as f64 } else { 1.0 };
        one.memory_gb = if memory { 3.0 * below(random, 3) as f64 } else { 0.0 };
        one.gpu_memory_gb = if memory { 3.0 * below(random, 4) as f64 } else { 0.0 };
        one
    });
    (workers, tasks.collect())
}

/// A task that was placed: where, from when until when, and what it holds there.
type Placed = (usize, f64, f64, Amounts);

/// Whether a worker has room from `at` on for a task that is the last to be placed.
fn fits(placed: &[Placed], worker: usize, has: Amounts, at: f64, end: f64, takes: Amounts) -> bool {
    let moments = placed.iter().map(|p| p.1).filter(|start| *start > at && *start < end).chain([at]);
    moments.into_iter().all(|moment| {
        let held = placed.iter().filter(|p| p.0 == worker && p.1 <= moment && moment < p.2);
        (0..3).all(|r| held.clone().map(|p| p.3[r]).sum::<f64>() + takes[r] <= has[r] + 1e-9)
    })
}

/// The least makespan without interruptions: every order of tasks, each placed in every way as early as it fits.
fn optimum(capacity: &[Amounts], work: &[(f64, Vec<Offer>)], left: &mut Vec<usize>, placed: &mut Vec<Placed>, best: &mut f64) {
    let end = placed.iter().map(|p| p.2).fold(0.0, f64::max);
    if end >= *best {
        return;
    }
    if left.is_empty() {
        *best = end;
        return;
    }
    for i in 0..left.len() {
        let at = left.swap_remove(i);
        let (release, offers) = &work[at];
        for offer in offers {
            let mut starts: Vec<f64> = placed.iter().map(|p| p.2).filter(|end| end > release).chain([*release]).collect();
            starts.sort_by(f64::total_cmp);
            let has = capacity[offer.class];
            let start = starts.into_iter().find(|s| fits(placed, offer.class, has, *s, s + offer.seconds, offer.takes));
            let start = start.expect("after everything else there is room");
            placed.push((offer.class, start, start + offer.seconds, offer.takes));
            optimum(capacity, work, left, placed, best);
            placed.pop();
        }
        left.push(at);
        let last = left.len() - 1;
        left.swap(i, last);
    }
}

/// The best makespan of all schedules without interruptions, for workers that are each a class; nothing if no task can run.
fn best_makespan(workers: &[WorkerClass], tasks: &[Task]) -> Option<f64> {
    let work: Vec<(f64, Vec<Offer>)> =
        tasks.iter().map(|t| (t.release_s, offers(workers, t).0)).filter(|(_, offers)| !offers.is_empty()).collect();
    if work.is_empty() {
        return None;
    }
    let capacity: Vec<Amounts> = workers.iter().map(capacity).collect();
    let mut best = f64::INFINITY;
    optimum(&capacity, &work, &mut (0..work.len()).collect(), &mut Vec::new(), &mut best);
    let first = tasks.iter().map(|t| t.release_s).fold(f64::INFINITY, f64::min);
    Some(best - first)
}

/// The two simple bounds that anyone can compute: a task alone, and slot-seconds over slots for every suffix of releases.
fn simple(workers: &[WorkerClass], tasks: &[Task]) -> f64 {
    let first = tasks.iter().map(|t| t.release_s).fold(f64::INFINITY, f64::min);
    let slots: f64 = workers.iter().map(|w| f64::from(w.count) * w.slots).sum();
    let mut runnable: Vec<(f64, f64, f64)> = Vec::new();
    for t in tasks {
        let best = offers(workers, t).0.iter().map(|o| o.seconds).fold(f64::INFINITY, f64::min);
        if best.is_finite() {
            runnable.push((t.release_s, best, t.cores));
        }
    }
    runnable.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut area, mut bound) = (0.0, 0.0_f64);
    for (release, best, cores) in runnable {
        area += best * cores;
        bound = bound.max(release + best - first).max(release + area / slots - first);
    }
    bound
}

#[test]
fn no_schedule_of_a_tiny_instance_beats_the_bound() {
    let mut random = Pcg64::seed_from_u64(1);
    let (mut sum, mut seen) = (0.0, 0.0);
    for _ in 0..300 {
        let (workers, tasks) = tiny(&mut random, 6, false);
        let Some(best) = best_makespan(&workers, &tasks) else { continue };
        let found = bound(&workers, &tasks);
        assert!(found.makespan_s <= best, "{found:?} is above {best} for {workers:?} {tasks:?}");
        sum += found.makespan_s / best;
        seen += 1.0;
    }
    assert!(sum / seen > 0.9, "on average the bound is only {} of the optimum", sum / seen);
}

#[test]
fn no_schedule_beats_the_bound_where_memory_is_short() {
    let mut random = Pcg64::seed_from_u64(2);
    let mut seen = 0;
    for _ in 0..300 {
        let (workers, tasks) = tiny(&mut random, 5, true);
        let Some(best) = best_makespan(&workers, &tasks) else { continue };
        let found = bound(&workers, &tasks);
        assert!(found.makespan_s <= best, "{found:?} is above {best} for {workers:?} {tasks:?}");
        seen += 1;
    }
    assert!(seen > 200);
}

#[test]
fn prices_that_nobody_optimised_prove_no_more_than_the_truth() {
    let mut random = Pcg64::seed_from_u64(6);
    let mut positive = 0;
    for _ in 0..300 {
        let (workers, tasks) = tiny(&mut random, 5, true);
        let Some(best) = best_makespan(&workers, &tasks) else { continue };
        let first = tasks.iter().map(|t| t.release_s).fold(f64::INFINITY, f64::min);
        let (capacity, work): (Vec<Amounts>, _) = (workers.iter().map(capacity).collect(), group(&workers, &tasks));
        let cut = Intervals::new(&capacity, &work, work[0].release_s, ROWS_MAX).expect("the instance is small");
        let mut random_price = || unit(&mut random).powi(3);
        let resource =
            cut.starts.iter().map(|_| capacity.iter().map(|_| [0.0; 3].map(|_: f64| random_price())).collect()).collect();
        let own = cut.first.iter().map(|first| (*first..cut.starts.len()).map(|_| random_price()).collect()).collect();
        let end = cut.certify(&intervals::Solution { resource, own }).expect("there is a price");
        assert!(end - first <= best * (1.0 + 1e-9), "{} is above {best} for {workers:?} {tasks:?}", end - first);
        positive += usize::from(end > first);
    }
    assert!(positive > 100, "only {positive} of 300 proved anything");
}

fn random_large(random: &mut Pcg64, tasks: usize, releases: u64) -> (Vec<WorkerClass>, Vec<Task>) {
    let workers = (0..4).map(|_| {
        let mut one = worker(2.0 + below(random, 7) as f64, &[(Cpu, 0.5 + unit(random)), (Cuda, 1.0)]);
        one.count = 1 + below(random, 5) as u32;
        one.memory_gb = Some(16.0 + 16.0 * below(random, 4) as f64);
        one.gpu_memory_gb = 8.0 * below(random, 4) as f64;
        one
    });
    let workers: Vec<WorkerClass> = workers.collect();
    let tasks = (0..tasks).map(|_| {
        let cpu = (unit(random) * 5.0).exp();
        let mut one = task(10.0 * below(random, releases) as f64, cpu);
        one.seconds.push((Cuda, cpu * (0.2 + unit(random))));
        (one.cores, one.memory_gb) = (1.0 + below(random, 3) as f64, below(random, 20) as f64);
        one.gpu_memory_gb = below(random, 12) as f64;
        one
    });
    (workers, tasks.collect())
}

#[test]
fn the_bound_is_at_least_every_simple_one() {
    let mut random = Pcg64::seed_from_u64(3);
    for (size, releases) in [(5, 3), (30, 10), (300, 1), (300, 100)] {
        for _ in 0..3 {
            let (workers, tasks) = random_large(&mut random, size, releases);
            let (found, simple) = (bound(&workers, &tasks), simple(&workers, &tasks));
            assert!(found.makespan_s >= simple * (1.0 - 1e-8), "{found:?} is below {simple}");
        }
    }
}

#[test]
fn one_more_task_never_lowers_the_bound() {
    let mut random = Pcg64::seed_from_u64(4);
    for _ in 0..40 {
        let (workers, mut tasks) = tiny(&mut random, 8, true);
        tasks.push(task(0.0, 0.5));
        let before = bound(&workers, &tasks);
        tasks.push(task(below(&mut random, 6) as f64, 1.0 + below(&mut random, 5) as f64));
        let after = bound(&workers, &tasks);
        assert!(after.makespan_s >= before.makespan_s * (1.0 - 1e-7), "{before:?} {after:?}");
        assert!(after.energy_j >= before.energy_j * (1.0 - 1e-7), "{before:?} {after:?}");
    }
}

#[test]
fn the_linear_program_is_at_least_the_prices_and_both_agree_where_tasks_are_short() {
    let mut random = Pcg64::seed_from_u64(5);
    for _ in 0..10 {
        let (workers, tasks) = random_large(&mut random, 40, 3);
        let capacity: Vec<Amounts> = workers.iter().map(super::capacity).collect();
        let work = group(&workers, &tasks);
        let (prices, start) = suffix::end(&capacity, &work);
        let program = by_program(&capacity, &work, start).expect("the instance is small");
        assert!(program >= prices * (1.0 - 1e-7), "{program} {prices}");
        let longest = work.iter().map(|w| w.release_s + w.fastest()).fold(0.0, f64::max);
        assert!(program <= prices.max(longest) * 1.2, "{program} {prices} {longest}");
    }
}

#[test]
fn equal_tasks_share_slots_evenly() {
    let found = bound(&[worker(4.0, &[(Cpu, 2.0)])], &vec![task(0.0, 6.0); 8]);
    assert!(close(found.makespan_s, 6.0), "{found:?}");
    // 8 tasks of 3 s at 25 W a slot, and 10 W for 6 s.
    assert!(close(found.energy_j, 8.0 * 3.0 * 25.0 + 60.0), "{found:?}");
}

#[test]
fn a_task_runs_in_one_place_at_a_time() {
    // Prices alone say 1.5 s (a quarter of the task on the slow worker); it takes 2 s on the fast one.
    let alone = bound(&[worker(1.0, &[(Cpu, 3.0)]), worker(1.0, &[(Cpu, 1.0)])], &[task(0.0, 6.0)]);
    assert!(close(alone.makespan_s, 2.0) && alone.how == "longest task", "{alone:?}");
    // Two of them: the fast worker does three quarters of the work, 3 s, and the slow one the rest in as long.
    let both = bound(&[worker(1.0, &[(Cpu, 3.0)]), worker(1.0, &[(Cpu, 1.0)])], &[task(0.0, 6.0), task(0.0, 6.0)]);
    assert!(close(both.makespan_s, 3.0), "{both:?}");
    // Three tasks of 1 s on two workers, interrupted: 1.5 s (McNaughton).
    let three = bound(&[worker(1.0, &[(Cpu, 1.0)]), worker(1.0, &[(Cpu, 1.0)])], &vec![task(0.0, 1.0); 3]);
    assert!(close(three.makespan_s, 1.5), "{three:?}");
}

#[test]
fn what_is_released_late_cannot_end_early() {
    // One slot: 1 s at 0, then 4 s of work at 10: ends at 14. The first release is at 0.
    let tasks = [task(0.0, 1.0), task(10.0, 2.0), task(10.0, 2.0)];
    let found = bound(&[worker(1.0, &[(Cpu, 1.0)])], &tasks);
    assert!(close(found.makespan_s, 14.0), "{found:?}");
    // The same later: the makespan counts from the first release.
    let later: Vec<Task> = tasks.iter().map(|t| task(t.release_s + 5.0, t.seconds[0].1)).collect();
    assert!(close(bound(&[worker(1.0, &[(Cpu, 1.0)])], &later).makespan_s, 14.0));
}

#[test]
fn device_memory_counts_only_where_a_kind_has_its_own() {
    let mut gpu = worker(4.0, &[(Cuda, 1.0)]);
    gpu.gpu_memory_gb = 10.0;
    let mut one = task(0.0, 1000.0);
    (one.seconds, one.gpu_memory_gb) = (vec![(Cuda, 3.0)], 5.0);
    // Two at a time fit on the device although there are four slots.
    let found = bound(&[gpu.clone()], &vec![one.clone(); 4]);
    assert!(close(found.makespan_s, 6.0), "{found:?}");
    one.seconds = vec![(Cpu, 3.0)];
    gpu.speed = vec![(Cpu, 1.0)];
    assert!(close(bound(&[gpu], &vec![one; 4]).makespan_s, 3.0));
}

#[test]
fn tasks_that_fit_nowhere_add_nothing() {
    let mut wide = task(0.0, 100.0);
    wide.cores = 3.0;
    let two = WorkerClass { count: 2, ..worker(2.0, &[(Cpu, 1.0)]) };
    let found = bound(std::slice::from_ref(&two), &[wide.clone(), task(4.0, 2.0)]);
    assert!(close(found.makespan_s, 6.0), "{found:?}");
    assert_eq!(bound(std::slice::from_ref(&two), &[wide]).makespan_s, 0.0);
    assert_eq!(bound(&[two], &[]).makespan_s, 0.0);
}

#[test]
fn workers_draw_power_only_while_they_are_there() {
    let late = WorkerClass { joins_s: 4.0, leaves_s: 6.0, ..worker(1.0, &[(Cpu, 1.0)]) };
    let found = bound(&[worker(1.0, &[(Cpu, 1.0)]), late], &vec![task(0.0, 10.0); 2]);
    // Ten seconds of work on each at 100 W more than idle; idle for 10 s and for 2 s at 10 W.
    assert!(close(found.energy_j, 2000.0 + 100.0 + 20.0), "{found:?}");
}
