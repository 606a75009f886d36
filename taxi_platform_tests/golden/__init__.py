"""Answers of version 0.1, frozen: what people and programs were told of its data must stay true of that data.

``record.py`` makes data with the code of version 0.1, packs it into ``version_0_1.tar.gz``, and writes the answers into
``answers/``. The tests unpack it and ask the code of today. To outlive every change inside the package, this folder
imports nothing of it but ``definitions``, ``settings`` and ``cli.main``, and nothing of the other tests.
"""
