"""Runs a codec's examples in the sandbox and says where it gives something else than its maker expects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from devices.decoded import Frame
from devices.javascript.outcome import Outcome
from devices.javascript.sandbox import Sandbox, Source
from devices.javascript.warm import warm_differs
from devices.repository.codec import Example, Output, RepositoryCodec
from devices.repository.comparison import Difference, differences, plain

_KILLED = ("timeout:", "memory:", "crash:")


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that fails. `frame` None: it could not be read; `differences`: where the outputs differ."""

    description: str
    frame: Frame | None
    reason: str
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class CodecResult:
    """How a codec fared. `total` counts the uplink examples, `normalized` those of normalizeUplink (apart).

    `warm_differs`: its answers depend on the payloads before; the verdict is on those of a fresh context.
    """

    codec: RepositoryCodec
    total: int
    failures: tuple[Failure, ...]
    normalized: int = 0
    normalized_failures: tuple[Failure, ...] = ()
    warm_differs: bool = False

    @property
    def passed(self) -> int:
        """The uplink examples that pass."""
        return self.total - len(self.failures)


def check_codec(sandbox: Sandbox, codec: RepositoryCodec) -> CodecResult:
    """Every example of the codec, in one batch; never raises on any script or example."""
    usable = [each for each in codec.examples if isinstance(each, Example)]
    unusable = [
        Failure(each.description, None, f"the example cannot be used: {each.problem}")
        for each in codec.examples
        if not isinstance(each, Example)
    ]
    if codec.source is None:
        reason = codec.fault.problem if codec.fault else "cannot be read"
        failures = [Failure(e.description, e.frame, f"{codec.file_name}: {reason}") for e in usable]
        return CodecResult(codec, len(codec.examples), (*failures, *unusable))
    frames = [each.frame for each in usable]
    outcomes = sandbox.run(codec.source, frames, fresh=True)
    failures = [
        failure
        for each, outcome in zip(usable, outcomes, strict=True)
        if (failure := _judge(each, each.expected, _output(outcome)))
    ]
    normalized = [each for each in usable if each.normalized is not None]
    return CodecResult(
        codec,
        len(codec.examples),
        (*failures, *unusable),
        len(normalized),
        tuple(_normalized(sandbox, codec.source, normalized)),
        warm_differs(sandbox, codec.source, frames),
    )


def _normalized(sandbox: Sandbox, source: Source, examples: Sequence[Example]) -> list[Failure]:
    frames = [each.frame for each in examples]
    outcomes = sandbox.run(source, frames, normalize=True, fresh=True) if frames else []
    failures = []
    for each, outcome in zip(examples, outcomes, strict=True):
        found = outcome.normalized
        # normalizeUplink may give one measurement as it is; the repository writes a list
        listed = found if found is None or isinstance(found, list) else [found]
        got = Output(_plain(listed), outcome.errors, outcome.warnings)
        if each.normalized and (failure := _judge(each, each.normalized, got)):
            failures.append(failure)
    return failures


def _output(outcome: Outcome) -> Output:
    return Output(_plain(outcome.data), outcome.errors, outcome.warnings)


def _plain(value: Any) -> Any:
    try:
        return plain(value)
    except ValueError as error:
        return f"(output {error})"


def _judge(example: Example, expected: Output, got: Output) -> Failure | None:
    found = [
        difference
        for path in ("data", "errors", "warnings")
        for difference in differences(_part(expected, path), _part(got, path), path)
    ]
    if not found:
        return None
    return Failure(example.description, example.frame, _reason(expected, got, found), tuple(found))


def _part(output: Output, name: str) -> Any:
    value = getattr(output, name)
    return (list(value) if isinstance(value, tuple) else value) or None  # empty is the same as none


def _reason(expected: Output, got: Output, found: Sequence[Difference]) -> str:
    if killed := next((each for each in got.errors if each.startswith(_KILLED)), None):
        return f"the call was ended: {killed}"
    if got.errors and not expected.errors:
        return f"gives an error: {got.errors[0]}"
    if expected.errors and not got.errors:
        return "gives no error where one is expected"
    paths = ", ".join(dict.fromkeys(each.path.split(".")[0].split("[")[0] for each in found))
    return f"{len(found)} {'value differs' if len(found) == 1 else 'values differ'} in {paths}"
