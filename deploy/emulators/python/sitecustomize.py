"""Makes the emulators faster: the Python of an emulator imports this first. It avoids work that statements repeat."""

import gc
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

# With the default thresholds, garbage collection takes a fifth of the time of parsing a statement.
gc.set_threshold(100_000, 50, 1000)


def _translate_once() -> None:
    """Cache what BigQuery's emulator parses and translates: it does both again for every check and every estimate."""
    from bqemulator.sql import table_rewriter, translator
    from sqlglot.dialects.dialect import Dialect

    generators: dict[object, list[Any]] = {}

    def generate(self: Dialect, expression: Any, copy: bool = True, **options: Any) -> str:
        # Creating a generator of DuckDB's SQL takes sixty times as long as using it.
        kept = generators.setdefault((type(self), str(self.settings), *sorted(options.items())), [])
        generator = kept.pop() if kept else self.generator(**options)
        text = generator.generate(expression, copy=copy)
        kept.append(generator)
        return text

    parsed: dict[object, Any] = {}
    parse: Callable[..., Any] = Dialect.parse

    def parse_once(self: Dialect, sql: str, **options: Any) -> Any:
        key = type(self), str(self.settings), sql, repr(options)
        if key not in parsed:
            if len(parsed) > 100:
                parsed.clear()
            parsed[key] = parse(self, sql, **options)
        # Copying takes a third of the time of parsing, and the emulator changes what it gets.
        return [expression and expression.copy() for expression in parsed[key]]

    translations: dict[object, Any] = {}
    translate: Callable[..., Any] = translator.SQLTranslator.translate

    def translate_once(self: object, statement: str, **context: Any) -> Any:
        key = statement, repr(context)
        if key not in translations:
            if len(translations) > 100:
                translations.clear()
            translations[key] = translate(self, statement, **context)
        return translations[key]

    Dialect.generate = generate
    Dialect.parse = parse_once
    translator.SQLTranslator.translate = translate_once
    table_rewriter.rewrite_table_refs = lru_cache(100)(table_rewriter.rewrite_table_refs)


if any(word.endswith("/bqemulator") for word in sys.orig_argv):
    _translate_once()
