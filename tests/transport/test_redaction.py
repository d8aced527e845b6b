"""The token is found in every spelling that a store may say it back in, and nothing else is taken for it."""

import base64
import json
import re
from html import unescape
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.transport.redaction import MIN_PREFIX, REDACTED, TokenRedactor

TOKEN = "s3cr/eT+0KEN=0123456789.abcdef"
SPELLINGS = {
    "plain": TOKEN,
    "large letters": TOKEN.upper(),
    "PHP's JSON": TOKEN.replace("/", "\\/"),
    "every letter escaped": "".join(f"\\u{ord(letter):04x}" for letter in TOKEN),
    "every letter escaped, large": "".join(f"\\u{ord(letter):04X}" for letter in TOKEN),
    "JSON in JSON": json.dumps(json.dumps(TOKEN.replace("/", "\\/")))[3:-3],
    "every letter escaped twice": "".join(f"\\\\u{ord(letter):04x}" for letter in TOKEN),
    "some letters escaped": TOKEN.replace("0", "\\u0030").replace("/", "\\u002f"),
    "a form's field": quote(TOKEN, safe=""),
    "every letter in per cent": "".join(f"%{ord(letter):02X}" for letter in TOKEN),
    "every letter in per cent, small": "".join(f"%{ord(letter):02x}" for letter in TOKEN),
    "per cent twice": quote(quote(TOKEN, safe=""), safe=""),
    "hexadecimal escapes": "".join(f"\\x{ord(letter):02x}" for letter in TOKEN),
    "HTML": "".join(f"&#{ord(letter)};" for letter in TOKEN),
    "HTML, hexadecimal": "".join(f"&#x{ord(letter):X};" for letter in TOKEN),
    "base64": base64.b64encode(TOKEN.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(TOKEN.encode()).decode(),
    "base64 of name and token": base64.b64encode(f"a:{TOKEN}".encode()).decode(),
    "base64 of more": base64.b64encode(f"user:{TOKEN}!".encode()).decode(),
    "base64 in PHP's JSON": base64.b64encode(b"??" + TOKEN.encode()).decode().replace("/", "\\/"),
    "base64 in a query": quote(base64.b64encode(TOKEN.encode()).decode(), safe=""),
}
QUICKLY = [name for name in SPELLINGS if name.split()[0] in {"plain", "PHP's", "every", "a", "base64"}]


def decoded(text: str) -> set[str]:
    """What somebody could make of a text, decoding what can be decoded, up to three times over."""
    known = {text}
    for _ in range(3):
        for each in list(known):
            letters = re.sub(
                r"\\(?:u00|x)([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), each, flags=re.IGNORECASE
            )
            known |= {letters, re.sub(r"\\(.)", r"\1", each), unquote(each), unescape(each)}
    for each in list(known):
        for word in re.findall(r"[A-Za-z0-9+/_-]{8,}", each):
            for start in range(4):
                cut = word[start:].replace("-", "+").replace("_", "/")
                known.add(base64.b64decode(cut + "A" * (-len(cut) % 4)).decode("latin-1"))
    return known


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_taken_out(spelling):
    """Nobody can decode it from what is left, and what stood around it is left."""
    assert any(TOKEN.lower() in each.lower() for each in decoded(SPELLINGS[spelling])), "the test itself can see it"
    left = TokenRedactor(TOKEN).redact(f"the token {SPELLINGS[spelling]} is wrong; {SPELLINGS[spelling]}!")
    assert not any(TOKEN.lower()[:MIN_PREFIX] in each.lower() for each in decoded(left))
    assert left.count(REDACTED) == 2
    assert left.startswith("the token ")
    assert left.endswith("!")


@pytest.mark.parametrize("spelling", QUICKLY)
def test_what_is_natural_is_seen_at_a_glance(spelling):
    """Good answers are only looked at so; raw bytes of any encoding are no trouble."""
    secret = TokenRedactor(TOKEN)
    body = b'\xff{"description": "' + SPELLINGS[spelling].encode() + b'"}\xfe'
    assert secret.may_contain(body)
    assert not secret.may_contain(secret.redacted_bytes(body))
    assert not secret.may_contain(b'\xff{"description": "\\u00e9 50%"}' * 9)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_that_was_cut_off_is_taken_out_as_far_as_it_goes(spelling):
    """Texts are shown shortened; half a token is a secret as well."""
    whole = SPELLINGS[spelling]
    left = TokenRedactor(TOKEN).redact(f"so {whole[: len(whole) * 2 // 3]}")
    assert not any(TOKEN.lower()[:MIN_PREFIX] in each.lower() for each in decoded(left))


@given(st.text(alphabet=st.sampled_from("\\u0%x&#;2573s3cr/eT+0KEN=123456789.abdf"), max_size=60))
def test_nothing_but_the_token_is_taken_out(text):
    """What comes out lacks no letter unless the token began there; to take out twice changes nothing more."""
    secret = TokenRedactor(TOKEN)
    left = secret.redact(text)
    assert (left == text) == (REDACTED not in left)
    assert secret.redact(left) == left


@pytest.mark.parametrize(
    "token", ["x", "ab", "a/b", "\\\\", "%41", "&", "[token]", "x" * 5000], ids=lambda each: each[:8]
)
def test_any_token_can_be_taken_out(token):
    """Short ones, strange ones, long ones."""
    assert TokenRedactor(token).redact(f"<{token}>") == f"<{REDACTED}>"
    assert token not in repr(TokenRedactor(token)) or token in "Secret()"
