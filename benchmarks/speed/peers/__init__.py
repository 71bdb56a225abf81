"""Servers that people build today with the same model, measured beside this service."""
