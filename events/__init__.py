"""What happened, in order, and who is told. This package knows neither `ideas_hub` nor `web`."""
