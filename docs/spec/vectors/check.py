#!/usr/bin/env python3
"""Recomputes the test vectors in this folder from the specification, with the standard library only.

Shares no code with the Rust crates, so two readings of the specification agree where it says "ok". AES-256-GCM, Ed25519
and zstd are not in the standard library: their results are taken as given. Exits 1 on any difference.

To add a file: write a function that takes one case (a dict) and yields (what, expected, computed) for everything it
recomputes, and name it in CHECKS.
"""

import hashlib
import hmac
import json
import pathlib
import sys

DOMAIN = b"medring/1"
SUITE = b"\x01"


# ---- encoding.md ----------------------------------------------------------------------------------------------------

def lp(*parts):
    """LP framing of each part, one after the other."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def h(tag, *fields):
    """H(tag, fields…)."""
    return hashlib.sha256(lp(DOMAIN, tag.encode(), *fields)).digest()


def kdf(salt, secrets, label, fields, length, suite=SUITE):
    """KDF(salt; secrets…; label, fields…; length): HKDF-SHA-256 (RFC 5869), one expand."""
    key = hmac.digest(salt or bytes(32), lp(*secrets), "sha256")
    info = lp(DOMAIN, label.encode(), suite, *fields)
    out, block, i = b"", b"", 0
    while len(out) < length:
        i += 1
        block = hmac.digest(key, block + info + bytes([i]), "sha256")
        out += block
    return out[:length]


# ---- primitive.md ---------------------------------------------------------------------------------------------------

def arctan_inverse(x, unit):
    """unit · arctan(1/x), truncated."""
    power, total, odd, sign = unit // x, 0, 1, 1
    while power:
        total += sign * (power // odd)
        power //= x * x
        odd, sign = odd + 2, -sign
    return total


def prime():
    """p of suite T2-2048, from π by Machin's formula."""
    guard = 64
    unit = 1 << (1918 + guard)
    pi = (16 * arctan_inverse(5, unit) - 4 * arctan_inverse(239, unit)) >> guard
    return 2**2048 - 2**1984 + 2**64 * pi + 2727873829


P = prime()
assert hashlib.sha256(P.to_bytes(256, "big")).hexdigest() == (
    "5fe2c960e8aa9cb82121329ee11507633fd5def550013c6d1ce14a6b8145e87a")


def chebyshev(n, x):
    """T_n(x) mod p, by the addition formula T_{j+k} = 2·T_j·T_k − T_{j−k}, from the highest bit down."""
    now, following = 1, x % P
    for bit in bin(n)[2:]:
        cross = (2 * now * following - x) % P
        if bit == "1":
            now, following = cross, (2 * following * following - 1) % P
        else:
            now, following = (2 * now * now - 1) % P, cross
    return now


def is_square(a):
    """χ(a) = +1, by Euler's criterion."""
    return pow(a, (P - 1) // 2, P) == 1


def verdict(y):
    """What validation says of a public value."""
    if not 1 < y < P - 1:
        return "out of range"
    return "member" if is_square(2 * (y + 1)) and pow(2 * (y - 1), (P - 1) // 2, P) == P - 1 else "not in group"


def number(text):
    return int(text, 16)


def wide(value):
    return value.to_bytes(256, "big").hex()


def check_chebyshev(case):
    if case["kind"] == "t":
        yield "t", case["t"], wide(chebyshev(number(case["n"]), number(case["x"])))
    elif case["kind"] == "agree":
        a, b = number(case["a"]), number(case["b"])
        y_a, y_b = chebyshev(a, 4), chebyshev(b, 4)
        yield "y_a", case["y_a"], wide(y_a)
        yield "y_b", case["y_b"], wide(y_b)
        yield "z = T_a(y_b)", case["z"], wide(chebyshev(a, y_b))
        yield "z = T_b(y_a)", case["z"], wide(chebyshev(b, y_a))
    else:
        yield "verdict", case["verdict"], verdict(number(case["y"]))


def check_hash(case):
    yield "h", case["h"], h(case["tag"], *map(bytes.fromhex, case["fields"])).hex()


def check_kdf(case):
    salt = None if case["salt"] is None else bytes.fromhex(case["salt"])
    secrets, fields = (list(map(bytes.fromhex, case[name])) for name in ("secrets", "fields"))
    out = kdf(salt, secrets, case["label"], fields, case["length"], bytes([case["suite"]]))
    yield "out", case["out"], out.hex()


# ---- sealing.md -----------------------------------------------------------------------------------------------------

def check_seal(case):
    raw = {name: bytes.fromhex(value) for name, value in case.items()
           if isinstance(value, str) and name != "name"}
    chain, uploader, receiver, c = raw["chain"], raw["uploader"], raw["receiver"], raw["c"]
    kind = bytes([case["kind"]])

    yield "c", case["c"], h("commit", SUITE, raw["r"]).hex()
    yield "k_record", case["k_record"], kdf(None, [raw["r"]], "record key", [kind, uploader, c], 32).hex()
    for part in ("wrap", "body"):
        ad = lp(DOMAIN, part.encode(), SUITE, chain, kind, uploader, receiver, c, h("m", raw["public"]))
        yield f"ad_{part}", case[f"ad_{part}"], ad.hex()

    if receiver[0] == 2:
        keys = kdf(c, [raw["k_rec"]], "group seal", [chain, kind, uploader, receiver[1:]], 44)
        ephemeral = b""
    else:
        secret, e = number(case["recipient_secret"]), number(case["e"])
        y, ephemeral = raw["recipient_key"], raw["ephemeral"]
        yield "recipient_key", case["recipient_key"], wide(chebyshev(secret, 4))
        yield "ephemeral", case["ephemeral"], wide(chebyshev(e, 4))
        yield "z, by the sealer", case["z"], wide(chebyshev(e, number(y.hex())))
        yield "z, by the recipient", case["z"], wide(chebyshev(secret, number(ephemeral.hex())))
        keys = kdf(None, [raw["z"], ephemeral, y], "seal", [chain, kind, uploader, c], 60)
        yield "tag16", case["tag16"], keys[44:].hex()
        if receiver[0] == 1:
            yield "receiver", case["receiver"], "01" + keys[44:].hex()
    yield "k", case["k"], keys[:32].hex()
    yield "nonce", case["nonce"], keys[32:44].hex()

    yield "length of wrap", len(raw["wrap"]), 32 + 16
    yield "length of body", len(raw["body"]), len(raw["padded"]) + 16
    yield "s", case["s"], (SUITE + ephemeral + raw["wrap"] + raw["body"]).hex()

    padded = raw["padded"]
    length = int.from_bytes(padded[33:37], "big")
    needed, size = 37 + length, 1024
    while size < needed:
        size *= 2
    yield "padded length", len(padded), size
    yield "recipient inside", padded[:32].hex(), case["recipient"]
    yield "type inside", padded[32], case["plain_type"]
    yield "zstd's magic number", padded[37:41].hex(), "28b52ffd"
    yield "zeros", padded[needed:], bytes(size - needed)
    if case["plain_type"] == 2:  # LP(source list) ‖ LP(aggregate), 128 bytes for each source
        content = raw["content"]
        sources = int.from_bytes(content[:4], "big")
        aggregate = int.from_bytes(content[4 + sources:8 + sources], "big")
        yield "length of the source list modulo 128", 0, sources % 128
        yield "length of the aggregate", aggregate, len(content) - 8 - sources


# ---- one function for each file ---------------------------------------------------------------------------------------

CHECKS = {
    "chebyshev.json": check_chebyshev,
    "hash.json": check_hash,
    "kdf.json": check_kdf,
    "seal.json": check_seal,
}


def check_file(path, check):
    """Prints one line, and one for every difference; returns the number of differences."""
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    values = wrong = 0
    for i, case in enumerate(cases):
        for what, expected, computed in check(case):
            values += 1
            if expected != computed:
                wrong += 1
                print(f"{path.name}, case {i} ({case['name']}): {what}\n  file:     {expected}\n  computed: {computed}")
    print(f"{path.name}: {len(cases)} cases, {values} values, {wrong or 'no'} differences")
    return wrong + (not values)


def main():
    folder = pathlib.Path(__file__).resolve().parent
    wrong = 0
    for path in sorted(folder.glob("*.json")):
        if path.name in CHECKS:
            wrong += check_file(path, CHECKS[path.name])
        else:
            wrong += 1
            print(f"{path.name}: no check for it; add one to CHECKS")
    for name in sorted(set(CHECKS) - {path.name for path in folder.glob("*.json")}):
        wrong += 1
        print(f"{name}: missing")
    print("vectors: DIFFERENT" if wrong else "vectors: ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
