"""Contestants in separate processes, measured in turns: time, memory, and results.

A contestant is a function that prepares everything and returns another one, which does the work
once and is timed. Each runs in its own process, so that its peak memory is its own. They are
measured in turns, one at a time, so that other load on the machine affects all of them alike.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

MARK = "@@measured "
HERE = Path(__file__).parent


class Missing(Exception):
    """A package that a contestant needs is not installed; the message names it."""


class Contestant:
    """A piece of work in its own process, which starts at the first turn."""

    def __init__(self, module: str, function: str, **settings) -> None:
        self.seconds: list[float] = []
        self.peak_bytes = 0
        self._name = f"{module}.{function}"
        self._folder = tempfile.TemporaryDirectory(prefix="simlib-benchmark-")
        self._result = Path(self._folder.name, "result.npy")
        self._arguments = [module, function, json.dumps(settings), str(self._result)]
        self._process: subprocess.Popen | None = None

    def run(self, at_least: float = 0.0) -> None:
        """Do the work, again until so many seconds have passed, and remember how long it took.

        Raises
        ------
        Missing
            If a package that it needs is not installed.
        """
        if self._process is None:
            self._start()
        answer = self._ask(f"run {at_least}")
        self.seconds += answer["seconds"]
        self.peak_bytes = max(self.peak_bytes, answer["peak_bytes"])

    def rest(self) -> None:
        """End the process and free its memory; the next run starts another one."""
        if self._process is not None:
            if self.seconds:
                self._ask("save")
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def result(self) -> np.ndarray:
        """Return what the last run returned."""
        self.rest()
        return np.load(self._result)

    def close(self) -> None:
        self.rest()
        self._folder.cleanup()

    def _start(self) -> None:
        script = "import measuring; measuring.serve()"
        found_from = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        options = {"TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": found_from}
        with open(Path(self._folder.name, "errors"), "w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", script, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | options,
            )
        answer = self._answer()
        if "missing" in answer:
            self.close()
            raise Missing(answer["missing"])

    def _ask(self, command: str) -> dict:
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        for line in self._process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        status = self._process.wait()  # negative: the signal that ended it, 9 where memory ran out
        said = Path(self._folder.name, "errors").read_text()[-3000:]
        raise RuntimeError(f"{self._name} ended early with status {status}:\n{said}")


def measure_in_turns(
    contestants: dict[str, Contestant],
    rounds: int,
    seconds_each: float = 0.0,
    one_in_memory: bool = False,
) -> None:
    """Run all contestants ``rounds`` times, one after the other.

    In its turn a contestant runs until ``seconds_each`` have passed, at least once. With
    ``one_in_memory`` the others' processes have ended by then. Those that miss a package are named
    and taken out of ``contestants``.
    """
    for _ in range(rounds):
        for name, contestant in list(contestants.items()):
            try:
                contestant.run(seconds_each)
            except Missing as missing:
                print(f"Left out: {name} (the package {missing} is not installed).", flush=True)
                del contestants[name]
            if one_in_memory:
                contestant.rest()


def median(contestant: Contestant) -> float:
    return statistics.median(contestant.seconds)


def need(*packages: str) -> None:
    """Raise Missing unless all these modules can be imported."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise Missing(package) from error


def peak_bytes() -> int:
    """Return the peak memory of this process since its start or since ``forget_peak``."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if "VmHWM" in line)
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """From now on, let `peak_bytes` tell of what comes (Linux only)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def machine(packages: list[str]) -> dict:
    """Describe this machine and what is installed, without a name or a path of it."""
    import joblib

    model = platform.processor() or platform.machine()
    memory = None
    try:
        with open("/proc/cpuinfo") as info:
            model = next(line.split(":")[1].strip() for line in info if "model name" in line)
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (OSError, StopIteration, ValueError):
        pass
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "processor": model,
        "cores": joblib.cpu_count(),
        "memory_gb": memory,
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "packages": versions,
    }


def serve() -> None:
    """Be a contestant's process: do the work at each line "run SECONDS" that comes in."""
    module, function, settings, result_path = sys.argv[1:]

    def say(**answer) -> None:
        print(MARK + json.dumps(answer), flush=True)

    try:
        work: Callable = getattr(importlib.import_module(module), function)(**json.loads(settings))
    except Missing as missing:
        say(missing=str(missing))
        return
    result = None
    say(ready=True)
    for line in sys.stdin:
        command, *at_least = line.split()
        if command == "run":
            gc.collect()  # once a turn: where torch is loaded, it takes longer than a search
            seconds: list[float] = []
            while not seconds or sum(seconds) < float(at_least[0]):
                start = time.perf_counter()
                result = work()
                seconds.append(time.perf_counter() - start)
            say(seconds=seconds, peak_bytes=peak_bytes())
        else:
            np.save(result_path, result)
            say(saved=True)
