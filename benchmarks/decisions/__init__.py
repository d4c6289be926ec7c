"""How many requests a decision takes, and how often it is wrong: our tests, Wald's bound, the best fixed sample, Argo
Rollouts' and Flagger's rules, on the same streams.

Run: python -m benchmarks.decisions
"""
