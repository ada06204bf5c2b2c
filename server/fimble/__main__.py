"""``python -m fimble`` is the ``fimble`` command."""

import sys

if __name__ == "__main__":
    # Python looks for modules where it was started first. That is where an editor's user works,
    # and there, say, `numbers.py` is not the library's.
    if not sys.flags.safe_path:
        sys.path.pop(0)

    from fimble.cli import main

    raise SystemExit(main())
