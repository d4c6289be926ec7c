"""Rehearsing a load event: an autoscaled service gets the load of a named day, and is judged by how it follows."""
