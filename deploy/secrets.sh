#!/usr/bin/env bash
# Looks for secrets in the files of the repository, or in those that are named: private keys and the tokens of some twenty
# services. The detectors of any password or random text are off, because tests and examples are full of made-up ones.
#   deploy/secrets.sh [FILE …]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then mapfile -d '' files < <(git ls-files -z); else files=("$@"); fi
"${BIN:-.venv/bin}/detect-secrets-hook" --disable-plugin KeywordDetector --disable-plugin BasicAuthDetector \
  --disable-plugin Base64HighEntropyString --disable-plugin HexHighEntropyString "${files[@]}"
