"""What makes the lab's pods and nodes scale for real: Prometheus, KEDA, Karpenter, and machines that become nodes.

None of it is there when a lab comes up, so that a gate does not pay for it. `parts.Autoscaling` is brought up in a
running lab when a load event first asks for it, and stays until the lab goes down.
"""
