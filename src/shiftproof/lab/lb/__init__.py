"""The lab's load balancer: the elbv2 API (moto) in front, HAProxy behind, a reconciler that makes one follow the other.

Start it with `python -m shiftproof.lab.lb`. Everything else speaks to it as to an Application Load Balancer.
"""
