//! Placement strategies, one a file, and the table of their names.

mod adaptive;
mod consistent_hashing;
mod constraint;
mod cost_aware;
mod dynamic;
mod dynamic_capacity;
mod fifo;
mod fixed_threshold;
mod genetic;
mod latency_based;
mod least_connections;
mod least_response_time;
mod least_work;
mod longest_first;
mod power_of_two;
mod push;
mod queue_length;
mod random;
mod resource_aware;
mod round_robin;
mod seed_v1;
mod smart_adaptive;
mod weighted_round_robin;
mod window;
mod work_stealing;

use crate::plan::Policy;
pub use adaptive::Adaptive;
pub use fifo::Fifo;
pub use longest_first::LongestFirst;

/// A policy as it is offered.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// The name under which it is chosen.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    make: fn() -> Box<dyn Policy>,
}

impl Listed {
    /// The policy, knowing nothing yet.
    pub fn make(&self) -> Box<dyn Policy> {
        (self.make)()
    }
}

const fn listed(name: &'static str, about: &'static str, make: fn() -> Box<dyn Policy>) -> Listed {
    Listed { name, about, make }
}

/// A box with the policy of that type as it begins.
fn fresh<P: Policy + Default + 'static>() -> Box<dyn Policy> {
    Box::new(P::default())
}

/// All policies, the default first.
pub const ALL: [Listed; 23] = [
    listed("adaptive", "prices of hardware, late binding, migration by cost and benefit (the default)", fresh::<Adaptive>),
    listed("longest_first", "one queue; the longest task to the emptiest worker", || Box::new(LongestFirst)),
    listed("fifo", "one queue; the first task to the first worker with room", || Box::new(Fifo)),
    listed("round_robin", "each worker gets its turn", fresh::<round_robin::RoundRobin>),
    listed("weighted_round_robin", "turns in proportion to slots times speed", fresh::<weighted_round_robin::WeightedRoundRobin>),
    listed("least_connections", "the worker with the fewest tasks per slot", fresh::<least_connections::LeastConnections>),
    listed("random", "any worker that can run the task", fresh::<random::Random>),
    listed("power_of_two", "the less loaded of two workers taken at random", fresh::<power_of_two::PowerOfTwo>),
    listed("least_work", "the worker on which the task is expected to end first", fresh::<least_work::LeastWork>),
    listed("least_response_time", "the worker that answered soonest lately", fresh::<least_response_time::LeastResponseTime>),
    listed(
        "consistent_hashing",
        "the worker follows from the number of the task",
        fresh::<consistent_hashing::ConsistentHashing>,
    ),
    listed("dynamic_capacity", "the best score of load, queue, response and errors", fresh::<dynamic_capacity::DynamicCapacity>),
    listed("queue_length", "the worker with the fewest tasks that wait", fresh::<queue_length::QueueLength>),
    listed(
        "resource_aware",
        "the worker with the most processor, memory and device free",
        fresh::<resource_aware::ResourceAware>,
    ),
    listed("latency_based", "the worker that answered the client's location soonest", fresh::<latency_based::LatencyBased>),
    listed("cost_aware", "the most performance for the price, within the budget", fresh::<cost_aware::CostAware>),
    listed("smart_adaptive", "a predictor that learns from every task that ends", fresh::<smart_adaptive::SmartAdaptive>),
    listed("dynamic", "resource_aware, latency_based, cost_aware or smart_adaptive, as suits", fresh::<dynamic::Dynamic>),
    listed("work_stealing", "turns, and idle workers steal half of the longest queue", fresh::<work_stealing::WorkStealing>),
    listed("fixed_threshold", "the traditional balancer: thresholds that never move", fresh::<fixed_threshold::FixedThreshold>),
    listed("seed_v1", "the published adaptive balancer, exactly", fresh::<seed_v1::SeedV1>),
    listed("genetic", "a small genetic search over the next 64 tasks", fresh::<genetic::Genetic>),
    listed("constraint", "the next 12 tasks and the free slots, solved by branch and bound", fresh::<constraint::Constraint>),
];

/// The names of all policies, the default first.
pub const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < ALL.len() {
        names[at] = ALL[at].name;
        at += 1;
    }
    names
};

/// The policy of this name.
pub fn by_name(name: &str) -> Option<Box<dyn Policy>> {
    ALL.iter().find(|listed| listed.name == name).map(Listed::make)
}
