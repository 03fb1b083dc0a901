"""Optimisers, one class in one file; import is light, torch comes when a phase begins."""
