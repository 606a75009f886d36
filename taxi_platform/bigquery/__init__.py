"""Google Cloud: the clients, the lake in Cloud Storage, the warehouse in BigQuery."""
