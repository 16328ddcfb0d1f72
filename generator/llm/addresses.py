"""Where the servers of a configured model are, with the keys that the environment holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from generator.config import api_key, filled
from generator.modelconfig import EndpointConfig, ModelConfig


@dataclass(frozen=True, slots=True)
class Address:
    """One server, and its share. No key is in its repr.

    `base_url` None: OpenAI's; `concurrency` None: found out. `rpm`, `tpm`: limits a minute.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    weight: float = 1.0
    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None


def addresses(config: ModelConfig) -> list[Address]:
    """The endpoints of a configuration. Raises ConfigError where a variable is not set."""
    if config.endpoints:
        return [_of_several(config, endpoint) for endpoint in config.endpoints]
    return [
        Address(
            base_url=config.base_url,
            api_key=api_key(name=config.api_key_env),
            headers=_headers(config.headers),
            concurrency=config.concurrency,
            rpm=config.rpm,
            tpm=config.tpm,
        )
    ]


def _of_several(config: ModelConfig, endpoint: EndpointConfig) -> Address:
    # A key is told to no server that it was not named for.
    return Address(
        base_url=endpoint.base_url,
        api_key=api_key(name=endpoint.api_key_env or ""),
        headers=_headers(endpoint.headers),
        weight=endpoint.weight,
        concurrency=endpoint.concurrency or config.concurrency,
        rpm=endpoint.rpm or config.rpm,
        tpm=endpoint.tpm or config.tpm,
    )


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: filled(text) for name, text in headers.items()}
