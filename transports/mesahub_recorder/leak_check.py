"""The forms in which a key may stand in a cassette."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus


def forms_of(key: str) -> set[str]:
    """Texts of which none may be in a cassette: the key as it is, in JSON, in URLs, in base64 and in hexadecimal.

    In base64 a text looks different by where in the encoded bytes it begins, so there are three forms of it, each
    without the characters that its neighbours have a part in.
    """
    forms = {
        key,
        json.dumps(key)[1:-1],
        json.dumps(key, ensure_ascii=False)[1:-1],
        quote(key, safe=""),
        quote_plus(key),
    }
    raw = key.encode()
    if len(raw) >= 8:  # a short one would be found by chance
        forms |= {raw.hex(), raw.hex().upper()}
        for shift in range(3):
            padded = b"\0" * shift + raw
            whole = padded[: len(padded) // 3 * 3]
            text = base64.b64encode(whole).decode()[4 if shift else 0 :]
            forms |= {text, text.replace("+", "-").replace("/", "_")}
    return forms - {""}
