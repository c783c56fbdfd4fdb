"""Benchmarks: ratios, measured side by side in one run on one machine. `docs/performance.md` says what they mean."""
