"""Checkout, environment and command of each engine."""
