"""What an operator may decide about the HTTP edge."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """Settings of the HTTP edge.

    Attributes:
        api_keys: Keys of which every request must carry one; none leaves it open.
        body_limit: The longest request body, in bytes.
        body_timeout: Seconds within which a whole request body must arrive.

    Raises:
        ValueError: A key is empty, so that a request without one would pass.
    """

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    body_limit: int = 1024 * 1024
    body_timeout: float = 30.0

    def __post_init__(self) -> None:
        if any(not key.strip() for key in self.api_keys):
            raise ValueError("an API key is empty; give it characters or remove it")
