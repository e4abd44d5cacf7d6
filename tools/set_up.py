"""Make .venv and install the locked packages and simlib into it; quick when nothing has changed.

python tools/set_up.py                  # with this Python, or one that is found
python tools/set_up.py --python 3.12    # or the path of one

tools/lab.py and tools/test.py begin with it. Whatever goes wrong is said in one sentence; the full
report is in .venv/set-up.log. Standard library only, and written so that an old Python can still
read it, to find a newer one or to say what is missing.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
LOG = os.path.join(VENV, "set-up.log")
STAMP = os.path.join(VENV, "set-up.done")
NEEDED_GB = 8
OLDEST, NEWEST = (3, 11), (3, 13)  # that the tests were run on
TESTED = "3.11, 3.12 or 3.13"
COMPILE = (
    "import compileall, sysconfig; "
    "compileall.compile_dir(sysconfig.get_path('purelib'), quiet=2, workers=0)"
)


def set_up(asked=None):
    """Make the environment, or bring it up to date, with the Python that was asked for."""
    python, version, full_version = choose_python(asked)
    stamp = fingerprint(full_version)
    if os.path.isfile(STAMP) and read(STAMP) == stamp and version_of(venv("python")):
        return
    started = time.time()
    if version > NEWEST:
        print("Note: simlib is tested on Python %s; this is %d.%d." % ((TESTED,) + version))
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if not os.path.isdir(VENV) and free_gb < NEEDED_GB:
        sys.exit(
            "simlib's packages need %d GB of disk, but %s has only %.1f GB left: make room, then "
            "run the same command again." % (NEEDED_GB, ROOT, free_gb)
        )
    print("Setting up %s (the first time this takes a few minutes) …" % VENV, flush=True)
    make_venv(python, version)
    lock = os.path.join(ROOT, "requirements.lock")
    locked = ["install", "--quiet", "--require-hashes", "-r", lock]
    # uv installs the same locked files as pip, in parallel; where it can't, pip does.
    by_uv = install_uv(lock) and run([venv("uv"), "pip"] + locked + ["--python", venv("python")])
    if not by_uv:
        pip(*locked)
    pip("install", "--no-deps", "--no-build-isolation", "-e", ROOT)
    # pip compiles what it installs, uv does not: then every import of torch would compile it first
    # where Python may not keep the result (PYTHONDONTWRITEBYTECODE, a read-only environment).
    run([venv("python"), "-c", COMPILE])  # false too where a package has a file for Python 2
    # Matplotlib lists the fonts at its first import, and says so on stderr: not in a notebook.
    must([venv("python"), "-c", "import matplotlib.font_manager"])
    with open(STAMP, "w") as file:
        file.write(stamp)
    print("Set up in %.0f seconds." % (time.time() - started), flush=True)


def fingerprint(full_version):
    digest = hashlib.sha256(full_version.encode() + ROOT.encode())
    for name in ("requirements.lock", "pyproject.toml", os.path.join("tools", "set_up.py")):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def choose_python(asked):
    """Return the path of a Python, its version as (3, 11), and its version in full.

    That is the one that was asked for. Otherwise: the one that .venv has already, the one that runs
    this, one of those that the tests were run on, or one that uv brings.
    """
    if asked:
        number = re.match(r"(?:python)?(3(?:\.\d+){0,2})$", asked)
        number = number and number.group(1)
        found = (
            version_of(shutil.which(asked) or "")
            or (number and version_of(shutil.which("python" + number) or ""))
            or (number and os.name == "nt" and version_of("py", "-" + number))
            or (number and from_uv(number))
        )
        if not found:
            sys.exit(
                "There is no %s: install it, or name the Python that you have, such as "
                "--python python3.12 (make PYTHON=python3.12). Where uv is installed, it brings "
                "what is missing." % asked
            )
        if found[1] < OLDEST:
            sys.exit("simlib needs Python %s, but %s is %d.%d." % ((TESTED, asked) + found[1]))
        return found
    in_place = version_of(venv("python"))
    if in_place and in_place[1] >= OLDEST and has_pip():
        return in_place
    this = (sys.executable, tuple(sys.version_info[:2]), sys.version)
    if os.path.normcase(sys.prefix) == os.path.normcase(VENV):
        this = None  # it can't make its own environment anew
    if this and OLDEST <= this[1] <= NEWEST:
        return this
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = version_of(shutil.which("python3.%d" % minor) or "")
        if found:
            return found
    if this and this[1] > NEWEST:
        return this
    found = from_uv("3.%d" % OLDEST[1])
    if not found:
        sys.exit(
            "simlib needs Python %s, but %s is Python %d.%d. Install one of them, or uv, which "
            "brings it, then run the same command again."
            % ((TESTED, sys.executable) + tuple(sys.version_info[:2]))
        )
    return found


def version_of(*python):
    """Return what `choose_python` returns about one Python; None if it doesn't run."""
    code = "import sys; print(sys.executable, *sys.version_info[:2], sys.version, sep='\\t')"
    command = list(python) + ["-c", code]
    try:
        printed = subprocess.check_output(command, stderr=subprocess.DEVNULL)
        path, major, minor, full = printed.decode("utf-8", "replace").split("\t", 3)
        return path, (int(major), int(minor)), full.strip()
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def from_uv(version):
    """Return a Python that uv installs, outside this folder, as `version_of` does; or None."""
    uv = shutil.which("uv")
    if not uv:
        return None
    print("There is no Python %s; uv brings it." % version, flush=True)
    try:
        subprocess.call([uv, "python", "install", version])
        path = subprocess.check_output([uv, "python", "find", version])
    except (OSError, subprocess.CalledProcessError):
        return None
    return version_of(path.decode().strip())


def make_venv(python, version):
    in_place = version_of(venv("python"))
    if in_place and in_place[1] == version and has_pip():
        return
    made = subprocess.run(
        [python, "-m", "venv", "--clear", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode == 0:
        return
    report = made.stdout.decode("utf-8", "replace")
    if "ensurepip" in report:
        sys.exit(
            "This Python can't make virtual environments with pip. On Debian and Ubuntu run: "
            "apt install python%d.%d-venv" % version
        )
    last = (report.strip().splitlines() or ["no reason given"])[-1]
    sys.exit("The environment %s can't be made: %s." % (VENV, last.rstrip(".")))


def has_pip():
    return run([venv("python"), "-m", "pip", "--version"])


def install_uv(lock):
    """Install the locked uv by its entry in the lock; return whether it worked."""
    entry = re.search(r"^uv==.*?(?=^\S|\Z)", read(lock), re.M | re.S)
    if entry is None:
        return False
    path = os.path.join(VENV, "uv.lock")
    with open(path, "w") as file:
        file.write(entry.group())
    return run([venv("python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", path])


def venv(program):
    folder, suffix = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    return os.path.join(VENV, folder, program + suffix)


def pip(*arguments):
    must([venv("python"), "-m", "pip"] + list(arguments))


def run(command):
    """Run a command, append what it prints to the log, and return whether it succeeded."""
    with open(LOG, "a") as log:
        log.write("$ %s\n" % " ".join(command))
        log.flush()
        try:
            return subprocess.run(command, stdout=log, stderr=log).returncode == 0
        except OSError as error:
            log.write("%s\n" % error)
            return False


def must(command):
    started_at = os.path.getsize(LOG) if os.path.isfile(LOG) else 0
    if not run(command):
        with open(LOG, errors="replace") as file:
            file.seek(started_at)
            sys.exit(explain(file.read()))


def explain(report):
    """Return one sentence for what pip reported."""
    if "No space left" in report or "Errno 28" in report:
        return "The disk is full: simlib's packages need %d GB. The report is in %s." % (
            NEEDED_GB,
            LOG,
        )
    if re.search(
        r"NewConnectionError|name resolution|NameResolution|ConnectTimeout|ProxyError|"
        r"Network is unreachable|Connection refused|Read timed out|"
        r"Could not find a version",
        report,
    ):
        return (
            "The package registry could not be reached or lacks a package: connect to the network, "
            "then run the same command again. The report is in %s." % LOG
        )
    if "do not match the hashes" in report.lower():
        return "A package is not the one that requirements.lock names. The report is in %s." % LOG
    return "The packages could not be installed; the report is in %s." % LOG


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def become(*command):
    """Run a program of .venv in the repository's folder instead of this one."""
    os.chdir(ROOT)
    if os.name == "nt":  # where exec would give the terminal back at once
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


def parser(description):
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--python", help="the Python of the environment: 3.12, python3.12 or a path")
    return made


if __name__ == "__main__":
    set_up(parser(__doc__).parse_args().python)
