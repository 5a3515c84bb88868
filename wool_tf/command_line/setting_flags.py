"""Flags made of settings as they are declared (`wool_tf.settings`), and the settings that the flags stand for."""

import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from absl import flags

from wool_tf import settings
from wool_tf.command_line import flag_values
from wool_tf.errors import BadSetting, as_text

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()

Holders = dict[str, flags.FlagHolder]
"""Flags by the field that they set."""

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    Path: flags.DEFINE_string,
}


def define(
    config: type,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    names: Mapping[str, str] | None = None,
    defaults: Mapping[str, object] | None = None,
    several: bool = False,
) -> Holders:
    """Defines a flag for every declared setting of a dataclass, without bounds: the dataclass checks them.

    Arguments:
        config: the dataclass.
        only: fields that get a flag; None: all.
        without: fields that get none.
        names: of the flags that are called otherwise than their fields, by field.
        defaults: of the flags that have others than their fields, by field; several as tuples.
        several: whether the flags take several values of what is one in the dataclass.
    """
    found, kinds = {}, settings.types_of(config)
    for field, declared in settings.declared(config).items():
        if field not in without and (only is None or field in only):
            # A field without a default has no attribute of the class.
            default = (defaults or {}).get(field, getattr(config, field, None))
            if several and not isinstance(default, tuple):
                default = (default,)
            default = [as_text(item) for item in default] if isinstance(default, tuple) else default
            make = flags.DEFINE_list if several else _DEFINE.get(kinds[field], flags.DEFINE_list)
            found[field] = make((names or {}).get(field, field), default, declared.explained)
    return found


def build(config: type, holders: Holders, **others: object) -> Any:
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


def values(config: type, holders: Holders) -> dict[str, Any]:
    """The values of flags by field, each checked by itself, for scripts that need no whole dataclass.

    Raises:
        BadSetting: a value breaks its rule; it is called by the name of its flag.
    """
    declared, kinds = settings.declared(config), settings.types_of(config)
    found = {}
    for field, holder in holders.items():
        found[field] = _value(holder, kinds[field])
        if found[field] == () and kinds[field] in _DEFINE:
            raise BadSetting(holder.name, (), "give at least one value")
        declared[field].check(holder.name, found[field])
    return found


def _value(holder: flags.FlagHolder, kind: Any) -> Any:
    """The value of a flag; a list of words becomes the tuple that the setting is, or of values of the setting."""
    if holder.value is not None and kind is Path:
        return flag_values.path(holder.name, holder.value)
    if not isinstance(holder.value, list):
        return holder.value
    item = kind if kind in _DEFINE else typing.get_args(kind)[0]
    return tuple(holder.value) if item is str else flag_values.numbers(holder.name, holder.value, item)
