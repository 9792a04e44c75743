"""Work shared by all clients of a cluster: a plugin of the scheduler.

``client.register_plugin(stratum_dask.scheduler.StratumPlugin())``, or
``dask scheduler --preload stratum_dask.scheduler``, or this module's name in the configuration
``distributed.scheduler.preload``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["StratumPlugin", "dask_setup"]


def __getattr__(name: str) -> Any:
    """Import the plugin when it is asked for: distributed takes long to import."""
    if name == "StratumPlugin":
        from stratum_dask.scheduler.plugin import StratumPlugin

        return StratumPlugin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


async def dask_setup(scheduler: Any) -> None:
    """Register the plugin; called by Dask when the scheduler preloads this module.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    """
    from stratum_dask.scheduler.plugin import StratumPlugin

    await scheduler.register_scheduler_plugin(StratumPlugin(), idempotent=True)
