"""Turns each EC2 instance that appears into a node, after the time that it takes to boot, and takes it away again.

What happens on AWS between RunInstances and a Ready node (a host is found, the image boots, the kubelet starts) is the
boot delay here; containerd starts and images are unpacked meanwhile, as an image of a node brings them along. When the
instance ends, whoever ended it, all that ran on it dies at once, and its Node object goes, as the cloud provider's
node controller does it.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field

from shiftproof.errors import LabError
from shiftproof.lab.autoscaling.instances import Instance
from shiftproof.lab.autoscaling.troubles import Troubles
from shiftproof.lab.kube import ApiError, KubeApi
from shiftproof.lab.network import PLACE_IPS
from shiftproof.lab.node import Node
from shiftproof.lab.node_config import Identity

EVERY_S = 0.5
_FOLLOWING, _PLACES = "following", "places"
log = logging.getLogger(__name__)


class BootDelay:
    """Seconds from an instance's launch until its kubelet starts. A change may end by itself."""

    def __init__(self, seconds: float) -> None:
        self._ordinary_s = self._seconds = seconds
        self._until_s: float | None = None
        self._lock = threading.Lock()

    def get(self) -> float:
        with self._lock:
            if self._until_s is not None and time.monotonic() >= self._until_s:
                self._seconds, self._until_s = self._ordinary_s, None
            return self._seconds

    def set(self, seconds: float, for_s: float) -> float:
        """For so long; returns what it was. 0 s: for good."""
        former_s = self.get()
        with self._lock:
            self._seconds = seconds
            self._until_s = time.monotonic() + for_s if for_s else None
            if not for_s:
                self._ordinary_s = seconds
        return former_s


@dataclass(slots=True)
class _Machine:
    """One instance on its way, or there. gone: it ended; its boot must not go on."""

    instance: Instance
    place: str
    node: Node
    seen_s: float
    gone: threading.Event = field(default_factory=threading.Event)
    booting: threading.Thread | None = None


class Joiner:
    """Follows the instances on a thread of its own. nodes: the lab's, to which new ones are added.

    make: a Node by place and identity, its network made. join: start its kubelet, and wait until it is Ready. api: to
    take Node objects away. troubles: where what goes wrong is told.
    """

    def __init__(
        self,
        nodes: MutableMapping[str, Node],
        instances: Callable[[], Sequence[Instance]],
        make: Callable[[str, Identity], Node],
        join: Callable[[Node], None],
        api: KubeApi,
        boot: BootDelay,
        troubles: Troubles | None = None,
    ) -> None:
        self.boot = boot
        self._nodes = nodes
        self._instances = instances
        self._make = make
        self._join = join
        self._api = api
        self._machines: dict[str, _Machine] = {}
        self._leaving: set[str] = set()
        self._unmade: set[str] = set()
        self._troubles = troubles or Troubles()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Looks once, then follows until `stop`. Raises OSError and what `instances` raises."""
        self.tick()
        threading.Thread(target=self._run, name="joiner", daemon=True).start()

    def stop(self) -> None:
        """Follow no more; the nodes that there are stay."""
        self._stopped.set()

    def problem(self, since_s: float | None = None) -> str | None:
        """Why an instance is no node though it should be: not followed, no place, or it did not boot; None: all well.

        Of now, or, for whoever measured meanwhile, of since_s (CLOCK_MONOTONIC) or later. What was not taken away holds
        its place and maybe its Node object until the lab ends, and is told so long.
        """
        return self._troubles.told(since_s)

    def tick(self) -> None:
        """Look once. Raises OSError and what `instances` raises."""
        present = {instance.id: instance for instance in self._instances()}
        for ended in [one for one in self._machines if one not in present]:
            self._end(self._machines.pop(ended))
        for ended in self._unmade - present.keys():
            self._unmade.discard(ended)
            self._troubles.end(ended)
        homeless = [one for one in present.values() if one.id not in self._machines and not self._begin(one)]
        if homeless:
            said = f"no place for {homeless[0].id}: the lab has {len(PLACE_IPS)} for machines"
            self._troubles.begin(_PLACES, said)
        else:
            self._troubles.end(_PLACES)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            try:
                self.tick()
            except (OSError, http.client.HTTPException, ET.ParseError, LabError) as error:
                self._troubles.begin(_FOLLOWING, f"instances cannot be followed: {str(error) or type(error).__name__}")
            else:
                self._troubles.end(_FOLLOWING)

    def _begin(self, instance: Instance) -> bool:
        """False when there is no place for it."""
        place = next((name for name in PLACE_IPS if name not in self._nodes and name not in self._leaving), None)
        if place is None:
            return False
        try:
            node = self._nodes[place] = self._make(place, Identity(instance.zone, instance.id))
        except (OSError, http.client.HTTPException, ET.ParseError, LabError) as error:
            self._unmade.add(instance.id)  # tried again at the next look
            self._fail(instance.id, f"{place} ({instance.id}) could not be made", error)
            return True
        self._unmade.discard(instance.id)
        self._troubles.end(instance.id)
        machine = self._machines[instance.id] = _Machine(instance, place, node, time.monotonic())
        machine.booting = threading.Thread(target=self._boot, args=(machine,), name=f"boot-{place}", daemon=True)
        machine.booting.start()
        return True

    def _boot(self, machine: _Machine) -> None:
        try:
            machine.node.start_containers()
            while not machine.gone.wait(0.1):
                if time.monotonic() - machine.seen_s >= self.boot.get():
                    self._join(machine.node)
                    return
        except Exception as error:  # noqa: BLE001 (a thread that dies says nothing, and the service would be blamed)
            if not machine.gone.is_set():
                self._fail(machine.instance.id, f"{machine.place} ({machine.instance.id}) did not boot", error)

    def _end(self, machine: _Machine) -> None:
        machine.gone.set()
        self._leaving.add(machine.place)
        threading.Thread(target=self._retire, args=(machine,), name=f"end-{machine.place}", daemon=True).start()

    def _retire(self, machine: _Machine) -> None:
        """Its place is free again once nothing of it is left, its Node object above all."""
        assert machine.booting is not None, "begun with it"
        try:
            machine.node.retire()
            machine.booting.join()
            self._troubles.end(machine.instance.id)  # nobody needs it any more, whether it booted or not
            machine.node.retire()  # what a boot under way had started in between
            self._nodes.pop(machine.place, None)
            while self._has_node(machine.place):
                time.sleep(EVERY_S)
            self._leaving.discard(machine.place)
        except Exception as error:  # noqa: BLE001 (as above)
            self._fail(machine.place, f"{machine.place} ({machine.instance.id}) was not taken away", error)

    def _fail(self, key: str, what: str, error: Exception) -> None:
        said = f"{what}: {str(error) or type(error).__name__}"
        if self._troubles.begin(key, said):  # and not at every look that finds it so
            log.error("%s", said, exc_info=error)

    def _has_node(self, name: str) -> bool:
        """Ask for its end; True while it is still there (a controller may hold on to it for a moment)."""
        try:
            self._api.delete(f"/api/v1/nodes/{name}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True
