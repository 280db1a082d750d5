"""Measurements. Run them by hand; figures are ratios taken in one run, never asserted in a test."""
