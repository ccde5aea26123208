"""What the rigs have in common."""
