"""A Spark session whose settings fit: the interpreter, Spark's own folder, Java, addresses, Arrow."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corated.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["is_one_machine", "need_pyspark", "session"]

_JAVA = (17, 21)
_INSTALL = "pip install 'corated[spark]'"
_ONE_MACHINE = re.compile(r"local(\[.*\]|-cluster\[.*\])?\Z")


def need_pyspark() -> Any:
    """Return the module pyspark; raises `MissingExtraError` with the command that installs it."""
    try:
        import pyspark
    except ImportError as error:
        raise MissingExtraError("pyspark is not installed.", hint=_INSTALL) from error
    return pyspark


def is_one_machine(master: str) -> bool:
    """Tell whether a master runs everything on this machine."""
    return _ONE_MACHINE.match(master) is not None


def session(
    master: str = "local[*]",
    *,
    name: str = "corated",
    driver_memory: str = "1g",
    executor_memory: str | None = None,
    config: Mapping[str, object] | None = None,
) -> SparkSession:
    """Return a Spark session that can run this package's tasks; the active one, if there is one.

    master : as Spark names it: ``local[4]``, ``local-cluster[2,1,2048]``, ``spark://…``, ``yarn``, ``k8s://…``
    driver_memory : of the driver, which sees no ratings;  executor_memory : None for Spark's own
    config : further settings, which win over ours

    Sets, where the environment does not: PYSPARK_PYTHON to the running interpreter, SPARK_HOME to pyspark's
    folder, and on one machine the addresses to loopback. A Java 17 or 21 must be installed. Raises
    `MissingExtraError` without pyspark or without a Java.
    """
    pyspark = need_pyspark()
    if not isinstance(master, str) or not master:
        raise ParameterError(f"master={master!r} names no master.", expected='such as "local[2]" or "yarn"')
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    _check_java()
    settings: dict[str, object] = {
        "spark.driver.memory": driver_memory,
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    }
    if executor_memory is not None:
        settings["spark.executor.memory"] = executor_memory
    if is_one_machine(master):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "8",
        }
    builder = SparkSession.builder.master(master).appName(name)
    for key, value in (settings | dict(config or {})).items():
        builder = builder.config(key, str(value))
    spark = builder.getOrCreate()
    atexit.register(_stop, spark)
    return spark


def _stop(spark: SparkSession) -> None:
    """Stop at the end: executors whose driver is gone would be started anew again and again."""
    with contextlib.suppress(Exception):
        spark.stop()


def _check_java() -> None:
    """Raise `MissingExtraError` where there is no Java that Spark runs on."""
    given = os.environ.get("JAVA_HOME")
    java = shutil.which("java") if given is None else str(Path(given, "bin", "java"))
    if java is None or _version(java) not in _JAVA:
        raise MissingExtraError(
            f"There is no Java 17 or 21 for Spark{'' if given is None else f' in JAVA_HOME={given}'}.",
            hint="install one, such as Debian's openjdk-17-jre-headless",
        )


def _version(java: str) -> int | None:
    """Return the major version of a Java program, None where it is none."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', shown.stderr + shown.stdout)
    return int(found[1]) if found else None
