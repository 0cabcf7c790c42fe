//! The adaptive balancer: what load does, what it will do, and how uneven it is. But for [`balancer`], which looks at the
//! fleet, and [`evacuate`], which empties workers that are drained, nothing here knows of workers, tasks or time: figures go
//! in, figures come out, and a policy decides what they mean.
//!
//! Shares are 0 to 1, a figure that is not known is `None` and never 0, and time passes in steps of equal length (the
//! check interval).

pub mod balancer;
pub mod evacuate;
pub mod imbalance;
pub mod line;
pub mod predict;
pub mod seed_v1;
pub mod threshold;
pub mod trend;
