"""The assistant: documents and their retrieval, language models, answers with sources. Knows nothing of Dagster."""
