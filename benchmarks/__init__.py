"""The same work done by what people would otherwise use, side by side in one run: `python -m benchmarks`."""
