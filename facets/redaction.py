r"""Secrets stay out of events: what counts as a secret, and what stands in its place.

Decided here:

- **By name.** The value under a key that names a secret (`password`, `apiKey`,
  `spark.hadoop.fs.s3a.secret.key`), and the value beside such a name (`{"name": "db_password", "value":
  …}`), becomes the marker. Names are taken apart into words, so `tokenizer`, `max_tokens`, `pad_token`,
  `author`, `primary_key` and `secret_name` are no secrets. Objects whose keys are names of other things
  (facets, columns, packages) are not read as names of secrets.
- **By form.** Inside any text: passwords and signatures in URLs, `--password x`, `TOKEN=x`, `"secret": "x"`,
  authorization headers, private keys in PEM, and the tokens whose issuers gave them a recognisable prefix.
- The marker is `[redacted]`; within a URL it is percent-encoded, so that a URL stays one.
- Bare hexadecimal, UUIDs and digests are never taken for secrets by their form. Under the name of a secret
  even a UUID is one (it may be an API key), but a labelled digest (`b3-…:`, `sha256:`) is not, nor is a
  boolean or a float.

Redacting twice is redacting once. Every pattern is linear in the text, because names in events are
hostile. What this cannot see is a secret without a telling name or form; the emitter's allow-lists are the
first defence, not this.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

MARKER: Final = "[redacted]"
URL_MARKER: Final = "%5Bredacted%5D"

# Keys of these objects are names of facets, columns and packages, not of secrets.
_OBJECTS_KEYED_BY_NAMES: Final = frozenset(
    {"facets", "inputFacets", "outputFacets", "fields", "columnMetrics", "packages"}
)
# What sits beside a name and is a value of it. A column may be called `password`: so its `min` and `max`,
# and each `value` within its `top`.
_VALUE_KEYS: Final = frozenset({"value", "min", "max"})

# --- names ----------------------------------------------------------------------------------------

# Names in lower case, words joined by "_". A name ending like this says something about a secret, and is
# none.
_ABOUT_A_SECRET: Final = re.compile(
    r"(?:^|_)(?:accuracy|algorithm|class|count|dim|dir|enabled|endpoint|expir(?:ation|es|y)|file|format|host"
    r"|index|len|length|limit|loss|manager|method|mode|names?|path|policy|position|providers?|rate|ratio"
    r"|required|rotation|scheme|size|strength|ttl|types?|uri|url|version)$"
)
_STRONG: Final = re.compile(
    r"passw(?:or)?ds?|passphrase|passcode|(?:^|_)pwd(?:_|$)"
    r"|(?:^|_)(?:db|user|mysql|smtp|ftp|proxy|admin|root|pg|ssh)_?pass(?:_|$)"
    r"|secrets?(?:_|$)|secret(?:access)?key|credentials?(?:_|$)|azure_account_key|access_?keyid"
    r"|(?:api|access|private|secret|signing|encryption|decryption|session|shared|ssh|hmac|sas|storage)"
    r"_?keys?(?:_|$)"
)
_WEAK: Final = re.compile(
    r"(?:^|_)(?:auth|authorization|cookies?|jwt|bearer|jsessionid)$"
    r"|(?:access|api|auth|bearer|csrf|github|gitlab|oauth|refresh|security|session|slack|xsrf)_?tokens?$"
)
_TOKEN: Final = re.compile(r"(?:^|(?:^|_)([a-z0-9]+)_)token(?:_(?:value|text|string))?$")
# "token" after one of these is a piece of text that a model reads, or a unit of counting.
# fmt: off
_LANGUAGE_TOKEN: Final = frozenset((
    "additional", "audio", "begin", "blank", "bos", "boundary", "class", "cls", "context", "current",
    "decoder", "delimiter", "distill", "encoder", "end", "eod", "eos", "eot", "extra", "fim", "first",
    "image", "input", "last", "mask", "max", "middle", "min", "new", "next", "num", "output", "pad", "per",
    "prefix", "prev", "previous", "query", "sep", "separator", "sot", "source", "special", "start", "stop",
    "sub", "suffix", "target", "unk", "video", "vocab", "word",
))
# fmt: on
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS: Final = re.compile(r"[ !#-/:;<>?@\[\]^_`{|}~]+")
# A sentence, a path or a URL is no name, whatever words are in it.
_NAME_LIKE: Final = re.compile(r"-{0,2}[\w$][\w.$-]*+(?:[: ][\w.$-]++){0,3}")


def _secrecy(name: str) -> int:
    """2: texts and integers under this name are secret; 1: texts are; 0: nothing is."""
    return _secrecy_of_short(name) if len(name) <= 200 else 0


@lru_cache(maxsize=4096)
def _secrecy_of_short(name: str) -> int:
    if _NAME_LIKE.fullmatch(name) is None:
        return 0
    ascii_name = name.encode("ascii", "replace").decode()
    words = _BETWEEN_WORDS.sub("_", _CAMEL.sub("_", ascii_name).lower()).strip("_")
    if _ABOUT_A_SECRET.search(words):
        return 0
    if _STRONG.search(words):
        return 2
    if _WEAK.search(words):
        return 1
    token = _TOKEN.search(words)
    return 1 if token and token[1] not in _LANGUAGE_TOKEN else 0


def is_secret_name(name: str) -> bool:
    """True if the value of something so called is to be kept out of events."""
    return _secrecy(name) > 0


# --- forms ----------------------------------------------------------------------------------------

_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_URL: Final = re.compile(r"(?:\bjdbc:|://)[^\s\"'<>`\\]*", re.IGNORECASE | re.ASCII)
# scheme://user:password@host, up to the last @ of the authority; also a password with an unescaped slash,
# unless what follows the colon is a port or a Windows path.
_USERINFO: Final = re.compile(
    r"(?<=://)([^\s/?#:@\[]{0,256}):(?![/\\]|\d{1,5}(?:[,/?#]|$))(?:[^\s/?#]+@|[^\s@]{1,256}@)"
)
_ORACLE: Final = re.compile(
    r"(\bjdbc:oracle:\w{1,10}:[^\s/@:]{1,256})/[^\s/@]{1,256}@", re.IGNORECASE | re.ASCII
)
_URL_ONLY_NAMES: Final = frozenset(
    {"sig", "signature", "x-amz-signature", "x-goog-signature", "awsaccesskeyid"}
)
_URL_HEAD: Final = re.compile(r"(?<![\w.%-])([\w.%-]{1,100}+)=")
_URL_VALUE: Final = re.compile(r"\{[^}]*\}|[^&;#]+")

_AUTHORIZATION: Final = re.compile(
    r"\b((?:proxy-)?authorization\\?[\"']?\s{0,8}[:=]\s{0,8}\\?[\"']?)"
    r"(?:(?:basic|bearer|token|digest|negotiate|apikey)\s{1,8})?[^\s\"',;\\\[]+",
    re.IGNORECASE | re.ASCII,
)
_BEARER: Final = re.compile(
    r"\b(bearer\s{1,8})(?=\S{0,512}[\d._~+/-])[\w.~+/-]{8,}=*", re.IGNORECASE | re.ASCII
)
_COOKIE: Final = re.compile(
    r"\b((?:set-)?cookie\\?[\"']?:\s{0,8}\\?[\"']?)(?!\[redacted\])[^\s\"'\\][^\r\n\"'\\]*", re.IGNORECASE
)
_IDENTIFIED_BY: Final = re.compile(r"\b(identified\s{1,8}by\s{1,8})'[^']*'", re.IGNORECASE | re.ASCII)
# Forms fixed by their issuers: AWS key ids, GitHub, GitLab, Slack, JSON Web Tokens, Hugging Face, OpenAI and
# Anthropic, Google, npm, PyPI.
_TOKENS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:A[KS]IA[0-9A-Z]{16}(?![0-9A-Za-z])|gh[pousr]_[A-Za-z0-9]{20,255}"
    r"|github_pat_\w{20,255}|glpat-[\w-]{20,255}|xox[a-z]-[A-Za-z0-9-]{10,255}|eyJ[\w-]{8,512}\.eyJ[\w-]{4,8192}\.[\w-]*"
    r"|hf_[A-Za-z0-9]{30,255}|sk-(?=[\w-]{0,255}\d)[A-Za-z0-9][\w-]{19,255}|AIza[\w-]{35}"
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,512})"
)

_NAME: Final = r"(?<![\w.%-])(-{0,2}[A-Za-z_][\w.-]{0,100}+)"
_EQUALS_HEAD: Final = re.compile(_NAME + r"\\?[\"'`]?[ \t]{0,8}(?:=>|:=|=(?!=))[ \t]{0,8}")
_COLON_HEAD: Final = re.compile("(?<!/)" + _NAME + r"\\?[\"'`]?[ \t]{0,8}:(?!=|//)[ \t]{0,8}")
_FLAG_HEAD: Final = re.compile(r"(?<![\w.%-])(--?[A-Za-z][\w.-]{0,100}+)[ \t]{1,8}(?!-)")
_SQL_HEAD: Final = re.compile(_NAME + r"[\"'`]?\s{1,8}(?=')")
_PLAIN: Final = r"[^\s&;,\"'<>()\[\]{}|\\]"
_QUOTED: Final = r"\\\"[^\"\\]*\\\"|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*'|[\"'][^\s\"'\[]+"
# What is called or indexed is code, not a value.
_VALUE: Final = re.compile(rf"{_QUOTED}|{_PLAIN}++(?![(\[])", re.DOTALL)
# After a colon, letters alone are a type or prose.
_COLON_VALUE: Final = re.compile(rf"{_QUOTED}|(?=[A-Za-z]*+{_PLAIN}){_PLAIN}++(?![(\[])", re.DOTALL)
_DIRECTORY: Final = re.compile(r"[\"']?(?:[/~]|[A-Za-z]:[/\\])")  # PWD is a directory to every shell
_OPENING_QUOTE: Final = re.compile(r"\\?[\"']")


def _replace_values(
    text: str, head: re.Pattern[str], value: re.Pattern[str], secret: Callable[[str], bool], marker: str
) -> str:
    """Put the marker in place of each value whose head names a secret; quotes around it stay."""
    pieces: list[str] = []
    done = 0
    for found in head.finditer(text):
        if found.start() < done or not secret(found[1]):
            continue
        whole = value.match(text, found.end())
        if whole is None or not whole[0].strip("\"'\\") or whole[0].startswith(URL_MARKER):
            continue
        if found[1].lower() == "pwd" and _DIRECTORY.match(whole[0]):
            continue
        quote = _OPENING_QUOTE.match(whole[0])
        pieces += [text[done : whole.start()], f"{quote[0]}{marker}{quote[0]}" if quote else marker]
        done = whole.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _is_secret_parameter(name: str) -> bool:
    return is_secret_name(name) or name.lower() in _URL_ONLY_NAMES


def _redact_url(found: re.Match[str]) -> str:
    url = _USERINFO.sub(rf"\1:{URL_MARKER}@", found[0])
    url = _ORACLE.sub(rf"\1/{URL_MARKER}@", url)
    url = _replace_values(url, _URL_HEAD, _URL_VALUE, _is_secret_parameter, URL_MARKER)
    return _TOKENS.sub(URL_MARKER, url)


def _redact_text(text: str) -> str:
    if _TEXT_HINT.search(text) is None:
        return text
    return _redact_short(text) if len(text) <= 100 else _redact_forms(text)


@lru_cache(maxsize=4096)  # URLs of schemas and producers, digests: they recur within and between events
def _redact_short(text: str) -> str:
    return _redact_forms(text)


def _redact_forms(text: str) -> str:
    if not may_hold_secret(text.encode("utf-8", "surrogatepass")):
        return text
    text = _PEM.sub(MARKER, text)
    text = _URL.sub(_redact_url, text)
    text = _AUTHORIZATION.sub(rf"\1{MARKER}", text)
    text = _BEARER.sub(rf"\1{MARKER}", text)
    text = _COOKIE.sub(rf"\1{MARKER}", text)
    text = _IDENTIFIED_BY.sub(rf"\1'{MARKER}'", text)
    for head, value in (
        (_EQUALS_HEAD, _VALUE),
        (_COLON_HEAD, _COLON_VALUE),
        (_FLAG_HEAD, _VALUE),
    ):
        text = _replace_values(text, head, value, is_secret_name, MARKER)
    text = _replace_values(text, _SQL_HEAD, _VALUE, lambda name: _secrecy(name) == 2, MARKER)
    return _TOKENS.sub(MARKER, text)


# --- values ---------------------------------------------------------------------------------------

_LABELLED_DIGEST: Final = re.compile(r"(?:b3-[a-z0-9]+|sha256|sha512):[0-9a-f]{32,}")
_LANGUAGE_MARK: Final = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")  # <pad>, [MASK]
_FLAG: Final = re.compile(r"--?[A-Za-z][\w.-]*")


def _blank(name: str, value: Any) -> Any:
    """The value that stands under the name of a secret, with every text in it replaced."""
    if isinstance(value, str):
        kept = (
            value in ("", MARKER)
            or _LABELLED_DIGEST.fullmatch(value)
            or (_secrecy(name) == 1 and _LANGUAGE_MARK.fullmatch(value))
            or (name.lower() == "pwd" and _DIRECTORY.match(value))
        )
        return _redact_text(value) if kept else MARKER
    if isinstance(value, dict):
        return _with_safe_keys({key: _blank(name, item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return [_blank(name, item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and _secrecy(name) == 2:
        return MARKER
    return value


def _with_safe_keys(value: dict[str, Any]) -> dict[str, Any]:
    """The same object, secrets in its keys replaced; keys that differed in their secret only all stay."""
    safe: dict[str, Any] = {}
    for key, item in value.items():
        safe_key = _redact_text(key)
        while safe_key != key and (safe_key in safe or safe_key in value):
            safe_key += "'"
        safe[safe_key] = item
    return safe


def _redact_object(value: dict[str, Any], names_are_secret: bool, owner: str | None) -> dict[str, Any]:
    for name in (value.get("name"), value.get("key")):
        if isinstance(name, str) and is_secret_name(name):
            owner = name
    redacted: dict[str, Any] = {}
    for key, item in value.items():
        if owner is not None and key in _VALUE_KEYS and isinstance(item, str):
            new = _blank(owner, item)
        elif names_are_secret and not isinstance(item, bool | float) and is_secret_name(key):
            new = _blank(key, item)
        else:
            new = _redact(item, key not in _OBJECTS_KEYED_BY_NAMES, owner if key == "top" else None)
        redacted[key] = new
    return _with_safe_keys(redacted)


def _redact_list(value: list[Any] | tuple[Any, ...], owner: str | None) -> list[Any]:
    redacted: list[Any] = []
    flag = False
    for item in value:
        if flag and isinstance(item, str) and not item.startswith("--"):
            item = _blank("password", item)
            flag = False
        else:
            flag = isinstance(item, str) and bool(_FLAG.fullmatch(item)) and is_secret_name(item)
            item = _redact(item, True, owner)
        redacted.append(item)
    return redacted


def _redact(value: Any, names_are_secret: bool, owner: str | None) -> Any:
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, dict):
        return _redact_object(value, names_are_secret, owner)
    if isinstance(value, list | tuple):
        return _redact_list(value, owner)
    return value


def redact(value: Any) -> Any:
    """A copy of a JSON value with the secrets in it replaced.

    Args:
        value: None, bool, int, float, str, or lists and str-keyed dicts of these. Anything else in it
        stays as it is.
    """
    return _redact(value, True, None)


# What an event without secrets lacks: each of these is looked for in its whole text, so that such an event
# costs a few microseconds. The stems are compared in lower case and without what separates words.
# fmt: off
_STEMS: Final = (
    b"pass", b"pwd", b"secret", b"token", b"credential", b"auth", b"cookie", b"jwt", b"bearer",
    b"signature", b"sig=", b"jsessionid", b"identified",
)
_KEY_STEMS: Final = (
    b"accesskey", b"accountkey", b"apikey", b"decryptionkey", b"encryptionkey", b"hmackey", b"privatekey",
    b"saskey", b"sessionkey", b"sharedkey", b"signingkey", b"sshkey", b"storagekey",
)
_PREFIXES: Final = (
    b"@", b"github_pat_", b"glpat-", b"xox", b"eyJ", b"hf_", b"sk-", b"npm_", b"pypi-", b"-----BEGIN",
)
# One search instead of several, as each begins with letters of its own.
_PREFIX_FORMS: Final = (re.compile(rb"gh[pousr]_"), re.compile(rb"A(?:[KS]IA|Iza)"))
# fmt: on
_BESIDE_STEMS: Final = bytes(set(range(256)) - set(b"abcdefghijklmnopqrstuvwxyz0123456789="))
# One text with a secret in it has one of these besides.
_TEXT_HINT: Final = re.compile(
    r"[=@\s]|:(?!//)|-----BEGIN|A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox|eyJ|hf_|sk-|AIza|npm_|pypi-"
)


def may_hold_secret(document: bytes) -> bool:
    """False only if `redact` would leave the value of this UTF-8 JSON text as it is."""
    compact = document.lower().translate(None, _BESIDE_STEMS)
    return (
        any(map(compact.__contains__, _STEMS))
        or (b"key" in compact and any(map(compact.__contains__, _KEY_STEMS)))
        or any(map(document.__contains__, _PREFIXES))
        or any(form.search(document) for form in _PREFIX_FORMS)
    )
