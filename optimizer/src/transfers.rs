//! Values on workers during a simulated run: fetched, held, dropped.

use crate::run::Run;

impl Run<'_> {
    /// The seconds that fetching the inputs would take.
    pub(crate) fn fetching(&self, node: u32, worker: u32) -> f64 {
        let lacks = |&&input: &&u32| !self.copies[input as usize].iter().any(|c| c.0 == worker);
        let missing = self.dag.dependencies(node).iter().filter(lacks);
        let bytes: f64 = missing.map(|&input| self.costs.bytes[input as usize]).sum();
        bytes / self.cluster.bandwidth
    }

    /// Has a value sent to a worker, from where it comes soonest; returns when it is there.
    pub(crate) fn fetch(&mut self, value: u32, worker: u32) -> f64 {
        let copies = &self.copies[value as usize];
        if let Some(&(_, time)) = copies.iter().find(|copy| copy.0 == worker) {
            return time;
        }
        let bytes = self.costs.bytes[value as usize];
        let there = copies.iter().filter(|&&(_, since)| since <= self.now);
        let ways = there.map(|&(source, _)| {
            let free = self.workers[source as usize].sends;
            let begin = free
                .max(self.workers[worker as usize].receives)
                .max(self.now);
            (begin + self.cluster.wire(source, worker, bytes), source)
        });
        let soonest = |a: (f64, u32), b: (f64, u32)| if b.0 < a.0 { b } else { a };
        let (end, source) = ways
            .reduce(soonest)
            .expect("inputs exist before a node is sent");
        self.workers[source as usize].sends = end;
        self.workers[worker as usize].receives = end;
        self.copies[value as usize].push((worker, end + self.cluster.latency));
        self.schedule.moved += bytes;
        self.hold(worker, bytes);
        self.offer_users(value, worker);
        end + self.cluster.latency
    }

    pub(crate) fn hold(&mut self, worker: u32, bytes: f64) {
        let alive = &mut self.workers[worker as usize].alive;
        *alive += bytes;
        let peak = &mut self.schedule.peak[worker as usize];
        *peak = peak.max(*alive);
    }

    /// Drops all copies of a value that nobody needs any more.
    pub(crate) fn release(&mut self, value: u32) {
        if self.users_left[value as usize] == 0 && !self.costs.output[value as usize] {
            for (worker, _) in std::mem::take(&mut self.copies[value as usize]) {
                self.workers[worker as usize].alive -= self.costs.bytes[value as usize];
            }
        }
    }
}
