"""The heliostat command."""
