"""Readers of other tools' records, one module each; :mod:`heliostat.imports` writes what they find."""
