"""Pure functions over runs: best, fronts, importance, curves."""
