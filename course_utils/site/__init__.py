"""The course as a static site: ``python3 -m course_utils site``.

``build`` is the job; ``lessons``, ``pages`` and ``ledger`` write what Sphinx reads, and ``source``
holds Sphinx's settings; ``static`` and ``templates`` are what a browser gets. ``frames`` draws the
pictures that the sliders of a page show, ``slices`` says what code they need, ``docstrings`` makes
docstrings ready for Sphinx, ``print_lessons`` makes PDFs, and ``links`` follows every link of the
finished pages.
"""
