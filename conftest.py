"""Notebooks are tests too: the plugin runs them and compares their outputs by value."""

pytest_plugins = ["course_utils.cli.pytest_plugin"]
