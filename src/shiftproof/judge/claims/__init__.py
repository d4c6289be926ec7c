"""The built-in claims, one module each; importing this registers them."""
