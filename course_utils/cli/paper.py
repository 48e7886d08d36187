"""Run the experiments of the lessons at the sizes of their papers, on a machine with a GPU."""

import argparse
import json
import sys


def main(argv):
    """``paper [NAME ...] [--store]``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils paper",
        description=__doc__,
        epilog="COURSE_DATA must name a folder with MNIST's IDX files.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="an experiment; default: all")
    parser.add_argument("--store", action="store_true", help="keep the results for the lessons")
    args = parser.parse_args(argv)
    from course_utils import paper_scale

    for name in args.names:
        if name not in paper_scale.EXPERIMENTS:
            known = ", ".join(paper_scale.EXPERIMENTS)
            print(f"There is no experiment {name!r}; there are {known}.", file=sys.stderr)
            return 2
    try:
        lacking = paper_scale.missing(asked=True)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if lacking:
        print(f"Not run, for want of {' and of '.join(lacking)}.", file=sys.stderr)
        return 1
    for name in args.names or paper_scale.EXPERIMENTS:
        result = paper_scale.run(name)
        print(name, json.dumps(result, indent=1), flush=True)
        if args.store:
            paper_scale.store(name, result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
