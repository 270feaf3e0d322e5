"""What templates print, made of plain values: pure, so that it is tested without a browser."""
