"""The log's lines, as they would be printed."""

import json
import logging

from webapp.operation import logs


class Lines(logging.Handler):
    """Every line as it would be printed, in both forms."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logs.Json())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [self.format(record), logs.Readable("%(levelname)s %(name)s %(message)s").format(record)]

    def of_event(self, event: str = "request") -> list[dict[str, object]]:
        return [line for text in self.lines[::2] if (line := json.loads(text))["event"] == event]
