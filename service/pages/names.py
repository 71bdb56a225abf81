"""What the server and the process that makes the charts both know, without importing what makes them."""

from labels.errors import FramingError

BUNDLE, CHARTS = "vega.js", "charts.json"


class ChartsError(FramingError):
    """The charts could not be made."""
