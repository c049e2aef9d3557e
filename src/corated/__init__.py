"""Corated."""
