"""Set everything up, then run unit tests, docstring examples and every notebook.

python tools/test.py                          # make test
python tools/test.py --python 3.12            # make test PYTHON=3.12
python tools/test.py --slow                   # make test ARGUMENTS=--slow: as CI does
python tools/test.py tests/test_search.py     # make test ARGUMENTS=tests/test_search.py
python tools/test.py --language zh            # make test LANGUAGE=zh: the Chinese notebooks alone

Whatever else is given goes to pytest.
"""

import os
import subprocess

import set_up

PROCESSES = 4  # at most: each takes two or three gigabytes


def main():
    parser = set_up.parser(__doc__)
    parser.add_argument("--language", choices=["en", "zh"], default="en")
    arguments, others = parser.parse_known_args()
    set_up.set_up(arguments.python)
    # Each notebook and each file of tests stays with one process, so that its kernel and data are
    # shared. The order is that of conftest.py: by itself pytest-xdist would begin with the files of
    # the most tests, and end with one process waiting for another's notebook of few, slow cells.
    options = ["--nbval", "-n", "logical", "--maxprocesses", str(PROCESSES), "--dist", "loadfile"]
    options += ["--no-loadscope-reorder"]
    if arguments.language != "en":
        # Into a folder of their own: those in build/ may be a reader's.
        laid = os.path.join(set_up.ROOT, "build", "test-" + arguments.language)
        translate = os.path.join(set_up.ROOT, "tools", "translate.py")
        lay = [translate, "lay", arguments.language, "--into", laid]
        subprocess.check_call([set_up.venv("python")] + lay)
        options.append(os.path.join(laid, "notebooks"))
    # Each process computes on its share of the cores: threads that outnumber them wait for each
    # other, and a training takes several times as long.
    cores = os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // min(cores, PROCESSES))))
    set_up.become(set_up.venv("python"), "-m", "pytest", *(options + others))


if __name__ == "__main__":
    main()
