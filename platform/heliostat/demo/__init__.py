"""The demonstration: a sweep of a real model on real data, start to report."""
