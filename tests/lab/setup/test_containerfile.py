from __future__ import annotations

from pathlib import Path

import pytest

from shiftproof.errors import ConfigError
from shiftproof.lab.setup import containerfile, images


def write(folder: Path, text: str) -> Path:
    file = folder / "Containerfile"
    file.write_text(text)
    return file


def test_the_last_stage_says_how_the_image_starts(tmp_path: Path) -> None:
    text = """
# a comment
FROM base AS build
ENV ONLY=build
CMD ["false"]
FROM base
ENV A=1 \\
    B="two words"
WORKDIR /app
USER 10001:10001
EXPOSE 8080 9090/udp
ENTRYPOINT ["python3"]
CMD ["-m", "payments"]
"""
    assert containerfile.read(write(tmp_path, text)) == containerfile.StartSpec(
        command=("python3", "-m", "payments"),
        environment={"A": "1", "B": "two words"},
        user="10001:10001",
        work_folder="/app",
        ports=("8080", "9090/udp"),
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("FROM base\nCMD python3 -m payments\n", r"Containerfile:2: .*exec form"),
        ('FROM base\n\n# x\nENTRYPOINT ["a", 1]\n', r"Containerfile:4: .*exec form"),
        ('FROM base\nENV novalue\nCMD ["a"]\nENV 1x=2\n', r"Containerfile:4: ENV"),
        ("FROM base\n", r"Containerfile: has no CMD"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        containerfile.read(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        containerfile.read(tmp_path / "Containerfile")


@pytest.mark.parametrize("service", [*images.SERVICES, *images.WORKERS])
def test_the_services_own_files_can_be_read(service: str) -> None:
    spec = images.start_spec(service)
    assert spec.command[0] == "python3"
    assert spec.user not in ("", "root", "0"), "a service does not run as root"
