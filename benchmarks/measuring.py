"""Contestants in processes of their own, measured in turns: time, memory, and what they found.

A contestant is a function that prepares everything and returns another one, which does the work
once and is timed. Each lives in its own process, so that its peak of memory is its own, and stays
alive, so that all can be measured in turns: whatever else the machine does meanwhile hits all
alike. Only one works at a time.
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
    """A package that a contestant needs is not installed; the message is its name."""


class Contestant:
    """A process that does one piece of work whenever it is told to."""

    def __init__(self, module: str, function: str, **settings) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="simlib-benchmark-")
        self._result = Path(self._folder.name, "result.npy")
        self._errors = open(Path(self._folder.name, "errors"), "w+")
        script = "import measuring; measuring.serve()"
        arguments = [module, function, json.dumps(settings), str(self._result)]
        found_from = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ
            | {"TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": found_from},
        )
        self.seconds: list[float] = []
        self.peak_bytes = 0
        answer = self._answer()
        if "missing" in answer:
            self.close()
            raise Missing(answer["missing"])

    def run(self) -> float:
        """Do the work once; return and remember the seconds it took."""
        answer = self._ask("run")
        self.seconds.append(answer["seconds"])
        self.peak_bytes = answer["peak_bytes"]
        return answer["seconds"]

    def result(self) -> np.ndarray:
        """Return what the last run returned."""
        self._ask("save")
        return np.load(self._result)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()
        self._folder.cleanup()

    def _ask(self, command: str) -> dict:
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        for line in self._process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        self._errors.seek(0)
        raise RuntimeError(f"A contestant ended early:\n{self._errors.read()[-3000:]}")


def measure_in_turns(
    contestants: dict[str, Contestant], rounds: int, seconds_each: float = 0.0
) -> None:
    """Run all contestants ``rounds`` times, one after the other.

    In its turn a contestant runs until ``seconds_each`` have passed, at least once.
    """
    for _ in range(rounds):
        for contestant in contestants.values():
            used = 0.0
            while True:
                used += contestant.run()
                if used >= seconds_each:
                    break


def median(contestant: Contestant) -> float:
    return statistics.median(contestant.seconds)


def ratio(slower: Contestant, faster: Contestant) -> float:
    return median(slower) / median(faster)


def need(*packages: str) -> None:
    """Raise Missing unless all these modules can be imported."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise Missing(package) from error


def peak_bytes() -> int:
    """Return the most memory that this process has had since it began or since `forget_peak`."""
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
    """Be a contestant's process: do the work at each line "run" that comes in."""
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
        if line.strip() == "run":
            gc.collect()
            start = time.perf_counter()
            result = work()
            seconds = time.perf_counter() - start
            say(seconds=seconds, peak_bytes=peak_bytes())
        else:
            np.save(result_path, result)
            say(saved=True)
