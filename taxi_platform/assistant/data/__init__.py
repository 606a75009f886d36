"""Questions about data: the statement that a model writes, who may run it, what it gives. No model is asked here."""
