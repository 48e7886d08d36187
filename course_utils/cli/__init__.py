"""The jobs behind ``python3 -m course_utils``: set up, lab, test, run, release, stamp.

Importing any of these modules needs the standard library alone.
"""
