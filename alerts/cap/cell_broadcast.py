"""A warning as one text for cell broadcast: at most 1395 characters of the GSM alphabet (DE-Alert)."""

import unicodedata
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

from alerts.cap.document import NAMESPACE

LIMIT = 1395

_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""3GPP TS 23.038, 6.2.1: the basic table; every one of them is one character."""
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\N{DOUBLE LOW-9 QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}", '"'),
        **dict.fromkeys("\N{RIGHT DOUBLE QUOTATION MARK}«»", '"'),
        **dict.fromkeys("\N{SINGLE LOW-9 QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}", "'"),
        **dict.fromkeys("\N{RIGHT SINGLE QUOTATION MARK}\N{ACUTE ACCENT}\N{GRAVE ACCENT}", "'"),
        **dict.fromkeys("\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}", "-"),
        # two characters each in that alphabet
        **dict.fromkeys("[{", "("),
        **dict.fromkeys("]}", ")"),
        "€": "EUR",
        "\N{LATIN CAPITAL LETTER SHARP S}": "SS",
        "\t": " ",
    }
)


def broadcast_text(xml: bytes) -> str:
    """The text of a CAP document: German, then English as long as there is room for all of it.

    What to do comes before what happens, so that nothing that matters is cut off.
    """
    root = ElementTree.fromstring(xml, forbid_dtd=True)
    texts = [_said(info) for info in root.findall(f"{{{NAMESPACE}}}info")]
    text = _fit(texts[0], LIMIT) if texts else ""
    for each in texts[1:]:
        longer = f"{text}\n\n{_joined(each)}"
        if len(longer) <= LIMIT:
            text = longer
    return text


def gsm(text: str) -> str:
    """The text in the GSM alphabet: quotes and dashes plain, foreign letters without their marks."""
    letters = []
    for letter in unicodedata.normalize("NFC", text).translate(_PLAIN):
        if letter in _ALPHABET:
            letters.append(letter)
            continue
        letters += [each for each in unicodedata.normalize("NFKD", letter) if each in _ALPHABET] or ["?"]
    return "".join(letters)


def _said(info: Element) -> Sequence[str]:
    def of(name: str) -> str:
        found = [each.text or "" for each in info.findall(f"{{{NAMESPACE}}}{name}")]
        return gsm("; ".join(found)).strip()

    areas = [each.findtext(f"{{{NAMESPACE}}}areaDesc") or "" for each in info.findall(f"{{{NAMESPACE}}}area")]
    return (
        f"{of('senderName')}: {of('headline')}",
        gsm("; ".join(areas)),
        of("instruction"),
        of("description"),
        of("web"),
    )


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(each for each in parts if each)


def _fit(parts: Sequence[str], limit: int) -> str:
    """All parts; of what is too long the later ones are shortened first, the address of more stays."""
    *said, web = parts
    left = limit - (len(web) + 1 if web else 0)
    kept: list[str] = []
    for part in said:
        room = left - sum(len(each) + 1 for each in kept)
        if not part or room <= len("..."):
            continue
        kept.append(part if len(part) <= room else part[: room - 3].rsplit(" ", 1)[0] + "...")
    return _joined([*kept, web])
