"""Flags made of settings as they are declared (`wool_tf.settings`), and the settings that the flags stand for."""

import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

import console
from wool_tf import settings
from wool_tf.errors import BadSetting, as_text

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()

Holders = dict[str, flags.FlagHolder]
"""Flags by the field that they set."""

_DEFINE = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string, Path: flags.DEFINE_string}


def define(config: type, without: Sequence[str] = (), names: Mapping[str, str] | None = None) -> Holders:
    """Defines a flag for every declared setting of a dataclass, without bounds: the dataclass checks them.

    Arguments:
        config: the dataclass.
        without: fields that get no flag.
        names: of the flags that are called otherwise than their fields, by field.
    """
    found, kinds = {}, settings.types_of(config)
    for field, declared in settings.declared(config).items():
        if field not in without:
            # A field without a default has no attribute of the class.
            default = getattr(config, field, None)
            default = [as_text(item) for item in default] if isinstance(default, tuple) else default
            make = _DEFINE.get(kinds[field], flags.DEFINE_list)
            found[field] = make((names or {}).get(field, field), default, declared.explained)
    return found


def all_but(config: type, used: Sequence[str]) -> list[str]:
    """The settings of a dataclass that a script does not use, for `define(without=…)`."""
    return [field for field in settings.declared(config) if field not in used]


def build(config: type, holders: Holders, **others) -> Any:
    """The dataclass with the values of its flags, and others.

    Raises:
        BadSetting: a value breaks its rule; it is called by the name of its flag.
    """
    kinds = settings.types_of(config)
    given = {field: _value(holder, kinds[field]) for field, holder in holders.items()}
    try:
        return config(**given | others)
    except BadSetting as error:
        raise error.renamed({field: holder.name for field, holder in holders.items()}) from None


def _value(holder: flags.FlagHolder, kind) -> Any:
    """The value of a flag; a list of words becomes the tuple that the setting is."""
    if holder.value is not None and kind is Path:
        return console.path(holder.name, holder.value)
    if holder.value is None or kind in _DEFINE:
        return holder.value
    item, *_ = typing.get_args(kind)
    return tuple(holder.value) if item is str else console.numbers(holder.name, holder.value, item)
