"""Running a tool in a process of its own, with so many threads and so much time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def run_alone(script: str, arguments: list[str], *, threads: int, limit: float) -> dict[str, Any]:
    """Run a script of this folder; return what its last line tells, or why it cannot."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    try:
        finished = subprocess.run(
            [sys.executable, str(HERE / script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"cannot": f"not done in {limit} s"}
    if finished.returncode != 0:
        reason = finished.stderr.strip().splitlines()[-1:] or [f"ended with {finished.returncode}"]
        return {"cannot": reason[0]}
    told: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return told
