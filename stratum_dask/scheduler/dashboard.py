"""The page ``/stratum`` on Dask's own dashboard, and the same figures as JSON and for Prometheus.

Nothing here changes state, and no values of the users' are shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from tornado.ioloop import IOLoop
from tornado.web import RequestHandler

from stratum_dask.scheduler import html
from stratum_dask.scheduler.figures import figures, prometheus

logger = logging.getLogger("distributed.stratum")

_REFRESH = 1_000
"""Milliseconds between two updates of the page."""
_HISTORY = 900
"""Updates that the curves show."""


def add_routes(plugin: Any, scheduler: Any) -> None:
    """Add the routes, and with Bokeh the page, to the scheduler's web server.

    Parameters
    ----------
    plugin : StratumPlugin
    scheduler : distributed.Scheduler
    """
    application = getattr(scheduler, "http_application", None)
    if application is None:
        return
    # Routes cannot be removed: they show whichever plugin was registered last.
    known = "stratum" in application.settings
    application.settings["stratum"] = plugin
    if known:
        return
    with_scheduler = {"scheduler": scheduler}
    application.add_handlers(
        ".*$",
        [
            (r"/stratum/json", _Json, with_scheduler),
            (r"/stratum/metrics", _Metrics, with_scheduler),
        ],
    )
    try:
        from distributed.dashboard.core import BokehApplication
        from distributed.dashboard.scheduler import template_variables
    except ImportError as error:  # there is no Bokeh, or an old one
        logger.info("the page /stratum needs Bokeh: %s", error)
        return
    app = BokehApplication(
        {"/stratum": _document},
        scheduler,
        prefix="",
        template_variables=template_variables(scheduler),
    )
    application.add_application(app)
    app.initialize(IOLoop.current())


def _registered(scheduler: Any) -> Any:
    plugin = scheduler.http_application.settings["stratum"]
    return plugin if plugin in scheduler.plugins.values() else None


class _Handler(RequestHandler):
    def initialize(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    async def found(self) -> dict[str, Any] | None:
        plugin = _registered(self.scheduler)
        if plugin is None:
            self.send_error(404, reason="the plugin is not registered")
            return None
        await plugin.counts.ask(self.scheduler)
        return figures(plugin)


class _Json(_Handler):
    async def get(self) -> None:
        found = await self.found()
        if found is not None:
            self.set_header("Content-Type", "application/json")
            self.set_header("X-Content-Type-Options", "nosniff")
            self.write(json.dumps(found))


class _Metrics(_Handler):
    async def get(self) -> None:
        found = await self.found()
        if found is not None:
            self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.write(prometheus(found))


def _document(scheduler: Any, extra: dict[str, Any], doc: Any) -> None:
    """Fill a Bokeh document, which updates itself as long as somebody looks."""
    from bokeh.layouts import column, row
    from bokeh.models import ColumnDataSource, Div
    from distributed.dashboard.components.scheduler import env

    source = ColumnDataSource({"time": [], "done": [], "failed": [], "megabytes": []})
    wide = {"sizing_mode": "stretch_width", "stylesheets": [".bk-clearfix { width: 100%; }"]}
    upper, lower = Div(**wide), Div(**wide)
    asking: set[asyncio.Task[None]] = set()

    async def update() -> None:  # Bokeh calls what is not async on a thread
        plugin = _registered(scheduler)
        if plugin is None:
            upper.text = "The plugin is not registered any more."
            return
        if not asking:
            task = asyncio.get_running_loop().create_task(plugin.counts.ask(scheduler))
            asking.add(task)
            task.add_done_callback(asking.discard)
        found = figures(plugin)
        upper.text, lower.text = html.overview(found), html.details(found)
        counts, now = found["candidates"], _now()
        source.stream(
            {
                "time": [now],
                "done": [counts["done"]],
                "failed": [counts["failed"]],
                "megabytes": [found["retention"]["bytes"] / 1e6],
            },
            _HISTORY,
        )

    doc.title = "stratum_dask"
    curves = [
        _curves(source, "Candidates", {"done": "#2e9e6b", "failed": "#d64545"}),
        _curves(source, "Megabytes kept", {"megabytes": "#3b7dd8"}),
    ]
    curves_row = row(*curves, sizing_mode="stretch_width")
    doc.add_root(column(upper, curves_row, lower, sizing_mode="stretch_width"))
    doc.template = env.get_template("simple.html")
    doc.template_variables.update(extra)
    # This may be a thread, too: what is shown is read where the scheduler changes it.
    doc.add_next_tick_callback(update)
    doc.add_periodic_callback(update, _REFRESH)


def _now() -> float:
    from time import time

    return time() * 1e3  # Bokeh's dates are milliseconds


def _curves(source: Any, title: str, colors: dict[str, str]) -> Any:
    from bokeh.plotting import figure

    plot = figure(
        title=title, height=180, x_axis_type="datetime", tools="", sizing_mode="stretch_width"
    )
    plot.toolbar.logo = None
    plot.y_range.start = 0
    plot.outline_line_color = None
    plot.xgrid.grid_line_color = None
    plot.ygrid.grid_line_color = "#eef0f3"
    plot.axis.axis_line_color = "#c9ced6"
    plot.axis.minor_tick_line_color = None
    plot.border_fill_color = None
    plot.background_fill_color = None
    for name, color in colors.items():
        plot.step("time", name, source=source, color=color, line_width=2, mode="after")
    return plot
