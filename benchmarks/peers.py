"""The chains in polars: lazily, with the way from pandas and back.

What polars returns is near pandas' values, not equal to them in bits, dtypes and labels; it is
only timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl

COLUMNS = (
    "dep_time",
    "dep_delay",
    "arr_time",
    "arr_delay",
    "air_time",
    "distance",
    "sched_dep_time",
    "sched_arr_time",
)


def _lazily(plan: Callable[..., pl.LazyFrame]) -> Callable[..., pd.DataFrame]:
    def run(*frames: pd.DataFrame) -> pd.DataFrame:
        return plan(*(pl.from_pandas(frame).lazy() for frame in frames)).collect().to_pandas()

    return run


def _chain_a(frame: pl.LazyFrame) -> pl.LazyFrame:
    logarithms = [
        pl.col(name).fill_null(pl.col(name).median()).clip(0, 5_000).log1p().alias(name)
        for name in COLUMNS
    ]
    scaled = [((pl.col(name) - pl.col(name).mean()) / pl.col(name).std()) for name in COLUMNS]
    return (
        frame.with_columns(logarithms)
        .with_columns(scaled)
        .with_columns(
            product=pl.col(COLUMNS[0]) * pl.col(COLUMNS[1]), late=pl.col(COLUMNS[3]) > 1.0
        )
    )


def _chain_b(frame: pl.LazyFrame) -> pl.LazyFrame:
    columns = ("dep_delay", "arr_delay", "air_time", "distance", "sched_dep_time")
    dep, arr, air, distance, scheduled = (pl.col(name) for name in columns)
    hours = air / 60
    return frame.with_columns(
        speed=distance / hours,
        gain=(dep - arr) / hours,
        delay_share=arr / (air + 1),
        delay_per_mile=dep / distance,
        delay_ratio=dep / (arr + 1_440),
        miles_per_minute=distance / (scheduled + 1),
        air_share=air / (scheduled + 1),
    )


def _chain_c(frame: pl.LazyFrame) -> pl.LazyFrame:
    dates = pl.col("time_hour").str.to_datetime(time_zone="UTC")
    month, hour = (getattr(dates.dt, name)() for name in ("month", "hour"))
    waves = {
        f"{name}_{wave}": getattr(part * (2 * math.pi / period), wave)()
        for name, part, period in (("month", month, 12), ("hour", hour, 24))
        for wave in ("sin", "cos")
    }
    return frame.with_columns(
        of_year=dates.dt.year(),
        of_month=month,
        of_day=dates.dt.day(),
        of_day_of_week=dates.dt.weekday(),
        of_hour=hour,
        **waves,
    )


def _group_mean(frame: pl.LazyFrame) -> pl.LazyFrame:
    delay = pl.col("arr_delay")
    return frame.select(delay / delay.mean().over("dest"))


def _filtered(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.filter(pl.col("arr_delay") > 10).select("dep_delay", "distance", "carrier")


def _joined(flights: pl.LazyFrame, planes: pl.LazyFrame) -> pl.LazyFrame:
    return flights.join(planes, on="tailnum", how="left", maintain_order="left")


CHAINS: dict[str, Callable[..., Any]] = {
    "A": _lazily(_chain_a),
    "B": _lazily(_chain_b),
    "B consolidated": _lazily(_chain_b),
    "C": _lazily(_chain_c),
    "group mean and ratio": _lazily(_group_mean),
    "filter and project": _lazily(_filtered),
    "left join": _lazily(_joined),
}
