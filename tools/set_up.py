"""Make .venv and install the locked packages and simlib into it; quick when nothing has changed.

Called by the Makefile with the Python that the environment shall have. Whatever goes wrong is said
in one sentence; the full report is in .venv/set-up.log. Standard library only, and written so that
an old Python can still read it far enough to say that it is too old.
"""

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

if sys.version_info < (3, 11):
    sys.exit(
        "simlib needs Python 3.11, but %s is Python %d.%d. Install Python 3.11, then run: "
        "make PYTHON=python3.11" % ((sys.executable,) + tuple(sys.version_info[:2]))
    )


def main():
    stamp = fingerprint()
    if os.path.isfile(STAMP) and read(STAMP) == stamp:
        return
    started = time.time()
    if sys.version_info[:2] != (3, 11):
        print("Note: simlib is tested on Python 3.11; this is %d.%d." % sys.version_info[:2])
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if not os.path.isdir(VENV) and free_gb < NEEDED_GB:
        sys.exit(
            "simlib's packages need %d GB of disk, but %s has only %.1f GB left: make room, then "
            "run the same command again." % (NEEDED_GB, ROOT, free_gb)
        )
    print("Setting up %s (the first time this takes a few minutes) …" % VENV, flush=True)
    make_venv()
    lock = os.path.join(ROOT, "requirements.lock")
    # uv installs the same locked files as pip, in parallel; where it can't, pip does.
    if not (
        install_uv(lock)
        and run(
            [
                venv("uv"),
                "pip",
                "install",
                "--quiet",
                "--python",
                venv("python"),
                "--require-hashes",
                "-r",
                lock,
            ]
        )
    ):
        pip("install", "--require-hashes", "-r", lock)
    pip("install", "--no-deps", "--no-build-isolation", "-e", ROOT)
    # Matplotlib lists the fonts at its first import, and says so on stderr: not in a notebook.
    must([venv("python"), "-c", "import matplotlib.font_manager"])
    with open(STAMP, "w") as file:
        file.write(stamp)
    print("Set up in %.0f seconds." % (time.time() - started), flush=True)


def fingerprint():
    digest = hashlib.sha256(sys.version.encode() + ROOT.encode())
    for name in ("requirements.lock", "pyproject.toml", os.path.join("tools", "set_up.py")):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def make_venv():
    if os.path.isfile(venv("python")) and run([venv("python"), "-m", "pip", "--version"]):
        return
    import venv as maker

    try:
        maker.create(VENV, with_pip=True, clear=True)
    except subprocess.CalledProcessError:
        sys.exit(
            "This Python can't make virtual environments with pip. On Debian and Ubuntu run: "
            "apt install python%d.%d-venv" % sys.version_info[:2]
        )
    except OSError as error:
        sys.exit("The environment %s can't be made: %s." % (VENV, error))


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
    must([venv("python"), "-m", "pip", *arguments])


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


main()
