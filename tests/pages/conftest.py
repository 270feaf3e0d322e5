from heliostat.testing.browser import chromium

__all__ = ["chromium"]
