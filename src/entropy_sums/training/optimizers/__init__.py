"""Optimisers, one class per file. Light: torch is imported when a phase begins."""
