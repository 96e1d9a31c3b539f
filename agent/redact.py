"""Masks the secrets that the agent knows, wherever text leaves it."""

import base64
import json
import threading
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

MASK = "***"
SHORTEST = 6
"""Characters. Masking anything shorter would blacken ordinary words."""


class Redactor:
    """Knows secrets and takes them out of text. Safe to use from several threads."""

    def __init__(self, *, overlapping: bool = True) -> None:
        """Knows no secret yet.

        Args:
            overlapping: of secrets that overlap in a text, all are masked. Where somebody else chooses both the secrets and the text
                it must be off: a thousand secrets may end at each character of it. Then it is the first of them, the longest of those.
        """
        self._overlapping = overlapping
        self._lock = threading.Lock()
        self._forms: frozenset[str] = frozenset()
        self._found_by: AhoCorasick | None = None
        self.longest_bytes = 0
        """In UTF-8, of what is masked: text that is cut closer to a secret than this may cut it in two."""

    def add(self, *secrets: str | None) -> None:
        """From now on masks these too, also base64, URL-encoded or inside a JSON string.

        Of a secret with several lines each line is masked as well, because logs are read line by line.
        None and whatever is shorter than `SHORTEST` is ignored.
        """
        new = {form for secret in secrets if secret for form in _forms(secret)}
        with self._lock:
            if new <= self._forms:
                return
            self._forms |= new
            self._found_by = self._finder()
            self.longest_bytes = max(
                len(form.encode("utf-8", "surrogatepass")) for form in self._forms
            )

    def _finder(self) -> AhoCorasick:
        forms = sorted(self._forms)
        if self._overlapping:
            return AhoCorasick(forms, store_patterns=False)
        return AhoCorasick(
            forms,
            matchkind=MatchKind.LeftmostLongest,
            store_patterns=False,
            # The fastest takes a kilobyte for each character of every secret.
            implementation=Implementation.ContiguousNFA,
        )

    def mask(self, text: str) -> str:
        """The text with every known secret replaced by `***`; overlapping ones by one `***`."""
        spans = self.spans(text)
        if not spans:
            return text
        masked, end = "", 0
        for start, stop in spans:
            masked += text[end:start] + MASK
            end = stop
        return masked + text[end:]

    def mask_bytes(self, data: bytes) -> bytes:
        """As `mask`, for UTF-8; what is none stays as it is."""
        return self.mask(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def spans(self, text: str) -> list[tuple[int, int]]:
        """From where to where secrets are in the text, in order; overlapping ones are one."""
        finder = self._found_by
        if finder is None:
            return []
        found = _matches(finder, text, overlapping=self._overlapping)
        return _union((start, stop) for _, start, stop in found) if found else []


def _forms(secret: str) -> set[str]:
    parts = {secret, *(line.strip() for line in secret.splitlines())}
    forms: set[str] = set()
    for part in parts:
        if len(part) < SHORTEST:
            continue
        raw = part.encode("utf-8", "surrogatepass")
        in_json = (json.dumps(part, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
        in_base64 = (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
        forms |= {part, *in_json, quote(raw, safe=""), quote_plus(raw)}
        forms |= {encoded.rstrip(b"=").decode() for encoded in in_base64}
    return forms


def _matches(finder: AhoCorasick, text: str, *, overlapping: bool) -> list[tuple[int, int, int]]:
    """The finder wants UTF-8; lone surrogates, which UTF-8 cannot say, are in no secret."""
    try:
        return finder.find_matches_as_indexes(text, overlapping=overlapping)
    except UnicodeEncodeError:
        plain = text.encode("utf-8", "replace").decode()  # one `?` for each, so places stay
        return finder.find_matches_as_indexes(plain, overlapping=overlapping)


def _union(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
