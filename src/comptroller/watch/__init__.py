"""Looks after what is under way: keeps holdings paid for, and stops what is not."""
