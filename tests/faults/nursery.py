"""Starts `workers.py`, has it do one job after the other, and kills its workers where asked."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


class Nursery:
    """A process that has loaded everything, and forks a worker for each job."""

    def __init__(self, preload=None):
        environment = dict(os.environ) if preload is None else os.environ | {"LD_PRELOAD": str(preload)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("workers.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )

    def _lines(self, job):
        self.process.stdin.write(json.dumps(job) + "\n")
        while (line := self.process.stdout.readline().split(maxsplit=1))[:1] != ["end"]:
            assert line, "the nursery died"
            yield line[0], line[1].strip()

    def killed_after(self, seconds, **job):
        """Let a worker work, kill it so long after its first answer, and return how much it acknowledged."""
        worker, acknowledged, timer = None, 0, None
        for word, rest in self._lines(job):
            if word == "worker":
                worker = int(rest)
            else:
                assert (word, int(rest)) == ("done", acknowledged)
                acknowledged += 1
            if worker and acknowledged and timer is None:
                timer = threading.Timer(seconds, os.kill, (worker, signal.SIGKILL))
                timer.start()
        assert timer is not None, "the worker failed"
        timer.join()
        return acknowledged

    def told(self, **job):
        """Let a worker do a job to its end, and return what it told."""
        return [json.loads(rest) for word, rest in self._lines(job) if word == "told"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
