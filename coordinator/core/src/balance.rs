//! What the coordinator does with its balancer: looks at set times, orders to spread work anew, statistics.

use crate::plan::Balance;
use crate::timers::Timer;
use crate::{Coordinator, Effect, Reply};
use shared::api::LoadBalancerStats;
use shared::fact::What;
use shared::time::Time;

impl Coordinator {
    /// What the balancer knows and what became of its moves (F144).
    pub fn load_balancer_stats(&self) -> LoadBalancerStats {
        let stats = self.balancer.stats();
        let in_flight: usize = self.state.fleet.iter().map(|(_, worker)| worker.reserved.len()).sum();
        let in_flight = in_flight as u64;
        let held_back = self.state.fleet.iter().filter(|(_, worker)| worker.is_open() && !worker.admits());
        let over = stats.migrations_initiated.saturating_sub(in_flight);
        LoadBalancerStats {
            policy: self.policy().into(),
            held_back: held_back.map(|(_, worker)| worker.name.to_string()).collect(),
            migrations_in_flight: in_flight,
            migration_success_rate: (over > 0).then(|| stats.migrations_successful as f64 / over as f64),
            ..stats
        }
    }

    /// Looks at the fleet, keeps what was found, and plans where it is uneven.
    pub(crate) fn sample(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.timers.set(now + self.check_interval(), Timer::Sample);
        for what in self.balancer.look(now, &self.state.fleet) {
            self.record(now, what, effects);
        }
        self.changed |= self.balancer.is_uneven();
    }

    /// Spreads work anew because someone says so (F93); the answer is how many running tasks move because of it.
    pub(crate) fn rebalance(&mut self, now: Time, effects: &mut Vec<Effect>) -> Reply {
        self.balancer.rebalance_count += 1;
        self.balancer.look_again(&self.state.fleet);
        let from = effects.len();
        self.ordered = true;
        self.make_plan(now, effects);
        self.ordered = false;
        let is_move = |effect: &&Effect| matches!(effect, Effect::Record(fact) if matches!(fact.what, What::Migration { .. }));
        Reply::Rebalanced(effects[from..].iter().filter(is_move).count() as u32)
    }

    /// What a plan is to know of the balance.
    pub(crate) fn balance(&self) -> Balance {
        Balance { limits: self.balancer.limits(), uneven: self.balancer.is_uneven(), ordered: self.ordered }
    }
}
