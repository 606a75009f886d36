"""Google Cloud: clients, errors, set-up, files in Cloud Storage, and loading them into BigQuery.

Knows nothing of Dagster: everything here can be called from a shell. One module per subject: ``clients`` (project,
names, credentials, retries), ``errors`` (Google's answers as our errors), ``setup`` (bucket and dataset), ``lake``
(objects), ``tables`` and ``statements`` (tables and their SQL), ``jobs`` (one job), ``loader`` (one month), ``locking``
(one build at a time), ``frames`` (reading, and writing the zones), ``teardown`` (deleting it all).

Every function that asks Google raises ``CloudNotReady`` if a project, bucket, dataset, table or object does not exist,
``CloudRefused`` if a role or a quota is missing, and ``CloudUnavailable`` if Google does not answer. Docstrings only
name errors with a further meaning.
"""
