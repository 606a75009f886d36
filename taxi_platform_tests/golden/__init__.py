"""Golden tests: the data of version 0.1 and what that version answered about it.

``record.py`` runs the code of version 0.1, packs the data it leaves into ``version_0_1.tar.gz``, and writes the answers
to ``answers/``. The tests restore the data and ask the current code the same questions.

This folder uses only public interfaces, so that changes inside the package do not break it. Of the package it imports
only ``definitions``, ``settings`` and ``cli.main``.
"""
