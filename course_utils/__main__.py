"""``python3 -m course_utils``: see :mod:`course_utils.cli.main`."""

import sys

from course_utils.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
