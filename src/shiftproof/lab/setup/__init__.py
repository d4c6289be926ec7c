"""From a bare Debian 12 machine to one where the lab can start.

The rest of the lab asks here for what was built: `program("kubelet")`, `image_tar("payments")`,
`app_folder("payments")`,
`lab_reference("payments")`, `start_spec("payments")`. Each raises SetupError, with the command that mends it, when the
thing is missing.
"""

from shiftproof.lab.setup.images import app_folder, digest, image_tar, lab_reference, reference, start_spec
from shiftproof.lab.setup.paths import cache_root, project_root
from shiftproof.lab.setup.toolchain import kept_files, program

__all__ = [
    "app_folder",
    "cache_root",
    "digest",
    "image_tar",
    "kept_files",
    "lab_reference",
    "program",
    "project_root",
    "reference",
    "start_spec",
]
