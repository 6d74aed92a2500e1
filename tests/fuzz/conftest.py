"""The modules of the fuzzer are no tests and hold no doctests: only its findings are collected."""

from pathlib import Path

collect_ignore = [path.name for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")]
