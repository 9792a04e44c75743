"""From the flight data to features and target, in three variants, as Dask users write it.

Plain pandas methods on Delayed frames, NumPy functions wrapped in ``delayed``, and functions of
one's own where that is easier. All with Dask's default names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from dask import delayed
from dask.delayed import Delayed
from sklearn.preprocessing import OrdinalEncoder

SEASONS = {12: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 2, 7: 2, 8: 2, 9: 3, 10: 3, 11: 3}
CATEGORIES = ["carrier", "origin", "dest", "manufacturer", "model"]
TARGET = "arr_delay"

# -- functions of one's own ---------------------------------------------------------------------


def part_of_day(hour: int) -> int:
    """Night, morning, afternoon, evening."""
    if hour < 6:
        return 0
    if hour < 12:
        return 1
    return 2 if hour < 18 else 3


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def add_calendar(flights: pd.DataFrame) -> pd.DataFrame:
    """Add what the clock says."""
    flights = flights.copy()
    time = pd.to_datetime(flights["time_hour"])
    flights["weekday"] = time.dt.day_of_week
    flights["yearday"] = time.dt.day_of_year
    flights["part_of_day"] = flights["hour"].apply(part_of_day)
    return flights


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def add_history(flights: pd.DataFrame) -> pd.DataFrame:
    """Add how late the plane was on its last flight, and how busy the airport is."""
    flights = flights.sort_values(["time_hour", "flight"], kind="stable")
    plane = flights.groupby("tailnum")["dep_delay"]
    hour = flights.groupby(["origin", "time_hour"])["dep_delay"]
    return flights.assign(
        previous=plane.shift(1),
        leg=plane.cumcount(),
        busy=hour.transform("size"),
        airport_delay=hour.transform("mean"),
    ).sort_index()


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def codes(words: pd.Series) -> pd.Series:
    """Replace words by numbers, in alphabetical order."""
    numbers = OrdinalEncoder().fit_transform(words.fillna("unknown").to_frame())
    return pd.Series(numbers[:, 0], index=words.index)


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def minutes(clock: pd.Series) -> pd.Series:
    """Turn 1435 (14:35) into minutes since midnight."""
    return clock // 100 * 60 + clock % 100


@delayed  # type: ignore[untyped-decorator]  # dask is not typed
def circle(frame: pd.DataFrame, column: str, period: float) -> pd.DataFrame:
    """Place a cyclic quantity on a circle."""
    angle = frame[column] * (2 * np.pi / period)
    return frame.assign(**{f"{column}_sin": np.sin(angle), f"{column}_cos": np.cos(angle)})


# -- reading, cleaning, joining -----------------------------------------------------------------


def load(data: Path, rows: int | None) -> Delayed:
    """Read the flights that arrived, clean them, and join planes, weather and airports."""
    read_csv = delayed(pd.read_csv)
    flights = read_csv(str(data / "flights.csv"), nrows=rows)
    flights = flights.drop_duplicates().dropna(subset=["arr_delay", "air_time"])
    flights = add_history(add_calendar(flights.reset_index(drop=True)))

    planes = read_csv(str(data / "planes.csv"))
    planes = planes.rename(columns={"year": "built"}).drop(columns=["type", "speed", "engine"])

    weather = read_csv(str(data / "weather.csv"))
    weather = weather.drop_duplicates(subset=["origin", "time_hour"])
    weather = weather.drop(columns=["year", "month", "day", "hour", "wind_gust"])

    airports = read_csv(str(data / "airports.csv"))
    airports = airports[["faa", "lat", "lon", "alt", "tz"]].rename(columns={"faa": "dest"})

    flights = flights.merge(planes, on="tailnum", how="left")
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left")
    flights = flights.merge(airports, on="dest", how="left")
    return flights.assign(**{name: codes(flights[name]) for name in CATEGORIES})


# -- three variants -----------------------------------------------------------------------------


def schedule(data: Path, rows: int | None) -> tuple[Delayed, Delayed]:
    """Use what the timetable and the plane say."""
    df = load(data, rows)
    log1p, where = delayed(np.log1p), delayed(np.where)
    delay = df["dep_delay"].fillna(df["dep_delay"].median()).clip(-30, 600)
    age = (2013 - df["built"]).clip(0, 60)
    seats = df["seats"].fillna(df["seats"].median())
    made = {
        "departs": minutes(df["sched_dep_time"]),
        "delay": delay,
        "late": (delay > 15).astype("int8"),
        "early": (delay < 0).astype("int8"),
        "log_delay": log1p(delay.clip(0, 600)),
        "log_distance": log1p(df["distance"]),
        "long_haul": (df["distance"] > 1500) & (df["engines"] >= 2),
        "age": age.fillna(age.median()),
        "no_age": df["built"].isna().astype("int8"),
        "log_seats": log1p(seats),
        "season": df["month"].map(SEASONS),
        "weekend": where(df["weekday"].isin([5, 6]), 1.0, 0.0),
        "previous": df["previous"].fillna(0.0).clip(-30, 600),
    }
    X = circle(df.assign(**made)[[*made, *CATEGORIES]], "departs", 1440.0)
    return X.astype("float64"), df[TARGET]


def ratios(data: Path, rows: int | None) -> tuple[Delayed, Delayed]:
    """Use speeds, ratios and products."""
    df = load(data, rows)
    log1p, sqrt = delayed(np.log1p), delayed(np.sqrt)
    delay = df["dep_delay"].fillna(0.0)
    distance = df["distance"].astype("float64")
    planned = (minutes(df["sched_arr_time"]) - minutes(df["sched_dep_time"])) % 1440
    usual = planned.clip(30, 900)
    seats = df["seats"].fillna(df["seats"].mean())
    age = (df["year"] - df["built"]).clip(0, 60)
    age = age.fillna(age.median())
    wind = df["wind_speed"].fillna(df["wind_speed"].median()).clip(0, 60)
    made = {
        "planned": planned,
        "speed": (distance / usual * 60).clip(0, 700),
        "slack": planned - distance / 8.0,
        "slack_ratio": (planned - distance / 8.0) / usual,
        "delay": delay.clip(-30, 600),
        "log_delay": log1p(delay.clip(0, 600)),
        "root_delay": sqrt(delay.clip(0, 600)),
        "delay_per_mile": delay / (distance + 1.0),
        "delay_per_minute": (delay / usual).clip(-1, 10),
        "delay_squared": delay.clip(-30, 300) * delay.clip(-30, 300) / 1000.0,
        "seat_miles": log1p(seats * distance),
        "seats_per_engine": seats / df["engines"].fillna(2.0),
        "age_delay": age * delay / 100.0,
        "wind_delay": wind * delay / 100.0,
        "recoverable": ((delay > 0) & (planned > 180)).astype("float64"),
        "relative": df["airport_delay"] - df["airport_delay"].mean(),
    }
    return df.assign(**made)[[*made]].astype("float64"), df[TARGET]


def conditions(data: Path, rows: int | None) -> tuple[Delayed, Delayed]:
    """Use the weather, imputed, and how busy the airport is."""
    df = load(data, rows)
    log1p, where = delayed(np.log1p), delayed(np.where)
    filled = {
        name: df[name].fillna(df[name].median())
        for name in ("temp", "dewp", "humid", "wind_speed", "pressure", "visib")
    }
    temp, wind, visib = filled["temp"], filled["wind_speed"], filled["visib"]
    delay = df["dep_delay"].clip(-30, 600)
    rain = df["precip"].fillna(0.0)
    celsius = (temp - 32.0) / 1.8
    made = {
        **filled,
        "celsius": celsius,
        "spread": temp - filled["dewp"],
        "freezing": (celsius < 0).astype("int8"),
        "gusty": (wind > 20) | (visib < 3),
        "log_wind": log1p(wind.clip(0, 100)),
        "rain": log1p(rain.clip(0, 5)),
        "low_pressure": where(filled["pressure"] < 1010.0, 1010.0 - filled["pressure"], 0.0),
        "fog": visib.where(visib < 10, 10.0).round(1),
        "storm": ((rain > 0.1) & (wind > 15)).astype("int8"),
        "delay": delay,
        "late": (delay > 15).astype("int8"),
        "delay_in_rain": delay * rain,
        "delay_in_wind": delay * wind / 10.0,
        "season": df["month"].map(SEASONS),
        "log_distance": log1p(df["distance"]),
        "crowd": log1p(df["busy"]),
        "height": df["alt"].fillna(0.0) / 1000.0,
    }
    return df.assign(**made)[[*made]].astype("float64"), df[TARGET]
