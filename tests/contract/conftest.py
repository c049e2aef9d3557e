"""The backends that the neighbor contract is checked on. A new one joins by one line of `BACKENDS`."""

import os
import pickle
import subprocess
import sys

import pytest

from corated.errors import DataError
from corated.neighborhood.graph import neighbors

WORKER = """
import pickle, sys
from corated.errors import DataError
from corated.neighborhood.graph import neighbors
while True:
    try:
        ratings, options = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        found = neighbors(ratings, threads=1, **options)
    except DataError as error:
        found = error
    pickle.dump(found, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


class WithoutJit:
    """Another process in which the kernels run as plain Python; started when first asked."""

    process = None

    def __call__(self, ratings, **options):
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
            )
        pickle.dump((ratings, options), self.process.stdin)
        self.process.stdin.flush()
        found = pickle.load(self.process.stdout)
        if isinstance(found, DataError):
            raise found
        return found

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(timeout=30)
            self.process.stdout.close()


def _by_subsets(ratings, *, of, **options):
    """Answer by asking for the subjects in two halves, each without the other."""
    ids = list(ratings.users if of == "users" else ratings.items)
    return [
        neighbors(ratings, of=of, threads=2, subjects=half, **options)
        for half in (ids[::2], ids[1::2])
        if half
    ]


WITHOUT_JIT = WithoutJit()
BACKENDS = {
    # name: (function of ratings and options, whether it is quick enough for the large cases)
    "one thread": (lambda ratings, **options: neighbors(ratings, threads=1, **options), True),
    "two threads": (lambda ratings, **options: neighbors(ratings, threads=2, **options), True),
    "by subsets": (_by_subsets, True),
    "without jit": (WITHOUT_JIT, False),
}


@pytest.fixture(params=BACKENDS)
def backend(request):
    """(function, whether it is quick) of a backend; the function gives one graph or several."""
    return BACKENDS[request.param]


@pytest.fixture(params=[name for name, (_, quick) in BACKENDS.items() if quick])
def quick_backend(request):
    """The function of a backend that is quick enough for the large cases."""
    return BACKENDS[request.param][0]


@pytest.fixture(scope="session", autouse=True)
def close_backends():
    yield
    WITHOUT_JIT.close()
