"""AWS's EC2: the machines that nodes stand on, and how those of the Spot market are taken away."""

from shiftproof.adapters.ec2.machines import Ec2Machine, Machines, connect
from shiftproof.adapters.ec2.spot import SpotMarket, connect_spot
from shiftproof.adapters.ec2.watcher import MachineWatcher

__all__ = ["Ec2Machine", "MachineWatcher", "Machines", "SpotMarket", "connect", "connect_spot"]
