"""What every application of a process of tests has alike is made once: templates, and how its handlers are called.

Of the second that an application takes to build, that is more than half.
"""

from __future__ import annotations

from functools import partial
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from litestar import Litestar, Router, router
from litestar._kwargs import KwargsModel
from litestar._signature.model import SignatureModel
from litestar.routes import HTTPRoute
from litestar.utils.signature import ParsedSignature

from clearway.http.pages import rendering


class Kept(BytecodeCache):
    """Compiled templates by their name and source; they are the same in each application."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self.codes[bucket.key, bucket.checksum] = bucket.code


class Signatures:
    """What handlers take and give, by their code and all that their signature is read from."""

    def __init__(self) -> None:
        self._read: Any = ParsedSignature.from_fn
        self._made: Any = SignatureModel.create
        self._signatures: dict[Any, ParsedSignature] = {}
        self._models: dict[Any, tuple[type[SignatureModel], ParsedSignature]] = {}
        self._fill: Any = KwargsModel.create_for_signature_model
        self._filled: dict[Any, KwargsModel] = {}

    def read(self, fn: Any, signature_namespace: dict[str, Any]) -> ParsedSignature:
        key = None if signature_namespace else _key(fn)
        if key is None:
            return self._read(fn, signature_namespace)  # type: ignore[no-any-return]
        if key not in self._signatures:
            self._signatures[key] = self._read(fn, signature_namespace)
        return self._signatures[key]

    def made(
        self,
        dependency_name_set: set[str],
        fn: Any,
        parsed_signature: ParsedSignature,
        type_decoders: Any,
        data_dto: Any = None,
    ) -> type[SignatureModel]:
        asked = (dependency_name_set, fn, parsed_signature, type_decoders, data_dto)
        if data_dto is not None:
            return self._made(*asked)  # type: ignore[no-any-return]
        named = getattr(fn, "__name__", ""), getattr(fn, "__module__", "")
        decoders = tuple((_name(told), _name(read)) for told, read in type_decoders)
        key = id(parsed_signature), frozenset(dependency_name_set), decoders, named
        if key not in self._models:
            # With its signature, so that no other has that one's number.
            self._models[key] = self._made(*asked), parsed_signature
        return self._models[key][0]

    def filled(
        self, signature_model: type[SignatureModel], path_parameters: set[str], **asked: Any
    ) -> KwargsModel:
        """Where a handler's arguments come from; only the words of a warning are those of one application."""
        asked |= {"signature_model": signature_model, "path_parameters": path_parameters}
        if asked["dependencies"] or asked["layered_parameters"]:
            return self._fill(**asked)  # type: ignore[no-any-return]
        key = signature_model, frozenset(path_parameters)
        if key not in self._filled:
            self._filled[key] = self._fill(**asked)
        return self._filled[key]


def _key(fn: Any) -> Any:
    """None for what is no plain function, or has something that is not told apart by its value."""
    if hasattr(fn, "__wrapped__"):
        return None
    try:
        takes = fn.__annotations__, fn.__kwdefaults__ or {}
        key = fn.__code__, fn.__module__, fn.__defaults__, *(tuple(x.items()) for x in takes)
        hash(key)
    except (AttributeError, TypeError):
        return None
    return key


def _name(fn: Any) -> Any:
    """Of a function that is made anew for each application."""
    return (_name(fn.func), str(fn.keywords)) if isinstance(fn, partial) else fn.__qualname__


def _own(value: Router) -> Router:
    """A router as it is, where the framework takes a copy: each is made for one application."""
    assert value.owner is None, "a router is made for one application"
    return value


class _Methods(dict[str, Any]):
    """The handlers of a router's paths, of which the framework asks for one at a time and makes all."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def get(self, path: str, default: Any = None) -> Any:
        for route in self._router.routes:
            if route.path == path and isinstance(route, HTTPRoute):
                return {
                    method: handler for handler in route.route_handlers for method in handler.http_methods
                }
        return default


_signatures = Signatures()
rendering.Environment = partial(rendering.Environment, bytecode_cache=Kept())  # type: ignore[misc,assignment]
ParsedSignature.from_fn = _signatures.read  # type: ignore[method-assign]
SignatureModel.create = _signatures.made  # type: ignore[method-assign]
KwargsModel.create_for_signature_model = _signatures.filled  # type: ignore[method-assign]
router.deepcopy = _own  # type: ignore[attr-defined]
Litestar.route_handler_method_map = property(_Methods)  # type: ignore[assignment]
