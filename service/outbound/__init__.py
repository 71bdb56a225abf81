"""Requests to other machines: the gate through which everything goes out."""
