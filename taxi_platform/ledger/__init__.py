"""What is known about a month: published, cached, loaded, recorded by Dagster, checked, running.

``reading`` makes the ``MonthRecord`` of every month from the tables (``loaded``), Dagster's records (``events``) and
the source; the state (``record``) and the backfill plan (``plan``) follow from it. How a run is labelled, why it
failed and whether its process is alive belong here too. Nothing is loaded or shown here.
"""
