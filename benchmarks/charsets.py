"""Measure charset detection for the region: the share of texts decoded exactly, against peers.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/charsets.py FOLDER [--crawl WARC]

FOLDER holds <language>.txt files with one sentence per line. Each of 32 pairs of language and
charset is built from them as plain text without a declaration, cut to 60, 300 and 2,000 characters.
Letters that old charsets lacked are written in their substitute spelling (Azerbaijani `ə` as `ä`,
Romanian `ș` with a cedilla). Sentences that the charset cannot encode are left out. A text is right
if all its characters are decoded exactly.

WARC is a crawl with an index beside it (`NAME.index.tsv`), which has the columns `url` and
`true_encoding_label`. A page is right if its text equals the text by that label.
charset-normalizer is measured if it is installed.

Then the same texts, decoded with a wrong charset, are repaired. All sentences of the folder, alone
and ten at a time, are passed to the repair, which must change none.
"""

from __future__ import annotations

import argparse
import codecs
import csv
import importlib.util
import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines.ingest.decoding.charset import decode
from pipelines.ingest.decoding.mojibake import repair

PAIRS: dict[str, tuple[str, ...]] = {
    "ru": ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic", "cp855"),
    "uk": ("cp1251", "koi8-u", "cp1125", "iso8859-5"),
    "be": ("cp1251", "iso8859-5"),
    "kk": ("kz1048", "ptcp154"),
    "ky": ("ptcp154",),
    "tt": ("ptcp154",),
    "ba": ("ptcp154",),
    "tg": ("koi8-t",),
    "az": ("cp1254",),
    "et": ("cp1257", "iso8859-4", "iso8859-13"),
    "lv": ("cp1257", "iso8859-4", "iso8859-13"),
    "lt": ("cp1257", "iso8859-4", "iso8859-13"),
    "ro": ("cp1250", "iso8859-2"),
    "tr": ("cp1254", "iso8859-9"),
}
#: Substitute spellings of letters that old charsets lacked.
SPELLINGS = {
    "az": str.maketrans("əƏ", "äÄ"),
    "ro": str.maketrans("șțȘȚ", "şţŞŢ"),
}
#: (language, charset, the charset that it is misread as).
MISREAD = (
    ("uk", "koi8-u", "koi8-r"),
    ("kk", "kz1048", "cp1251"),
    ("tt", "ptcp154", "cp1251"),
    ("ky", "ptcp154", "cp1251"),
    ("tg", "koi8-t", "koi8-r"),
    ("uk", "cp1125", "cp866"),
    ("ru", "cp1251", "cp1252"),
    ("ru", "cp1251", "koi8-r"),
    ("ru", "koi8-r", "cp1251"),
    ("ru", "cp866", "cp1251"),
    ("ru", "cp1251", "cp866"),
    ("tr", "cp1254", "cp1252"),
    ("az", "cp1254", "cp1252"),
    ("lt", "cp1257", "cp1252"),
    ("lv", "cp1257", "cp1252"),
    ("ro", "cp1250", "cp1252"),
    *((la, "utf-8", w) for la in ("ru", "kk", "lt", "ka") for w in ("cp1251", "cp1252", "koi8-r")),
)
SIZES = (60, 300, 2000)
ENOUGH = 0.99  # the least share of texts decoded exactly
Decoder = Callable[[bytes], str | None]


def texts(folder: Path, language: str, charset: str, size: int, number: int) -> list[str]:
    """Return up to `number` different texts of `size` characters that the charset can encode."""
    sentences = []
    for line in (folder / f"{language}.txt").read_text("utf-8").splitlines():
        sentence = line.strip().translate(SPELLINGS.get(language, {}))
        if _fits(sentence, charset):
            sentences.append(sentence)
    joined = " ".join(sentences)
    return [joined[i : i + size] for i in range(0, len(joined) - size + 1, size)][:number]


def _fits(text: str, charset: str) -> bool:
    try:
        return text.encode(charset).decode(charset) == text
    except UnicodeError:
        return False


def ours(payload: bytes) -> str | None:
    decoded = decode(payload)
    return decoded and decoded.text


def chardet_alone(payload: bytes) -> str | None:
    import chardet

    return _decode_as(payload, chardet.detect(payload)["encoding"])


def charset_normalizer_alone(payload: bytes) -> str | None:
    best = importlib.import_module("charset_normalizer").from_bytes(payload).best()
    return _decode_as(payload, best and best.encoding)


def _decode_as(payload: bytes, name: str | None) -> str | None:
    try:
        return payload.decode(name) if name else None
    except (UnicodeError, LookupError):
        return None


def installed_decoders() -> dict[str, Decoder]:
    """Return the decoders to measure, by name."""
    decoders: dict[str, Decoder] = {"ours": ours, "chardet": chardet_alone}
    if importlib.util.find_spec("charset_normalizer"):
        decoders["charset-normalizer"] = charset_normalizer_alone
    return decoders


def measure_decoder(decoder: Decoder, samples: list[str], charset: str) -> tuple[float, float]:
    """Return the share of texts decoded exactly, and texts per second of one core."""
    payloads = [text.encode(charset) for text in samples]
    start = time.process_time()
    decoded = [decoder(payload) for payload in payloads]
    seconds = time.process_time() - start
    right = sum(map(str.__eq__, map(str, decoded), samples))
    return right / len(samples), len(samples) / max(seconds, 1e-9)


def table(folder: Path, number: int) -> bool:
    """Print the table of all pairs; return whether our share is high enough at the longer sizes."""
    methods = installed_decoders()
    print("| pair | texts | " + " | ".join(f"{name}, {SIZES}" for name in methods) + " |")
    print("|---|---|" + "---|" * len(methods))
    shares: dict[tuple[str, int], list[float]] = {}
    rates: dict[tuple[str, int], list[float]] = {}
    short = []
    for language, charset in ((la, c) for la, charsets in PAIRS.items() for c in charsets):
        samples = {size: texts(folder, language, charset, size, number) for size in SIZES}
        cells = []
        for name, decoder in methods.items():
            row = []
            for size in SIZES:
                share, rate = measure_decoder(decoder, samples[size], charset)
                shares.setdefault((name, size), []).append(share)
                rates.setdefault((name, size), []).append(rate)
                row.append(share)
                if name == "ours" and size > SIZES[0] and share < ENOUGH:
                    short.append(f"{language} {charset} at {size}: {share:.3f}")
            cells.append(" ".join(f"{share:.3f}" for share in row))
        counted = "/".join(str(len(sized)) for sized in samples.values())
        print(f"| {language} {charset} | {counted} | " + " | ".join(cells) + " |", flush=True)
    for title, figures, form, mean in (
        ("macro", shares, "{:.4f}", statistics.fmean),
        ("texts/s", rates, "{:.0f}", statistics.harmonic_mean),
    ):
        row = [" ".join(form.format(mean(figures[name, s])) for s in SIZES) for name in methods]
        print(f"| **{title}** | | " + " | ".join(row) + " |")
    print("\n".join(["", f"pairs under {ENOUGH}: {len(short)}", *short]))
    return not short


def pages(warc: Path) -> Iterator[tuple[str, str, str | None, bytes]]:
    """Yield (url, true charset, Content-Type, body) of each page in the index."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    index = warc.with_name(warc.name.removesuffix(".warc.gz") + ".index.tsv")
    with index.open(encoding="utf-8", newline="") as file:
        truth = {row["url"]: row for row in csv.DictReader(file, delimiter="\t")}
    with warc.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            row = truth.get(record.headers["WARC-Target-URI"])
            if row:
                sent = record.http_headers and record.http_headers.get("Content-Type")
                yield (
                    row["url"],
                    _charset_of_label(row["true_encoding_label"]),
                    sent,
                    record.reader.read(),
                )


def _charset_of_label(label: str) -> str:
    """Return the charset of a label. Some labels name the language: `iso-8859-5-bulgarian`."""
    try:
        return codecs.lookup(label).name
    except LookupError:
        return codecs.lookup(re.sub("-[a-z]+$", "", label)).name


def crawl(warc: Path) -> bool:
    """Print the share of pages decoded right, with and without declarations, and each wrong page.

    Returns:
      Whether our share with declarations is high enough.
    """
    crawled = list(pages(warc))
    good = True
    print(
        f"\n{len(crawled)} pages of {warc.name}\n\n| decoder | right | share | pages/s |\n|---|---|---|---|"
    )
    wrong: list[str] = []
    runs: dict[str, Callable[[bytes, str | None], str | None]] = {
        "ours": lambda body, sent: _text(body, sent, "html" in (sent or "")),
        "ours, nothing declared": lambda body, _: ours(body),
        "chardet": lambda body, _: chardet_alone(body),
    }
    for name, run in runs.items():
        start, right = time.process_time(), 0
        for url, charset, sent, body in crawled:
            text = run(body, sent)
            if text is not None and text == body.decode(charset, "replace").removeprefix("\ufeff"):
                right += 1
            elif name != "chardet":
                used = decode(body, sent if name == "ours" else None)
                wrong.append(f"{name}: {url} is {charset}, read as {used and used.used}")
        seconds = time.process_time() - start
        print(f"| {name} | {right} | {right / len(crawled):.4f} | {len(crawled) / seconds:.0f} |")
        good &= name != "ours" or right >= ENOUGH * len(crawled)
    print("\n".join(["", *wrong]))
    return good


def _text(body: bytes, sent: str | None, html: bool) -> str | None:
    decoded = decode(body, sent, html)
    return decoded and decoded.text


def misread(text: str, right: str, wrong: str) -> str:
    """Return a text with its bytes decoded as another charset.

    A byte without a character there becomes the same code point, as in browsers.
    """
    chars = [(bytes([b]).decode(wrong, "replace"), chr(b)) for b in text.encode(right)]
    return "".join(itself if char == "\ufffd" else char for char, itself in chars)


def repairs(folder: Path, number: int) -> bool:
    """Print the shares of misread texts that are repaired exactly.

    Returns:
      Whether no sound text was changed.
    """
    print(f"\n| misread | repaired, {SIZES} |\n|---|---|")
    for language, right, wrong in MISREAD:
        cells = []
        for size in SIZES:
            sized = texts(folder, language, right, size, number)
            broken = [(t, m) for t in sized if (m := misread(t, right, wrong)) != t]
            exactly = sum(repair(m)[0] == t for t, m in broken)
            cells.append(f"{exactly / max(len(broken), 1):.3f}")
        print(f"| {language} {right} read as {wrong} | {' '.join(cells)} |")
    good = []
    for path in sorted(folder.glob("*.txt")):
        lines = path.read_text("utf-8").splitlines()
        good += lines + [" ".join(lines[i : i + 10]) for i in range(0, len(lines), 10)]
    start = time.process_time()
    changed = sum(repair(text)[0] != text for text in good)
    rate = len(good) / (time.process_time() - start)
    print(f"\n{len(good)} good texts: {changed} changed, {rate:.0f} texts/s")
    return not changed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crawl", type=Path)
    parser.add_argument("--texts", type=int, default=150, help="the most texts per pair and size")
    args = parser.parse_args()
    good = table(args.folder, args.texts)
    good &= repairs(args.folder, args.texts)
    if args.crawl:
        good &= crawl(args.crawl)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
