"""The gate: preflight, rehearse, judge. It knows ports and models; `wiring` alone names adapters."""
