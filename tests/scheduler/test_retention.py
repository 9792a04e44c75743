"""The policy of what to keep, against a plain model of it."""

from __future__ import annotations

import heapq
from heapq import heappop

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stratum_dask.scheduler.retention import Kept, Retention


def offer(policy, key, *, nbytes, seconds, reuse, worker, share=None):
    return policy.offer(Kept(key, seconds, reuse), nbytes, worker, share)


keys = st.integers(0, 12)
sizes = st.integers(0, 70)
workers = st.sampled_from("ab")


class Policy(RuleBasedStateMachine):
    """Offers, uses and losses in any order."""

    @initialize(budget=st.integers(0, 200), share=st.none() | st.integers(0, 120))
    def start(self, budget, share):
        self.policy = Retention(budget)
        self.share = share
        self.there = {}

    @rule(
        key=keys,
        nbytes=sizes,
        seconds=st.floats(0, 10),
        reuse=st.floats(0.5, 4),
        worker=workers,
    )
    def offer(self, key, nbytes, seconds, reuse, worker):
        before = dict(self.policy.kept)
        before.pop(key, None)
        kept, dropped = offer(
            self.policy,
            key,
            nbytes=nbytes,
            seconds=seconds,
            reuse=reuse,
            worker=worker,
            share=self.share,
        )
        self.there.pop(key, None)
        assert key not in dropped and len(set(dropped)) == len(dropped)
        if not kept:
            assert not dropped
            assert key not in self.policy
        else:
            new = self.policy.kept[key].rank
            # Nothing goes for something that is worth less, and the least goes first.
            assert all(before[old].rank < new for old in dropped)
            self.there[key] = (nbytes, worker)
        for old in dropped:
            del self.there[old]
        here = sum(size for size, place in self.there.values() if place == worker)
        needed = not kept or nbytes == 0 or not dropped
        if not needed:
            last = before[dropped[-1]]
            over_all = self.policy.nbytes + last.nbytes > self.policy.budget
            over_here = self.share is not None and here + last.nbytes > self.share
            assert over_all or over_here, "more was dropped than needed"

    @rule(key=keys)
    def use(self, key):
        before = self.policy.kept[key].rank if key in self.policy else 0
        self.policy.used(key)
        if key in self.policy:
            assert self.policy.kept[key].rank >= before

    @rule(key=keys)
    def lose(self, key):
        assert self.policy.drop(key) == (self.there.pop(key, None) is not None)

    @rule(key=keys, worker=workers)
    def move(self, key, worker):
        if key not in self.there:
            return
        size, place = self.there[key]
        here = sum(n for n, where in self.there.values() if where == worker)
        if self.share is None or place == worker or here + size <= self.share:
            self.policy.move(key, worker)
            self.there[key] = size, worker

    @rule(worker=workers, nbytes=sizes)
    def shrink(self, worker, nbytes):
        dropped = self.policy.shrink(worker, nbytes)
        freed = 0
        for key in dropped:
            assert freed < nbytes
            size, place = self.there.pop(key)
            assert place == worker
            freed += size
        assert freed >= nbytes or all(place != worker for _, place in self.there.values())

    @invariant()
    def within_budget(self):
        if not hasattr(self, "policy"):
            return
        assert set(self.policy) == set(self.there)
        assert self.policy.nbytes == sum(size for size, _ in self.there.values())
        assert self.policy.nbytes <= self.policy.budget
        for worker in "ab":
            here = sum(size for size, place in self.there.values() if place == worker)
            assert self.policy.by_worker.get(worker, 0) == here
            assert self.share is None or here <= self.share


TestPolicy = Policy.TestCase


def test_the_least_worthy_goes_first():
    policy = Retention(100)
    for key, seconds in (("slow", 9.0), ("quick", 1.0), ("fair", 3.0)):
        offer(policy, key, nbytes=30, seconds=seconds, reuse=1, worker="w")
    assert offer(policy, "new", nbytes=40, seconds=5.0, reuse=1, worker="w") == (True, ["quick"])
    assert offer(policy, "big", nbytes=60, seconds=100, reuse=1, worker="w")[1] == ["fair", "new"]


def test_what_is_used_again_stays():
    policy = Retention(60)
    offer(policy, "a", nbytes=30, seconds=1.0, reuse=1, worker="w")
    offer(policy, "b", nbytes=30, seconds=1.5, reuse=1, worker="w")
    policy.used("a")
    assert offer(policy, "c", nbytes=30, seconds=1.8, reuse=1, worker="w") == (True, ["b"])


def test_what_is_never_used_grows_old():
    policy = Retention(60)
    offer(policy, "old", nbytes=30, seconds=3.0, reuse=1, worker="w")
    newcomers = [
        offer(policy, i, nbytes=30, seconds=1.0 + i / 100, reuse=1, worker="w") for i in range(9)
    ]
    assert all(kept for kept, _ in newcomers)
    assert "old" not in policy


def test_values_of_no_bytes_come_and_go():
    policy = Retention(60)
    for key in "ab":
        offer(policy, key, nbytes=0, seconds=1.0, reuse=1, worker="w")
    assert policy.drop("a") and policy.drop("b")
    assert not policy.by_worker


@pytest.mark.parametrize("nbytes", [1, 3_000])
def test_making_room_looks_at_few_values(monkeypatch, nbytes):
    """The scheduler waits for it, however many values are kept."""
    policy = Retention(100_000)
    for number in range(20_000):
        offer(policy, number, nbytes=1, seconds=1.0, reuse=1, worker="others")
    offer(policy, "here", nbytes=3_000, seconds=1e6, reuse=1, worker="here")
    looked = []

    def pop(heap):
        looked.append(heap[0])
        return heappop(heap)

    monkeypatch.setattr(heapq, "heappop", pop)
    for number in range(100):
        offered = {"nbytes": nbytes, "seconds": 2.0 * nbytes, "reuse": 1, "worker": "here"}
        assert not offer(policy, ("new", number), **offered, share=3_000)[0]
    assert len(looked) < 1_000


def test_a_value_that_would_displace_too_many_is_not_kept():
    policy = Retention(10_000)
    for number in range(10_000):
        offer(policy, number, nbytes=1, seconds=1.0, reuse=1, worker="w")
    large = {"nbytes": 9_000, "seconds": 1e6, "reuse": 1, "worker": "w"}
    assert offer(policy, "large", **large) == (False, [])
    kept, dropped = offer(policy, "small", **{**large, "nbytes": 500})
    assert kept and len(dropped) == 500


def test_values_move_with_their_data():
    policy = Retention(100)
    offer(policy, "a", nbytes=30, seconds=1.0, reuse=1, worker="v")
    offer(policy, "b", nbytes=30, seconds=2.0, reuse=1, worker="v")
    policy.move("a", "w")
    assert policy.by_worker == {"v": 30, "w": 30}
    assert policy.shrink("v", 1) == ["b"] and policy.shrink("w", 1) == ["a"]
    assert policy.nbytes == 0 and not policy.by_worker
