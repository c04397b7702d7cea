"""Which code a callable is: its own source and that of everything of the user's own that it reaches.

Decides what is reached. From a function: the globals and closure variables that its code names, its defaults and
attributes, and what is imported within it; of own modules the one thing that is named (`helpers.clean`), or the whole
file and those that it imports where the module itself is used. From a class: its methods, bases and values. From
partial functions, wrappers, bound methods, callable objects and containers: what they hold. Values of simple types
count as they are when the call begins. Installed packages and Python count by the names in the source; which versions
ran is the setting's.

All that is a graph whose nodes are texts and values and whose edges are names, so that the digest depends on neither
paths, line numbers nor what else is in the same files. What could play a part and is not seen is in `not_covered`; a
text that is missing, or no longer what was loaded, leaves the callable without a digest.
"""

import functools
import re
import sys
import threading
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from ..parameters import holds_secret
from ..values import canonical
from .code import Code, framed_digest
from .holding import Attributes, Closure, Holder, is_still, weakly
from .local import is_our_class, is_own, is_own_class, is_own_function
from .references import (
    Name,
    OwnModule,
    changed_names,
    imported_modules,
    module_at,
    names_in,
    own_module,
    owner_of,
)
from .simple import MOST_ITEMS, form_of_simple
from .texts import NoText, text_of_class, text_of_function, text_of_module

_ABSENT: Any = object()
_GAP = ("gap",)
_MOST_REMEMBERED = 256
_MOST_OBJECTS = 2_000  # that are looked into
_MOST_TOLD = 40  # of what is not covered
_NAMED_ONLY = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.GenericAlias,
)
# Part of how Python works: what is of these kinds says nothing of what is computed.
_MACHINERY = frozenset(
    {"typing", "types", "logging", "abc", "contextvars", "_thread", "weakref", "_collections"}
)
_DUNDER = re.compile(r"__\w+__|_abc_impl")

_Check = Callable[[], bool]
_Reference = tuple[Any, ...]
_Named = list[tuple[str, _Reference | None]]


def callable_code(function: Callable[..., Any]) -> Code:
    """The code of a callable. Never raises; takes microseconds where nothing of it has changed since the last time.

    Args:
        function: A function, method, class, partial function or object that can be called.

    Returns:
        `digest`: `b3-code1:…` of its source and of what it reaches of the user's own; of its name if it is Python's or
        an installed package's; null where a text is `missing`. `not_covered`: what may play a part and is not in it.
    """
    key = (id(function), 0)
    if isinstance(function, types.MethodType):
        key = (id(function.__func__), id(function.__self__))
    with _LOCK:
        known = _REMEMBERED.get(key)
    try:
        if known is not None and known[0](function) and all(check() for check in known[1]):
            return known[2]
        walk = _Walk()
        code = walk.code(function)
    except Exception as error:  # objects of any kind are looked at, which may run any code
        reason = f"the code could not be looked at: {type(error).__name__}: {error}"
        return Code(digest=None, file=None, missing=reason)
    with _LOCK:
        _REMEMBERED[key] = (is_still(function), walk.checks, code)
        _REMEMBERED.move_to_end(key)
        while len(_REMEMBERED) > _MOST_REMEMBERED:
            _REMEMBERED.popitem(last=False)
    return code


# Ids → whether it is the same callable (ids are used again), what must hold still, and the code. Functions and objects
# are held weakly: they may hold data.
_REMEMBERED: OrderedDict[tuple[int, int], tuple[Callable[[Any], bool], list[_Check], Code]] = OrderedDict()
_LOCK = threading.Lock()


class _Walk:
    """One look at everything that a callable reaches."""

    def __init__(self) -> None:
        self.checks: list[_Check] = []
        self._found: list[Any] = []  # keeps them alive: no id is used twice
        self._numbers: dict[object, int] = {}
        self._gaps: dict[str, None] = {}
        self._missing: dict[str, None] = {}

    def code(self, function: Any) -> Code:
        start = self._refer(function, "it")
        if start is None:
            name = getattr(function, "__qualname__", type(function).__qualname__)
            start = ("name", f"{getattr(function, '__module__', None) or 'builtins'}:{name}")
        nodes = [self._node(thing) for thing in self._found]  # grows on the way
        digest = None if self._missing else framed_digest([b"callable", canonical((start, nodes))])
        missing = "; ".join(self._missing) or None
        gaps = list(self._gaps)
        if len(gaps) > _MOST_TOLD + 1:
            gaps[_MOST_TOLD:] = [f"{len(gaps) - _MOST_TOLD} more"]
        return Code(digest=digest, file=None, missing=missing, not_covered=tuple(gaps))

    # What a name stands for.

    def _refer(self, value: Any, label: str) -> _Reference | None:
        """How a node says what it refers to; null for what counts by its name in the source alone."""
        if isinstance(value, types.ModuleType):
            module = own_module(value.__name__) or module_at(value)
            return self._visit(module) if module is not None else None
        if isinstance(value, types.FunctionType):
            return self._visit(value) if is_own_function(value) else self._wrapped(value, label)
        if isinstance(value, types.MethodType | functools.partial | property | staticmethod | classmethod):
            return self._visit(value)
        if isinstance(value, functools.cached_property):
            return self._refer(value.func, label)
        if isinstance(value, type):
            return self._visit(value) if is_own_class(value) else None
        if isinstance(value, _NAMED_ONLY) or type(value) is object or type(value).__qualname__ == "ufunc":
            return None
        if (form := form_of_simple(value, label)) is not None:
            if holds_secret(label.rpartition(".")[2], value):
                self._gaps[f"{label}: a secret, which is never hashed"] = None
            return ("value", form)
        own = is_own_class(type(value))
        if own or (type(value) in (list, tuple, dict) and len(value) <= MOST_ITEMS):
            if len(self._found) < _MOST_OBJECTS:
                return self._visit(value)
            self._gaps[f"more than {_MOST_OBJECTS:,} objects"] = None
            return _GAP
        if callable(value) and _inner(value) is not None:
            return self._wrapped(value, label)
        if type(value).__module__ in _MACHINERY or is_our_class(type(value)):
            return None
        self._gaps[f"{label}: a {type(value).__module__}.{type(value).__qualname__}"] = None
        return _GAP

    def _wrapped(self, value: Any, label: str) -> _Reference | None:
        """What a package's decorator has wrapped; the wrapper itself is the package's."""
        inner, registry = _inner(value), getattr(value, "registry", None)
        still, same = weakly(value), is_still(inner)
        self.checks.append(lambda: same(_inner(still())))
        told = [self._refer(inner, label)] if inner is not None else []
        if isinstance(registry, Mapping):  # functools.singledispatch
            known = sorted(registry.items(), key=lambda item: f"{item[0].__module__}.{item[0].__qualname__}")
            told += [self._refer(one, label) for _, one in known]
            self.checks.append(
                lambda: sorted(map(id, registry.values())) == sorted(id(one) for _, one in known)
            )
        told = [one for one in told if one is not None]
        return ("wrapped", *told) if told else None

    def _visit(self, thing: Any) -> _Reference:
        key = thing if isinstance(thing, OwnModule) else id(thing)
        if key not in self._numbers:
            self._numbers[key] = len(self._found)
            self._found.append(thing)
        return ("node", self._numbers[key])

    def _held(self, holder: "Holder", key: str, label: str) -> _Reference | None:
        """What a namespace holds under a key; it is looked at again before the digest is given again."""
        value = holder.get(key, _ABSENT)
        if value is _ABSENT:
            self.checks.append(lambda: holder.get(key, _ABSENT) is _ABSENT)
            return None
        reference = self._refer(value, label)
        if reference == _GAP:
            kind = type(value)  # the data itself must not be held
            self.checks.append(lambda: type(holder.get(key, _ABSENT)) is kind)
        elif (
            reference is not None
            and reference[0] == "value"
            and not isinstance(value, str | bytes | int | float)
        ):
            form = reference[1]
            self.checks.append(lambda: form_of_simple(holder.get(key, _ABSENT), label) == form)
        else:
            same = is_still(value)
            self.checks.append(lambda: same(holder.get(key, _ABSENT)))
        return reference

    # What lies behind it.

    def _node(self, thing: Any) -> tuple[Any, ...]:
        if isinstance(thing, types.FunctionType):
            return self._texted("function", thing, self._function)
        if isinstance(thing, OwnModule):
            return self._texted("module", thing, self._module)
        if isinstance(thing, type):
            return self._texted("class", thing, self._class)
        if isinstance(thing, types.MethodType):
            return "method", self._all((thing.__func__, thing.__self__), thing.__qualname__)
        if isinstance(thing, functools.partial):
            named = tuple(
                (key, self._refer(value, f"partial.{key}")) for key, value in thing.keywords.items()
            )
            return "partial", self._all((thing.func, *thing.args), "an argument of partial"), named
        if isinstance(thing, property):
            return "property", self._all((thing.fget, thing.fset, thing.fdel), "a property")
        if isinstance(thing, staticmethod | classmethod):
            return type(thing).__name__, self._all((thing.__func__,), "a method")
        if type(thing) in (list, tuple, dict):
            return self._items(thing)
        return self._instance(thing)

    def _texted(self, kind: str, thing: Any, look: Callable[[Any], tuple[str, _Named]]) -> tuple[Any, ...]:
        try:
            text, references = look(thing)
        except NoText as reason:
            self._missing[str(reason)] = None
            return kind, "", ()
        return kind, text, tuple((name, one) for name, one in references if one is not None)

    def _all(self, things: Iterable[Any], label: str) -> tuple[_Reference | None, ...]:
        return tuple(self._refer(thing, label) for thing in things)

    def _items(self, container: "list[Any] | tuple[Any, ...] | dict[Any, Any]") -> tuple[Any, ...]:
        def now() -> list[Any]:
            if isinstance(container, dict):
                return [part for item in list(container.items()) for part in item]
            return list(container)

        items = now()
        self.checks.append(lambda: [id(one) for one in now()] == [id(one) for one in items])
        if isinstance(container, dict):
            pairs = [
                (self._refer(key, "a key"), self._refer(value, f"an item.{key}"))
                for key, value in container.items()
            ]
            return "dict", tuple(pairs)
        return type(container).__name__, self._all(items, "an item")

    def _function(self, function: types.FunctionType) -> tuple[str, _Named]:
        text, node = text_of_function(function)
        code, defaults, named = function.__code__, function.__defaults__, function.__kwdefaults__
        still = weakly(function)
        self.checks.append(
            lambda: (now := still()) is not None and now.__code__ is code and now.__defaults__ is defaults
        )
        label = function.__qualname__
        changed = changed_names(node)
        references: _Named = [
            (".".join((name.root, *name.attributes)), self._name(function, name, changed))
            for name in names_in(code)
        ]
        for name in imported_modules(node, function.__globals__.get("__package__")):
            if (module := own_module(name)) is not None:
                references.append((f"import {name}", self._visit(module)))
        taking = code.co_varnames[: code.co_argcount][-len(defaults or ()) :]
        for key, value in zip(taking, defaults or (), strict=False):
            references.append((f"default {key}", self._refer(value, f"{label} (default).{key}")))
        for key in named or {}:
            references.append((f"default {key}", self._held(named, key, f"{label} (default).{key}")))  # type: ignore[arg-type]
        for key in sorted(vars(function)):
            references.append((f"attribute {key}", self._held(Attributes(function), key, f"{label}.{key}")))
        if (owner := owner_of(function)) is not None:
            references.append(("class", self._refer(owner, label)))
        return text, references

    def _name(self, function: types.FunctionType, name: Name, changed: AbstractSet[str]) -> _Reference | None:
        holder: Holder = function.__globals__
        label = f"{function.__module__}.{name.root}"
        if name.free:
            holder, label = Closure(function), f"{function.__qualname__} (closure).{name.root}"
        key, attributes = name.root, list(name.attributes)
        value = holder.get(key, _ABSENT)
        if (
            key in changed
            and value is not _ABSENT
            and not callable(value)
            and not isinstance(value, types.ModuleType)
        ):
            self._gaps[f"{label}: {function.__qualname__} changes it"] = None
            return _GAP
        while isinstance(value, types.ModuleType) and attributes:
            self.checks.append(lambda holder=holder, key=key, value=value: holder.get(key, _ABSENT) is value)  # type: ignore[misc]
            if own_module(value.__name__) is None and module_at(value) is None:
                return None
            holder, key = vars(value), attributes.pop(0)
            label = f"{value.__name__}.{key}"
            value = holder.get(key, _ABSENT)
            if value is _ABSENT and (submodule := own_module(label)) is not None:  # not imported yet
                return self._visit(submodule)
        return self._held(holder, key, label)

    def _class(self, cls: type) -> tuple[str, _Named]:
        text = text_of_class(cls)
        size, bases = len(vars(cls)), cls.__bases__
        self.checks.append(lambda: len(vars(cls)) == size and cls.__bases__ is bases)
        references: _Named = [
            (f"base {n}", self._refer(one, label="")) for n, one in enumerate((*bases, type(cls)))
        ]
        for key, value in list(vars(cls).items()):
            if not _is_derived(key, value):
                references.append((key, self._held(vars(cls), key, f"{cls.__qualname__}.{key}")))
        return text, references

    def _instance(self, thing: Any) -> tuple[Any, ...]:
        name = type(thing).__qualname__
        state = getattr(thing, "__dict__", None)
        if not isinstance(state, dict):
            self._gaps[f"the state of a {name}"] = None
            return "instance", self._refer(type(thing), name)
        holder, size = Attributes(thing), len(state)
        self.checks.append(lambda: holder.count() == size)
        held = [(key, self._held(holder, key, f"{name}.{key}")) for key in sorted(map(str, state))]
        return "instance", self._refer(type(thing), name), tuple(one for one in held if one[1] is not None)

    def _module(self, module: OwnModule) -> tuple[str, _Named]:
        text, tree = text_of_module(module.file)
        state = module.state()
        self.checks.append(lambda: module.state() == state)
        loaded = sys.modules.get(module.name)
        for value in list(vars(loaded).values()) if loaded is not None else ():
            if isinstance(value, types.FunctionType) and value.__code__.co_filename == str(module.file):
                text_of_function(value)  # raises if the file is no longer what was loaded
        imported = [own_module(name) for name in imported_modules(tree, module.package)]
        return text, [
            (one.name, self._visit(one)) for one in imported if one is not None and one.file != module.file
        ]


def _inner(value: Any) -> Any:
    """What a decorator has wrapped: `functools.wraps` says it one way, compilers such as numba another."""
    inner = getattr(value, "__wrapped__", None)
    return inner if inner is not None else getattr(value, "py_func", None)


def _is_derived(key: str, value: Any) -> bool:
    """Whether an attribute of a class was made from its text: by Python, by dataclasses and the like."""
    if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
        return True
    if not _DUNDER.fullmatch(key):
        return False
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__  # of named tuples, __new__ is a text that Python has put together
        if not isinstance(value, types.FunctionType):
            return False
    if not isinstance(value, types.FunctionType):
        return True
    name = value.__code__.co_filename
    return not is_own(name) and not name.startswith("<ipython")
