"""What the figures in the answers of `tests.byok.fake_provider` come to."""

from dataclasses import dataclass


@dataclass
class Figures:
    tokens: tuple[int, int, int, int, int]
    actual: str | None
    estimated: str | None
    request_id: str


# uncached, read, written, output, reasoning
FIGURES = {
    # 600 x 0.15 + 400 x 0.075 + 500 x 0.60 = 420 per million
    "openai": Figures((600, 400, 0, 500, 100), None, "0.00042", "chatcmpl-1"),
    "openrouter": Figures((600, 400, 0, 500, 100), "0.00123", "0.00042", "gen-1"),
    # 100 x 1 + 1000 x 0.1 + 200 x 1.25 + 100 x 2 + 50 x 5 = 900 per million
    "anthropic": Figures((100, 1000, 300, 50, 0), None, "0.0009", "msg_1"),
}
