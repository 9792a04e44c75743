"""Processes for tests: forked from a server that has imported what they need, never from us."""

from __future__ import annotations

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.store.writers", "tests.scheduler.processes"])
