"""Google Cloud: the lake, the warehouse, and the job that makes their bucket and dataset."""
