"""A day of simulated traffic through the shipped plan, attempt and health code."""
