"""The tasks of :func:`simlib.embed_folder` on Ray, which distributes them and retries lost ones.

Ray does not decide what is done and what is missing: a shard that has its name in the folder is
done, and any process may continue from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from simlib.encoders import load_encoder
from simlib.encoders.base import Encoder
from simlib.extras import needs_extra
from simlib.shards.files import MadeBy, Shard, describe_encoder
from simlib.shards.make import Task, make_shard

_built: dict[str, Encoder] = {}
"""The encoder of this worker; it outlives a task, so that each worker loads its weights once."""


class RayEngine:
    """Makes shards in Ray's workers, one shard a task; see :func:`simlib.embed_folder`."""

    def __init__(
        self,
        encoder: Encoder | str | Callable[[], Encoder],
        address: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        if isinstance(encoder, Encoder) or not (isinstance(encoder, str) or callable(encoder)):
            raise TypeError(
                f"Ray's workers make their encoders themselves, so {encoder!r} cannot be sent to "
                "them. Give its name, such as 'towhee', or a function that makes it, such as "
                "functools.partial(simlib.load_encoder, 'towhee', weights='published')."
            )
        # Sends usage statistics, unless told not to before it is imported.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with needs_extra("ray", "engine='ray'"):
            import ray
        self._ray = ray
        self._encoder = encoder
        self._address = address
        self._options = {"num_cpus": 1, **(options or {})}
        self._started = False

    def __enter__(self) -> RayEngine:
        if not self._ray.is_initialized():
            self._ray.init(address=self._address, include_dashboard=False)
            self._started = True
        self._made = self._ray.put(self._encoder), os.urandom(8).hex()
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            self._ray.shutdown()

    def describe(self) -> tuple[MadeBy, str]:
        """What a worker's encoder says of itself; this process need not load its weights."""
        describe = self._ray.remote(_describe).options(**self._options)
        return self._result(describe.remote(*self._made))

    def run(
        self, tasks: Iterable[Task], tick: Callable[[int], object]
    ) -> Iterator[tuple[Shard, int]]:
        """Yield the shards as they are done; only a few tasks wait, so that memory stays flat."""
        make = self._ray.remote(_make_shard).options(**self._options)
        threads = max(1, int(self._options["num_cpus"]))
        running: list = []
        try:
            for task in tasks:
                while len(running) >= self._capacity():
                    yield self._next(running, tick)
                task = replace(task, workers=task.workers or threads)
                running.append(make.remote(task, *self._made))
            while running:
                yield self._next(running, tick)
        finally:
            for reference in running:  # one shard failed, or the user has stopped us
                self._ray.cancel(reference)

    def _capacity(self) -> int:
        """Twice the tasks that run at once; a cluster may grow and shrink."""
        cores = self._ray.cluster_resources().get("CPU", 1)
        return max(2, 2 * int(cores / max(self._options["num_cpus"], 0.1)))

    def _next(self, running: list, tick: Callable[[int], object]) -> tuple[Shard, int]:
        (done, *_), _ = self._ray.wait(running, num_returns=1)
        running.remove(done)
        shard, embedded = self._result(done)
        tick(shard.pictures)
        return shard, embedded

    def _result(self, reference: Any) -> Any:
        from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError

        try:
            return self._ray.get(reference)
        except RayTaskError as error:
            # As it was raised, without Ray's own pages around it.
            raise (error.cause or error) from None
        except (OutOfMemoryError, WorkerCrashedError) as error:
            raise RuntimeError(
                "A worker of Ray died several times over the same shard. What is finished is "
                "kept, and the same call continues from there; if memory ran out, a smaller "
                "batch_size or ray_options={'num_cpus': 2} may help."
            ) from error


def _built_encoder(make: str | Callable[[], Encoder], key: str) -> Encoder:
    if key not in _built:
        _built.clear()
        _built[key] = load_encoder(make) if isinstance(make, str) else make()
    return _built[key]


def _describe(make: str | Callable[[], Encoder], key: str) -> tuple[MadeBy, str]:
    return describe_encoder(_built_encoder(make, key))


def _make_shard(task: Task, make: str | Callable[[], Encoder], key: str) -> tuple[Shard, int]:
    return make_shard(task, _built_encoder(make, key))
