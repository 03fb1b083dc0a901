"""Recorders of a trace, one class for each kind of quantity."""
