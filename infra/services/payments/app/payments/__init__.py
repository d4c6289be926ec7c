"""The reference service `payments`: create a payment, read it, list an account's. Run it with `python3 -m payments`."""

__version__ = "0.1.0"
