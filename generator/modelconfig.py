"""Which models write, and how each is asked: the `llm` part of a run's configuration.

A writer of `llm.writers` and `llm.brainstorm` take every key that they do not name from `llm`.
Knows no environment: keys of APIs are named here (`api_key_env`) and read in `config.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from generator.families import Frozen, Sampling
from generator.records import Message, Params

Backend = Literal["openai", "batch", "vllm", "transformers", "scripted"]
DEFAULT_MODELS = {
    "transformers": "smollm2-135m-instruct",
    "openai": "gpt-4o-mini",
    "batch": "gpt-4o-mini",
    "vllm": "smollm2-135m-instruct",
    "scripted": "-",
}
# What decides an answer, and so enters its journal key or the choice of writers. All else says
# where and how a request is sent.
_SAMPLING = frozenset(
    {"model", "temperature", "top_p", "max_tokens", "stop", "send_seed", "system_prompt"}
    | {"chat_template_kwargs", "extra_body", "max_attempts", "weight"}
)
_PRICES = frozenset({"input_usd_per_million", "output_usd_per_million"})


class BatchConfig(Frozen):
    """How requests become batches (`llm.backend: batch`): the provider's limits, and waits.

    A batch is sent when it is full, or when nothing has been added for `linger_s`. A provider is
    asked how it is getting on after `poll_s`, then less and less often.
    """

    max_requests: int = Field(default=50_000, gt=0)
    max_bytes: int = Field(default=200_000_000, gt=0)
    max_enqueued_tokens: int | None = Field(default=None, gt=0)
    linger_s: float = Field(default=3.0, gt=0)
    poll_s: float = Field(default=5.0, gt=0)
    max_poll_s: float = Field(default=60.0, gt=0)


class VllmConfig(Frozen):
    """vLLM's engine (`llm.backend: vllm`); names and defaults are its own, null is its choice.

    `tensor_parallel_size` devices hold one copy of the model, `data_parallel_size` copies share
    the work. `max_model_len` counts the tokens of a prompt and its answer. `engine_args` has any
    other argument of the engine.
    """

    tensor_parallel_size: int = Field(default=1, gt=0)
    data_parallel_size: int = Field(default=1, gt=0)
    max_model_len: int | None = Field(default=None, gt=0)
    max_num_seqs: int | None = Field(default=None, gt=0)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    kv_cache_memory_bytes: int | None = Field(default=None, gt=0)
    enable_prefix_caching: bool = True
    enforce_eager: bool | None = None
    dtype: str = "auto"
    quantization: str | None = None
    engine_args: Mapping[str, Any] = {}


class EndpointConfig(Frozen):
    """One of several servers of the same model, and its share of the requests.

    `api_key_env` names the variable with its key. `concurrency` and the rest are `llm`'s own where
    they are not named.
    """

    base_url: str
    weight: float = Field(default=1.0, gt=0)
    api_key_env: str | None = None
    headers: Mapping[str, str] = {}
    concurrency: int | None = Field(default=None, gt=0)
    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        return without_password(http(url), "name its variable as api_key_env")


class ModelConfig(Frozen):
    """One model, and how it is asked.

    `concurrency` is requests in flight; `max_attempts` how often a reply that does not parse is
    asked for; `max_retries` how often one request is sent again after a transport failure.
    `extra_body` is merged into a request's body; null takes a key out of it. `api_key_env` names
    the variable with the key ("": none; null: TRINE_API_KEY or OPENAI_API_KEY). `headers` may
    hold `${NAME}`, which the environment fills. `rpm` and `tpm` are requests and tokens a minute.
    """

    backend: Backend = "transformers"
    model: str = ""
    base_url: str | None = None
    api_key_env: str | None = None
    headers: Mapping[str, str] = {}
    endpoints: tuple[EndpointConfig, ...] = ()
    concurrency: int | None = Field(default=None, gt=0)
    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=2048, gt=0)
    stop: tuple[str, ...] = ()
    send_seed: bool = True
    system_prompt: str | None = None
    chat_template_kwargs: Mapping[str, Any] = {}
    extra_body: Mapping[str, Any] = {}
    timeout_s: float = Field(default=120.0, gt=0)
    max_attempts: int = Field(default=3, gt=0)
    max_retries: int = Field(default=6, ge=0)
    structured: bool = True
    batch_size: int = Field(default=64, gt=0)
    batch: BatchConfig = BatchConfig()
    vllm: VllmConfig = VllmConfig()
    input_usd_per_million: float | None = Field(default=None, ge=0)
    output_usd_per_million: float | None = Field(default=None, ge=0)
    script: Path | None = None

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        return without_password(http(url), "give it as TRINE_API_KEY") if url else url

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _default_model(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("model"):
            backend = data.get("backend", "transformers")
            return {**data, "model": DEFAULT_MODELS.get(str(backend), "")}
        return data

    def connection(self) -> str:
        """Where and how requests are sent, as text: writers of the same share one back end."""
        return self.model_dump_json(
            include={"model", *(ModelConfig.model_fields.keys() - _SAMPLING - _PRICES)}
        )

    def writing(self) -> dict[str, Any]:
        """What decides draws' writers and requests' bodies."""
        return self.model_dump(mode="json", include=set(_SAMPLING))

    def params(self, step: Sampling, seed: int) -> Params:
        """How a step's request is sampled: by the step's own keys, then by this model's."""
        send_seed = self.send_seed if step.send_seed is None else step.send_seed
        return Params(
            temperature=self.temperature if step.temperature is None else step.temperature,
            top_p=self.top_p if step.top_p is None else step.top_p,
            max_tokens=step.max_tokens or self.max_tokens,
            seed=seed,
            stop=self.stop if step.stop is None else step.stop,
            extra=self._extra[send_seed],
        )

    @cached_property
    def _extra(self) -> tuple[str, str]:
        """More of a request's body as canonical JSON: without a seed, and with one."""
        template = self.chat_template_kwargs
        body = {
            **({"chat_template_kwargs": dict(template)} if template else {}),
            **self.extra_body,
        }
        return _canonical({"seed": None, **body}), _canonical(body)

    def turns(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """A prompt's turns under this model's system prompt."""
        if not self.system_prompt:
            return messages
        first, *rest = messages
        if first.role != "system":
            return (Message("system", self.system_prompt), *messages)
        return (Message("system", f"{self.system_prompt}\n\n{first.content}"), *rest)


class Writer(ModelConfig):
    """One of several models, and its share of the draws."""

    weight: float = Field(default=1.0, gt=0)


class LLMConfig(ModelConfig):
    """The models of a run: one, or `writers` among which each draw chooses; who brainstorms."""

    writers: tuple[Writer, ...] = ()
    brainstorm: Writer | None = None

    @model_validator(mode="before")
    @classmethod
    def _inherited(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        found = dict(data)
        if isinstance(data.get("writers"), list | tuple):
            found["writers"] = [inherited(data, writer) for writer in data["writers"]]
        if data.get("brainstorm") is not None:
            found["brainstorm"] = inherited(data, data["brainstorm"])
        return found

    @model_validator(mode="after")
    def _one_place_each(self) -> LLMConfig:
        places: dict[str, str] = {}
        for writer in self.everyone:
            if places.setdefault(writer.model, writer.connection()) != writer.connection():
                message = (
                    f"the model {writer.model!r} stands twice with other connection keys: its name"
                    " is all that tells answers apart"
                )
                raise ValueError(message)
        return self

    @cached_property
    def mixture(self) -> tuple[Writer, ...]:
        """Who writes: `writers`, or the one model of the configuration."""
        if self.writers:
            return self.writers
        own = self.model_dump(exclude={"writers", "brainstorm"})
        return (Writer.model_validate(own),)

    @cached_property
    def names(self) -> dict[str, Writer]:
        """The writers by a name of each: the model's, numbered where it stands twice."""
        found: dict[str, Writer] = {}
        for writer in self.mixture:
            number = sum(other.model == writer.model for other in found.values())
            found[f"{writer.model}#{number}" if number else writer.model] = writer
        return found

    @cached_property
    def everyone(self) -> tuple[Writer, ...]:
        """The writers, and the model that brainstorms where it is one of its own."""
        return (*self.mixture, *([self.brainstorm] if self.brainstorm else []))

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models, each once."""
        return tuple(dict.fromkeys(writer.model for writer in self.everyone))


def http(url: str) -> str:
    """The address of a server. Raises ValueError where it has no scheme."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"an address begins with http:// or https://: http://{url}")
    return url


def without_password(url: str, instead: str) -> str:
    """The address; ValueError where a password is in it. `instead` says where it belongs."""
    if "@" in url.partition("//")[2].partition("/")[0]:
        message = f"holds a password: {instead}, it would end in run.yaml"
        raise ValueError(message)
    return url


def _canonical(body: Mapping[str, Any]) -> str:
    """A mapping as canonical JSON text; empty text for an empty one."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True) if body else ""


def inherited(base: Mapping[str, Any], writer: Any, apart: Collection[str] = ()) -> Any:
    """A writer's keys, and from `llm` those that it does not name, except those `apart`."""
    if not isinstance(writer, Mapping):
        return writer
    other_server = writer.get("base_url", base.get("base_url")) != base.get("base_url")
    other_backend = writer.get("backend", base.get("backend")) != base.get("backend")
    shared = set(ModelConfig.model_fields) - set(apart)
    if other_backend:
        shared -= {"model"}
    if other_backend or other_server or "model" in writer:
        shared -= _PRICES
    found = {key: value for key, value in base.items() if key in shared}
    if other_server:  # the key of one server is not told to another, unless it is named
        found["api_key_env"] = ""
        found.pop("headers", None)
        found.pop("endpoints", None)
    return {**found, **writer}
