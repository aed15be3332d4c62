"""Where the `bench` command begins: `python -m bench` is the same."""

import os
import sys


def main() -> None:
    """The command; a Ctrl-C amid its imports, or amid the end of one before, ends it in order."""
    if sys.stdout is None:  # closed by the shell
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        from bench.cli.app import main as command

        command()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        os._exit(130)


if __name__ == "__main__":
    main()
