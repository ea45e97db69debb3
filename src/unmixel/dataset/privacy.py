"""What a result tells of people and machines, and the same result without it."""

from __future__ import annotations

import getpass
import os
import platform
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path, PurePath
from typing import Any, TypeVar

from unmixel.dataset.card import CardRow
from unmixel.dataset.result import Result

T = TypeVar("T")

USER, HOST, REMOVED = "[user]", "[host]", "[removed]"
"""What stands in place of a name of a user, of a machine, and of a value that is about a person."""

_PERSONAL = frozenset({
    "account", "affiliation", "author", "authors", "computer", "computername", "contact", "email", "experimenter",
    "host", "hostname", "login", "operator", "operatorname", "owner", "person", "user", "username", "workstation",
})  # fmt: skip
"""Keys of metadata whose values are about a person or a machine, in lower case and without signs between words."""

_TELLS_NOTHING = frozenset({
    "admin", "administrator", "computer", "debian", "default", "desktop", "docker", "guest", "home", "host", "laptop",
    "local", "localdomain", "localhost", "nobody", "owner", "public", "removed", "root", "runner", "server", "shared",
    "ubuntu", "unknown", "user", "username", "users",
})  # fmt: skip
_SHORTEST = 3
"""Letters from which a name is looked for."""

_OF_RECIPES = r"(?!_(?:iter|at)(?![^\W_]))"
"""Somebody is called Max, and ``max_iter`` does not tell it."""

_OWN_WORDS = frozenset({"by", "fill", "kind", "light"})
"""Fields of nouns that hold one of the product's own few words."""

_START = r"(?:/|~(?:[A-Za-z_][\w.-]*)?[\\/]|[A-Za-z]:[\\/]|\\[\\/])"
_WHOLE = re.compile(rf"\s*{_START}")
_QUOTED = re.compile(rf"(?<=[\"'`]){_START}[^\"'`\n]*(?=[\"'`])")
_REST = r"[^\s\"'<>|;`]*"
_PATH = re.compile(
    r"(?P<web>https?://)(?:[^\s/@\"']*@)?"  # an address stays, without who logs in
    rf"|[A-Za-z][\w+.-]*://{_REST}"
    rf"|(?:(?<=[\s\"'`=:,;(\[{{<>|@])|^){_START}{_REST}"
    rf"|(?<![A-Za-z0-9])[A-Za-z]:[\\/]{_REST}"
)
_HOME = re.compile(
    r"(?:/home/|/Users/|[A-Za-z]:[\\/]+Users[\\/]+)([^\\/\n\"'`:;<>|]+)[\\/]|~([A-Za-z_][\w.-]*)[\\/]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Names:
    """Names that must not be told.

    Parameters
    ----------
    users : frozenset of str
        Of people and their accounts.
    hosts : frozenset of str
        Of machines.
    places : frozenset of str
        Whole paths, which are looked for as they stand, blanks and all.

    Examples
    --------
    >>> names = Names(users=frozenset({"Ada Lovelace"}))
    >>> scrubbed("measured by ada lovelace, /data/2024/MgO.zspy", names=names)
    'measured by [user], MgO.zspy'
    """

    users: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()

    @classmethod
    def here(cls) -> Names:
        """Return the names of who runs this process, and where; those that tell nothing (``root``) are left out."""
        return cls(frozenset(_users()), frozenset(_hosts()), frozenset({str(Path.home())})).telling

    @property
    def telling(self) -> Names:
        """The names that tell something: three letters or more, not numbers alone, and not ``root`` and the like."""
        users, hosts = (frozenset(filter(_tells, group)) for group in (self.users, self.hosts))
        return Names(users, hosts, self.places)

    def __or__(self, other: Names) -> Names:
        """Return the names of both."""
        return Names(self.users | other.users, self.hosts | other.hosts, self.places | other.places)


def _users() -> Iterator[str]:
    for key in ("USER", "LOGNAME", "USERNAME"):
        yield os.environ.get(key, "")
    try:
        yield getpass.getuser()
        import pwd

        yield pwd.getpwuid(os.getuid()).pw_gecos.split(",")[0]  # the name in full
    except (ImportError, KeyError, OSError):  # a system without accounts, an account without a name
        return


def _hosts() -> Iterator[str]:
    for name in (platform.node(), os.environ.get("HOSTNAME", ""), os.environ.get("COMPUTERNAME", "")):
        yield name
        yield name.split(".")[0]


def _tells(name: str) -> bool:
    bare = re.sub(r"[\W_]", "", name).lower()
    return len(bare) >= _SHORTEST and not bare.isdigit() and bare not in _TELLS_NOTHING


def private(result: Result, *, names: Names | None = None, keep: Collection[str] = ()) -> Result:
    """Return a result that tells no user name, host name or absolute path: the form in which it leaves a machine.

    Numbers stay as they are. In all text (recipe, record, data card, remarks, names of phases):

    - an absolute path (``/...``, ``~/...``, ``C:\\...``, ``\\\\server\\...``, ``file://...``) becomes its last part;
    - names of the user and the machine, and those that paths below ``/home``, ``/Users`` or ``C:\\Users`` tell, become
      ``[user]`` and ``[host]``;
    - values of keys about people and machines (``operator``, ``author``, ``host``, ...), as files of microscopes have
      them, become ``[removed]``.

    Relative paths stay. A name of fewer than three letters, or one such as ``root``, is not looked for.

    Parameters
    ----------
    result : Result
    names : Names, optional
        To look for beside those found in the result; those of this process by default.
    keep : collection of str
        Keys whose values are left as they are, such as ``("operator",)``.

    Returns
    -------
    Result
        A copy that lies in no folder.

    Examples
    --------
    >>> told = {"input": {"path": "/home/ada/scans/MgO.zspy"}, "operator": "Ada", "notes": ["by ada"]}
    >>> scrubbed(told, names=Names())
    {'input': {'path': 'MgO.zspy'}, 'operator': '[removed]', 'notes': ['by [user]']}
    """
    return scrubbed(replace(result, folder=None), names=names, keep=keep)


def scrubbed(value: T, *, names: Names | None = None, keep: Collection[str] = ()) -> T:
    """Return JSON-safe data, or a noun, as `private` does it.

    Parameters
    ----------
    value : mapping, list, str, dataclass, ...
    names, keep
        See `private`.
    """
    kept = frozenset(map(_bare, keep))
    known = (Names.here() if names is None else names) | _told(value, kept)
    cleaned: T = _Cleaner(known.telling, kept)(value)
    return cleaned


def _told(value: Any, kept: frozenset[str]) -> Names:
    """Return names that the data themselves tell, and the whole paths among them."""
    users: set[str] = set()
    places: set[str] = set()
    for key, text in _texts(value, kept):
        users |= {name.strip() for names in _HOME.findall(text) for name in names}
        if key in _PERSONAL and REMOVED not in text:
            users.add(text.strip())
        if _WHOLE.match(text) and "\n" not in text:
            places.add(text.strip())
    return Names(frozenset(users), places=frozenset(places))


def _texts(value: Any, kept: frozenset[str], key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with the key it stands under."""
    if isinstance(value, (str, PurePath)):
        yield key, str(value)
    elif isinstance(value, CardRow):
        yield from _texts(vars(value) | {"value": {value.label: value.value}}, kept)
    elif isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type)):
        for name, item in (value if isinstance(value, Mapping) else vars(value)).items():
            yield "", str(name)
            if _bare(str(name)) not in kept:
                yield from _texts(item, kept, _bare(str(name)))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _texts(item, kept, key)


def _bare(key: str) -> str:
    """Return a key in lower case without the signs between its words; empty where a name stood in it."""
    return "" if USER in key or HOST in key else re.sub(r"[\W_]", "", key).lower()


class _Cleaner:
    """Rewrites data, text by text."""

    def __init__(self, names: Names, kept: frozenset[str]) -> None:
        self.kept = kept
        places = sorted((place for place in names.places if len(place) > 1), key=len, reverse=True)
        self.places = (
            re.compile(rf"(?:{'|'.join(map(re.escape, places))})(?:[\\/]+{_REST})?") if places else None
        )
        groups = ((names.users, USER), (names.hosts, HOST))
        self.words = [(_any(group), mark) for group, mark in groups if group]

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, PurePath):
            return type(value)(self.text(str(value)))
        if isinstance(value, CardRow):
            told = self.under(value.label, value.value)
            return CardRow(self(value.label), told, value.light, self(value.reason))
        if isinstance(value, Mapping):
            return self.mapping(value)
        if is_dataclass(value) and not isinstance(value, type):
            changes = {
                item.name: self.under(item.name, getattr(value, item.name))
                for item in fields(value)
                if item.init and item.name not in _OWN_WORDS
            }
            return replace(value, **changes)
        if isinstance(value, (list, tuple, set, frozenset)):
            return type(value)(map(self, value))
        return value

    def under(self, key: str, value: Any) -> Any:
        """Return a value as it may stand under a key."""
        bare = _bare(key)
        if bare in self.kept:
            return value
        said = isinstance(value, (str, PurePath, Mapping, list, tuple)) and bool(value)
        return REMOVED if bare in _PERSONAL and said else self(value)

    def mapping(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return a mapping with clean keys, none of which is lost when two become the same."""
        clean: dict[Any, Any] = {}
        for key, item in value.items():
            name = self.text(key) if isinstance(key, str) else key
            free, number = name, 2
            while free in clean:
                free, number = f"{name} {number}", number + 1
            clean[free] = self.under(str(key), item)
        return clean

    def text(self, text: str) -> str:
        """Return text with paths cut to their last part, then names replaced."""
        if "/" in text or "\\" in text:
            text = "\n".join(map(self.line, text.split("\n")))
        for pattern, mark in self.words:
            text = pattern.sub(mark, text)
        return text

    def line(self, line: str) -> str:
        """Return a line of text with paths cut: quoted and known ones, which may hold blanks, before others."""
        if _WHOLE.match(line):
            return _last(line)
        line = _QUOTED.sub(lambda found: _last(found[0]), line)
        if self.places is not None:
            line = self.places.sub(lambda found: _last(found[0]), line)
        return _PATH.sub(lambda found: found["web"] or _last(found[0]), line)


def _any(names: frozenset[str]) -> re.Pattern[str]:
    """Return the pattern of any of these names as a word; signs and ``_`` part words."""
    listed = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![^\W_])(?:{listed})(?![^\W_]){_OF_RECIPES}", re.IGNORECASE)


def _last(path: str) -> str:
    """Return the last part of a path, or the text itself where it has no part."""
    parts = [part for part in re.split(r"[\\/]+", path.strip()) if part.strip()]
    return parts[-1].strip() if parts else path
