"""A language model with prepared replies, of which the last is repeated; it records the prompts."""

from collections.abc import Sequence

from taxi_platform.assistant.model import Prompt, Purpose, Vector


class RecordedModel:
    name = "recorded"
    embedding_name = "none"

    def __init__(self, *replies: str) -> None:
        self._replies = list(replies)
        self.prompts: list[Prompt] = []

    def answer(self, prompt: Prompt) -> str:
        self.prompts.append(prompt)
        return self._replies[min(len(self.prompts), len(self._replies)) - 1]

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        raise NotImplementedError
