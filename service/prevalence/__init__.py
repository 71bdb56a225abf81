"""Prevalence of frames: estimates from stored scores and annotations, and the answers of the API."""
