"""Self-contained reports: one HTML file that needs nothing else, or Markdown."""

from heliostat.report.markdown import markdown, metrics_markdown
from heliostat.report.metrics import MetricsReport, metrics_report
from heliostat.report.one_figure import figure_html
from heliostat.report.report import render, save, write
from heliostat.report.stakeholders import metrics_html, write_metrics
from heliostat.report.view import View, view

__all__ = [
    "MetricsReport",
    "View",
    "figure_html",
    "markdown",
    "metrics_html",
    "metrics_markdown",
    "metrics_report",
    "render",
    "save",
    "view",
    "write",
    "write_metrics",
]
