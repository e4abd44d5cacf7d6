"""Set everything up, then open JupyterLab on the notebooks.

python tools/lab.py                   # make lab
python tools/lab.py --port 8899       # make lab PORT=8899
python tools/lab.py --python 3.12     # make lab PYTHON=3.12
python tools/lab.py --language zh     # make lab LANGUAGE=zh: the translated notebooks, in build/zh

Whatever else is given goes to JupyterLab.
"""

import os
import subprocess
import sys

import set_up

FIRST = "notebooks/00_setup_and_data.ipynb"


def main():
    parser = set_up.parser(__doc__)
    parser.add_argument("--port", default="8888")
    parser.add_argument("--language", choices=["en", "zh"], default="en")
    arguments, others = parser.parse_known_args()
    set_up.set_up(arguments.python)
    first = FIRST
    if arguments.language != "en":
        translate = os.path.join(set_up.ROOT, "tools", "translate.py")
        subprocess.check_call([set_up.venv("python"), translate, "lay", arguments.language])
        first = "/".join(["build", arguments.language, FIRST])
    # The server's root is the repository, so that links from a notebook to README.md or data/ open;
    # lab_settings/ has them open as text to be read, not as source.
    options = [
        "--notebook-dir=" + set_up.ROOT,
        "--LabApp.default_url=/lab/tree/" + first,
        "--LabApp.app_settings_dir=" + os.path.join(set_up.ROOT, "tools", "lab_settings"),
        "--port=" + arguments.port,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_screen:
        options.append("--no-browser")
    set_up.become(set_up.venv("python"), "-m", "jupyterlab", *(options + others))


if __name__ == "__main__":
    main()
