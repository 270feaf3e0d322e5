"""Hooks that let trainers record themselves: one optional module a framework; import the one you use."""
