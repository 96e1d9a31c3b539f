"""Masks the secrets that the agent knows, wherever text leaves it."""

import base64
import json
import threading
from typing import AnyStr
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 6
"""Characters. Masking anything shorter would blacken ordinary words."""


class Redactor:
    """Knows secrets and takes them out of text. Safe to use from several threads."""

    def __init__(self) -> None:
        """Knows no secret yet."""
        self._lock = threading.Lock()
        self._texts: tuple[str, ...] = ()
        self._bytes: tuple[bytes, ...] = ()

    def add(self, *secrets: str | None) -> None:
        """From now on masks these too, also base64, URL-encoded or inside a JSON string.

        Of a secret with several lines each line is masked as well, because logs are read line by line.
        None and whatever is shorter than `SHORTEST` is ignored.
        """
        new = {form for secret in secrets if secret for form in _forms(secret)}
        with self._lock:
            # Longest first: a secret inside another must not leave the rest of the other readable.
            self._texts = tuple(sorted(new.union(self._texts), key=lambda f: (-len(f), f)))
            self._bytes = tuple(form.encode("utf-8", "surrogatepass") for form in self._texts)

    def mask(self, text: str) -> str:
        """The text with every known secret replaced by `***`; overlapping ones by one `***`."""
        return _mask(text, self._texts, MASK)

    def mask_bytes(self, data: bytes) -> bytes:
        """As `mask`, for UTF-8."""
        return _mask(data, self._bytes, MASK.encode())


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


def _mask(text: AnyStr, forms: tuple[AnyStr, ...], mask: AnyStr) -> AnyStr:
    spans = [span for form in forms if form in text for span in _spans(text, form)]
    if not spans:
        return text
    masked, end = text[:0], 0
    for start, stop in _union(spans):
        masked += text[end:start] + mask
        end = stop
    return masked + text[end:]


def _spans(text: AnyStr, form: AnyStr) -> list[tuple[int, int]]:
    spans, at = [], text.find(form)
    while at >= 0:
        spans.append((at, at + len(form)))
        at = text.find(form, at + 1)
    return spans


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
