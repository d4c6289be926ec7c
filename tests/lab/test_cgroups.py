"""Folders of control groups, made and removed; on trees of files, since a real one cannot be had twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftproof.lab import cgroups

V1_AND_HYBRID = """\
30 24 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:28 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
32 30 0:29 / /sys/fs/cgroup/memory rw,relatime shared:4 - cgroup cgroup rw,memory
33 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2_ALONE = "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_with_v1_controllers_hang_on_v1_but_leftovers_may_be_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(V1_AND_HYBRID)
    v1 = (Path("/sys/fs/cgroup/cpuset"), Path("/sys/fs/cgroup/memory"))
    assert cgroups.roots(file) == v1
    assert cgroups.all_trees(file) == (*v1, Path("/sys/fs/cgroup/unified"))


def test_v2_alone(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(V2_ALONE)
    assert cgroups.roots(file) == cgroups.all_trees(file) == (Path("/sys/fs/cgroup"),)


def test_a_v1_cpuset_is_filled_in_on_every_level(tmp_path: Path) -> None:
    cpuset, memory = tmp_path / "cpuset", tmp_path / "memory"
    for tree in (cpuset, memory):
        tree.mkdir()
    (cpuset / "cpuset.cpus").write_text("0-1\n")
    (cpuset / "cpuset.mems").write_text("0\n")
    # A kernel makes these files itself.
    for folder in (cpuset / cgroups.PARENT, cpuset / cgroups.PARENT / "node-1"):
        folder.mkdir()
        (folder / "cpuset.cpus").touch()
        (folder / "cpuset.mems").touch()
    cgroups.make("node-1", [cpuset, memory], cpu=memory)
    cgroups.make("node-1", [cpuset, memory], cpu=memory)
    assert (cpuset / cgroups.PARENT / "node-1" / "cpuset.cpus").read_text() == "0-1"
    assert (cpuset / cgroups.PARENT / "node-1" / "cpuset.mems").read_text() == "0"
    assert (memory / cgroups.PARENT / "node-1").is_dir()


def test_v2_hands_down_the_controllers_that_there_are(tmp_path: Path) -> None:
    node = tmp_path / cgroups.PARENT / "node-1"
    for folder in (tmp_path, node.parent, node):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text("cpu memory pids rdma\n")
    cgroups.make("node-1", [tmp_path], cpu=tmp_path)
    for folder in (tmp_path, node.parent, node):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (node / "system").is_dir()


@pytest.mark.parametrize("v2", [False, True])
def test_a_node_weighs_as_much_as_both_legacy_machines(tmp_path: Path, v2: bool) -> None:
    names = ["node-1", "node-2", "legacy-1", "legacy-2"]
    groups = [*names, cgroups.CONTROL, cgroups.GUESTS]
    for name in ("", cgroups.PARENT, *(f"{cgroups.PARENT}/{name}" for name in groups)):
        (tmp_path / name).mkdir(exist_ok=True)
        if v2:
            (tmp_path / name / "cgroup.controllers").write_text("cpu\n")
    cgroups.make_machines(names, tmp_path)
    file = "cpu.weight" if v2 else "cpu.shares"
    weights = {name: int((tmp_path / cgroups.PARENT / name / file).read_text()) for name in groups}
    for node in ("node-1", "node-2"):
        assert weights[node] == pytest.approx(weights["legacy-1"] + weights["legacy-2"], rel=0.02)
    whole = int((tmp_path / cgroups.PARENT / file).read_text())
    assert whole == pytest.approx(sum(weights.values()), rel=0.02)
    assert 1 <= whole <= (10_000 if v2 else 262_144)


def test_the_cpu_tree_is_the_one_with_that_controller(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(V1_AND_HYBRID + "34 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n")
    assert cgroups.cpu_tree(file) == Path("/sys/fs/cgroup/cpu,cpuacct")
    file.write_text(V2_ALONE)
    assert cgroups.cpu_tree(file) == Path("/sys/fs/cgroup")


def test_a_pods_processes_by_container(tmp_path: Path) -> None:
    pod = tmp_path / cgroups.PARENT / "node-1" / "kubepods" / "burstable" / "podab-12"
    for name, pids in (("sandbox", "10\n11\n"), ("main", "12\n")):
        (pod / name).mkdir(parents=True)
        (pod / name / "cgroup.procs").write_text(pids)
    assert cgroups.pids_of_containers("node-1", "ab-12", [tmp_path]) == {"sandbox": (10, 11), "main": (12,)}
    assert cgroups.pids_of_containers("node-2", "ab-12", [tmp_path]) == {}
    assert cgroups.pids_of_containers("node-1", "ab", [tmp_path]) == {}


def test_removal_goes_from_the_inside_out(tmp_path: Path) -> None:
    (tmp_path / cgroups.PARENT / "node-1" / "kubepods" / "pod1").mkdir(parents=True)
    (tmp_path / cgroups.PARENT / "node-2").mkdir()
    assert cgroups.remove([tmp_path], node="node-1") == []
    assert [path.name for path in cgroups.leftovers([tmp_path])] == ["node-2", cgroups.PARENT]
    assert cgroups.remove([tmp_path]) == []
    assert not (tmp_path / cgroups.PARENT).exists()


def test_guests_may_be_scheduled_in_real_time_where_groups_are_asked(tmp_path: Path) -> None:
    folders = [tmp_path / cgroups.PARENT, tmp_path / cgroups.PARENT / cgroups.GUESTS]
    for folder in folders:
        folder.mkdir()
        (folder / "cpu.rt_runtime_us").write_text("0")  # as a kernel makes them
    cgroups.make_machines([], tmp_path)
    assert [int((folder / "cpu.rt_runtime_us").read_text()) for folder in folders] == [900_000] * 2


def test_guests_of_a_lab_that_died_go_back_to_the_root(tmp_path: Path) -> None:
    guests = tmp_path / cgroups.PARENT / cgroups.GUESTS
    guests.mkdir(parents=True)
    (guests / "cgroup.procs").write_text("41\n")
    cgroups.remove([tmp_path], within_s=0.0)
    assert (tmp_path / "cgroup.procs").read_text() == "41"


def test_a_folder_that_will_not_go_is_named(tmp_path: Path) -> None:
    busy = tmp_path / cgroups.PARENT / "node-1"
    busy.mkdir(parents=True)
    (busy / "cgroup.procs").write_text("1\n")  # a real rmdir fails with EBUSY; here because the folder is not empty
    assert busy in cgroups.remove([tmp_path], within_s=0.0)


def test_the_machines_own_trees_are_found() -> None:
    assert cgroups.roots()
    assert all(tree.is_dir() for tree in cgroups.all_trees())


def test_the_kubelets_root_is_below_the_labs_own_folder() -> None:
    assert cgroups.kubelet_root("node-2") == f"/{cgroups.PARENT}/node-2"


@pytest.mark.parametrize("uid", ["", "*"])
def test_no_uid_matches_nothing(tmp_path: Path, uid: str) -> None:
    (tmp_path / cgroups.PARENT / "node-1").mkdir(parents=True)
    assert cgroups.pids_of_containers("node-1", uid, [tmp_path]) == {}
