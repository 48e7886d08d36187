"""The course as a static site: ``python3 -m course_utils site``.

``build`` is the job; ``lessons`` and ``pages`` write what Sphinx reads, in ``source`` stand Sphinx's
own settings, in ``static`` and ``templates`` what a browser gets. ``frames`` draws the pictures that
the sliders of a page show, ``ledger`` says which cell holds which claim, ``links`` follows every
link of the finished pages.
"""
