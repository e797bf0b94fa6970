#!/usr/bin/env python3
"""Recomputes the test vectors in this folder from the specification, with the standard library only.

Shares no code with the Rust crates, so two readings of the specification agree where it says "ok". AES-256-GCM and Ed25519
are in primitives.py, and used for the group's files; elsewhere their results, and zstd's everywhere, are taken as given.
Exits 1 on any difference.

To add a file: write a function that takes one case (a dict) and yields (what, expected, computed) for everything it
recomputes, and name it in CHECKS.
"""

import hashlib
import hmac
import json
import pathlib
import sys

sys.dont_write_bytecode = True  # leaves no folder of compiled files in the specification
from primitives import aes_256_gcm, ed25519_public, ed25519_sign

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


# ---- records.md and identities.md -------------------------------------------------------------------------------------

def u(value, size):
    """An unsigned integer of `size` bytes, big-endian."""
    return value.to_bytes(size, "big")


def variable(data):
    """A byte string of variable length in the codec."""
    return u(len(data), 8) + data


def unhex(case):
    """The text fields of a case as bytes, where they are hexadecimal."""
    out = {}
    for name, value in case.items():
        try:
            out[name] = bytes.fromhex(value)
        except (TypeError, ValueError):
            pass
    return out


def check_record(case):
    raw, kind = unhex(case), u(case["kind"], 1)
    stamp, expiry, scheme = u(case["stamp_ms"], 8), u(case["expiry_height"], 8), u(case["auth_scheme"], 1)
    record_id = h("content", SUITE, raw["chain"], kind, raw["uploader"], raw["receiver"], h("m", raw["public"]),
                  h("s", raw["sealed"]), raw["commitment"])
    yield "record_id", case["record_id"], record_id.hex()
    envelope = h("envelope", SUITE, record_id, raw["signature"], stamp, expiry)
    yield "envelope_hash", case["envelope_hash"], envelope.hex()
    wire_id = h("record", SUITE, record_id, raw["signature"], stamp, expiry, scheme, raw["proof"])
    yield "wire_id", case["wire_id"], wire_id.hex()
    receiver = u(raw["receiver"][0], 4) + raw["receiver"][1:]
    encoded = (kind + raw["uploader"] + receiver + raw["commitment"] + variable(raw["public"]) + variable(raw["sealed"])
               + raw["signature"] + stamp + expiry + scheme + variable(raw["proof"]))
    yield "encoded", case["encoded"], encoded.hex()


def check_enrol(case):
    raw = unhex(case)
    if case["type"] == "revoke":
        yield "payload", case["payload"], (raw["subject"] + u(case["invalid_from"], 8)).hex()
        return
    if case["type"] == "epoch-commit":
        yield "payload", case["payload"], (raw["gid"] + raw["transcript"] + raw["confirms"]).hex()
        return
    payload = u(len(case["entries"]), 8)
    ids = []
    for entry in case["entries"]:
        key, role = unhex(entry), u(entry["role"], 1)
        ids.append(h("id", SUITE, key["signing"], key["chebyshev"]).hex())
        yield "id", entry["id"], ids[-1]
        names = [h("key", SUITE, key[which]).hex() for which in ("signing", "chebyshev")]
        yield "key_hashes", entry["key_hashes"], names
        consent = h("enrol", SUITE, raw["chain"], key["signing"], key["chebyshev"], role)
        yield "subject_hash", entry["subject_hash"], consent.hex()
        payload += (key["signing"] + key["chebyshev"] + role + u(entry["valid_from"], 8) + u(entry["valid_until"], 8)
                    + key["subject_signature"])
    yield "order of entries", ids, sorted(set(ids))
    yield "payload", case["payload"], payload.hex()


# ---- blocks.md, genesis.md and pow.md -----------------------------------------------------------------------------------

def tree_hash(leaves):
    """RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def audit_path(leaves, index):
    """RFC 6962, section 2.1.1."""
    if len(leaves) < 2:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if index < k:
        return audit_path(leaves[:k], index) + [tree_hash(leaves[k:])]
    return audit_path(leaves[k:], index - k) + [tree_hash(leaves[:k])]


def records_root(leaves):
    return h("root", u(len(leaves), 4), tree_hash(leaves), bytes(32))


def check_merkle(case):
    leaves = list(map(bytes.fromhex, case["leaves"]))
    yield "tree_hash", case["tree_hash"], tree_hash(leaves).hex()
    yield "records_root", case["records_root"], records_root(leaves).hex()
    for i, proof in enumerate(case["proofs"]):
        path = [node.hex() for node in audit_path(leaves, i)]
        yield f"proof {i}", proof, {"index": i, "count": len(leaves), "path": path}


def decompress(compact):
    """The target of a compact form, or None if that is not the canonical form of a target."""
    size, mantissa = compact >> 24, compact & 0x7fffff
    value = mantissa << 8 * (size - 3) if size > 3 else mantissa >> 8 * (3 - size)
    canonical = not compact & 0x800000 and 0 < value < 1 << 256 and compress(value) == compact
    return value if canonical else None


def compress(value):
    """The canonical compact form of a target."""
    size = (value.bit_length() + 7) // 8
    mantissa = value << 8 * (3 - size) if size <= 3 else value >> 8 * (size - 3)
    if mantissa & 0x800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def work(target):
    return 2**256 // (target + 1)


def header(prev, root, version, target, height, time_ms, miner_tag, nonce):
    return prev + root + u(version, 4) + u(target, 4) + u(height, 8) + u(time_ms, 8) + miner_tag + u(nonce, 8)


def check_header(case):
    if case["type"] == "genesis":
        p, q = case["params"], case["params"]["quota_bytes"]
        target, limit = int(p["genesis_target"], 16), int(p["limit_target"], 16)
        numbers = [p["genesis_time_ms"], p["target_spacing_ms"], target, limit, int(p["retarget"]), p["future_limit_ms"],
                   p["stamp_granularity_ms"], p["stamp_window_ms"], p["expiry_window_heights"], q["authority"],
                   q["healthcare_center"], q["doctor"], q["patient"], p["confirmations"], p["pad_min_bytes"]]
        keys = [bytes.fromhex(keys[which]) for keys in p["authorities"] for which in ("signing", "chebyshev")]
        purpose = bytes([["production", "testnet", "demo"].index(p["purpose"])])
        chain = h("chain", SUITE, p["name"].encode(), purpose, *(u(n, 8) for n in numbers), *keys)
        yield "chain_id", case["chain_id"], chain.hex()
        data = header(chain, records_root([]), 0x4d520001, target, 0, p["genesis_time_ms"], bytes(16), 0)
        yield "header", case["header"], data.hex()
        yield "id", case["id"], hashlib.sha256(data).hexdigest()
    elif case["type"] == "header":
        raw, compact = unhex(case), int(case["target"], 16)
        data = header(raw["prev"], raw["records_root"], case["version"], compact, case["height"], case["time_ms"],
                      raw["miner_tag"], case["nonce"])
        digest, target = hashlib.sha256(data).digest(), decompress(compact)
        yield "bytes", case["bytes"], data.hex()
        yield "id", case["id"], digest.hex()
        yield "full_target", case["full_target"], u(target, 32).hex()
        yield "work", case["work"], str(work(target))
        yield "meets_target", case["meets_target"], int.from_bytes(digest, "big") <= target
    else:
        target = decompress(int(case["compact"], 16))
        yield "full", case["full"], target and u(target, 32).hex()
        yield "work", case["work"], target and str(work(target))


# ---- wire.md: compact blocks ----------------------------------------------------------------------------------------

def check_compact(case):
    header = bytes.fromhex(case["header"])
    block, sent = hashlib.sha256(header).digest(), {s["index"]: bytes.fromhex(s["record"]) for s in case["sent_along"]}
    ids = b"".join(h("short", block, bytes.fromhex(wire))[:case["id_bytes"]]
                   for place, wire in enumerate(case["wire_ids"]) if place not in sent)
    along = b"".join(index.to_bytes(2, "big") + record for index, record in sorted(sent.items()))
    computed = (header + bytes([case["id_bytes"]]) + len(ids).to_bytes(8, "big") + ids
                + len(sent).to_bytes(8, "big") + along)
    yield "bytes", case["bytes"], computed.hex()


def next_target(case, tip, schedule):
    """The target of the block after height `tip`."""
    if tip == 0 or not case["retarget"]:
        return int(case["genesis_target"], 16)
    tau = 72 * case["target_spacing_ms"]
    ahead = (schedule - case["target_spacing_ms"] * (tip - 1)) * 65536
    e = abs(ahead) // tau * (1 if ahead >= 0 else -1)
    n, f = e >> 16, e & 0xffff
    factor = 65536 + (195766423245049 * f + 971821376 * f**2 + 5127 * f**3 + 2**47 >> 48)
    target = decompress(int(case["genesis_target"], 16)) * factor
    target = (target << n if n >= 0 else target >> -n) >> 16
    return compress(min(max(target, 1), decompress(int(case["limit_target"], 16))))


def check_asert(case):
    stamps, schedule, computed = case["stamps_ms"], 0, []
    for tip, stamp in enumerate(stamps):
        if tip > 1:
            schedule += min(stamp - stamps[tip - 1], 72 * case["target_spacing_ms"])
        computed.append(f"{next_target(case, tip, schedule):#010x}")
    yield "targets", case["targets"], computed


# ---- groups.md ------------------------------------------------------------------------------------------------------

def counted(items):
    """u32 count, then LP of each item."""
    return len(items).to_bytes(4, "big") + lp(*items)


def check_group(case):
    """Participant ids, the GID and what the owner signs, from an epoch descriptor."""
    raw = bytes.fromhex
    roster = []
    for member in case["roster"]:
        keys = raw(member["signing"]), raw(member["chebyshev"])
        identity = h("id", SUITE, *keys)
        yield "id", member["id"], identity.hex()
        roster.append(identity + lp(raw(member["peer_id"])) + keys[0] + keys[1])
    fields = [
        SUITE, raw(case["chain"]), raw(case["group"]), case["epoch"].to_bytes(8, "big"), case["attempt"].to_bytes(4, "big"),
        raw(case["previous"]), raw(case["random"]),
        counted([bytes([change["kind"]]) + raw(change["who"]) for change in case["changes"]]),
        raw(case["owner"]), raw(case["uploader"]), counted([raw(i) for i in case["patient_ids"]]), counted(roster),
        counted([pair.to_bytes(2, "big") for pair in case["refresh"]]), case["deadline_height"].to_bytes(8, "big"),
    ]
    yield "gid", case["gid"], h("gid", *fields).hex()
    yield "signing_hash", case["signing_hash"], h("ed", *fields).hex()


def participant(case):
    """A participant's seed, secret number, both public keys and id, all but the first two recomputed."""
    seed, secret = bytes.fromhex(case["signing_seed"]), number(case["chebyshev_secret"])
    signing, public = ed25519_public(seed), bytes.fromhex(wide(chebyshev(secret, 4)))
    identity = h("id", SUITE, signing, public)
    differences = [(name, case[name], value.hex())
                   for name, value in (("signing", signing), ("chebyshev", public), ("id", identity))]
    return {"seed": seed, "secret": secret, "signing": signing, "chebyshev": public, "id": identity}, differences


def agreement(gid, pair, initiator, responder, r_i, r_j):
    """All three messages of a two-party agreement, and SK, H("ss", ss) and PH."""
    def t(n, x):
        return bytes.fromhex(wide(chebyshev(n, int.from_bytes(x, "big"))))

    y_i, y_j, id_i, id_j = initiator["chebyshev"], responder["chebyshev"], initiator["id"], responder["id"]
    e_i, e_j = t(r_i, b"\x04"), t(r_j, b"\x04")
    es, ss, ee, se = t(r_i, y_j), t(initiator["secret"], y_j), t(r_i, e_j), t(initiator["secret"], e_j)

    h0 = h("2pa", SUITE, gid, u(pair, 2), id_i, id_j, y_i, y_j)
    h1 = h("h1", SUITE, h0, e_i)
    keys = kdf(h1, [es], "c-i", [], 44)
    c_i = aes_256_gcm(keys[:32], keys[32:], id_i + id_j + e_i, h1)
    mac_1 = hmac.digest(kdf(h1, [es, ss], "mac-i", [], 32), h1 + c_i, "sha256")

    h2 = h("h2", SUITE, h1, c_i, mac_1, e_j)
    ck = kdf(h2, [es, ss, ee, se], "ck", [], 32)
    keys = kdf(h2, [ck], "c-r", [], 44)
    c_j = aes_256_gcm(keys[:32], keys[32:], id_j + id_i + e_j, h2)
    h3 = h("h3", SUITE, h2, c_j)
    mac_2 = hmac.digest(kdf(h2, [ck], "mac-r", [], 32), h3, "sha256")
    ack = hmac.digest(kdf(h2, [ck], "ack", [], 32), h3 + mac_2, "sha256")
    messages = {
        "m1": {"ephemeral": e_i, "sealed": c_i, "mac": mac_1},
        "m2": {"ephemeral": e_j, "sealed": c_j, "mac": mac_2,
               "signature": ed25519_sign(responder["seed"], h("2pa-r", SUITE, h3))},
        "m3": {"ack": ack, "signature": ed25519_sign(initiator["seed"], h("2pa-i", SUITE, h3))},
    }
    return messages, {"sk": kdf(h3, [ck], "pair", [], 32), "ss": h("ss", SUITE, ss), "ph": h3}


def compare(what, expected, computed):
    """The hexadecimal fields of an object with computed bytes."""
    for name, value in computed.items():
        yield f"{what} {name}", expected[name], value.hex()


def ratchet(gid, sk):
    return kdf(gid, [sk], "ratchet", [], 32)


def check_handshake(case):
    (initiator, wrong_i), (responder, wrong_j) = participant(case["initiator"]), participant(case["responder"])
    yield from wrong_i + wrong_j
    gid, r_i, r_j = bytes.fromhex(case["gid"]), number(case["r_i"]), number(case["r_j"])
    messages, pair = agreement(gid, case["pair"], initiator, responder, r_i, r_j)
    for name, fields in messages.items():
        yield from compare(name, case[name], fields)
    yield from compare("pair", case, pair)
    yield "ratcheted_sk", case["ratcheted_sk"], ratchet(bytes.fromhex(case["next_gid"]), pair["sk"]).hex()


def check_ring(case):
    members = {}
    for member in case["members"]:
        keys, wrong = participant(member)
        yield from wrong
        members[keys["id"]] = keys
    kept = {}
    for epoch in case["epochs"]:
        yield from check_group(epoch["ed"])
        ring = [members[bytes.fromhex(member["id"])] for member in epoch["ed"]["roster"]]
        owner = members[bytes.fromhex(epoch["ed"]["owner"])]
        signature = ed25519_sign(owner["seed"], bytes.fromhex(epoch["ed"]["signing_hash"]))
        yield "owner_signature", epoch["owner_signature"], signature.hex()
        gid = bytes.fromhex(epoch["ed"]["gid"])
        pairs = []
        yield from check_pairs(epoch, gid, ring, kept, pairs)
        kept = {(ring[i]["id"], ring[(i + 1) % len(ring)]["id"]): pair for i, pair in enumerate(pairs)}
        yield from check_epoch(epoch, gid, ring, pairs)


def check_pairs(epoch, gid, ring, kept, pairs):
    """Fills `pairs`: those of agreements, and the others ratcheted from the last epoch."""
    drawn = {entry["pair"]: entry for entry in epoch["secrets"]["drawn"]}
    recorded = {entry["pair"]: entry for entry in epoch["agreements"]}
    yield "pairs agreed", sorted(recorded), sorted(drawn)
    for i in range(len(ring) if len(ring) > 1 else 0):
        initiator, responder = ring[i], ring[(i + 1) % len(ring)]
        last = kept.get((initiator["id"], responder["id"]))
        if i in drawn:
            r_i, r_j = number(drawn[i]["r_i"]), number(drawn[i]["r_j"])
            messages, pair = agreement(gid, i, initiator, responder, r_i, r_j)
            for name, fields in messages.items():
                yield from compare(f"pair {i} {name}", recorded[i][name], fields)
            yield f"pair {i} is new or refreshed", True, last is None or i in epoch["ed"]["refresh"]
        else:
            pair = {**last, "sk": ratchet(gid, last["sk"])}
        yield from compare(f"pair {i}", epoch["secrets"]["pairs"][i], pair)
        pairs.append(pair)


def check_epoch(epoch, gid, ring, pairs):
    """From pairs to shares, keys, confirmations and the commit."""
    secrets, n = epoch["secrets"], len(ring)
    b = [kdf(gid, [pair["sk"], pair["ss"]], "B", [u(i, 2), ring[i]["id"], ring[(i + 1) % n]["id"]], 32)
         for i, pair in enumerate(pairs)]
    yield "b", secrets["b"], [value.hex() for value in b]
    shares = []
    for i in range(len(pairs)):
        x = bytes(p ^ q for p, q in zip(b[i - 1], b[i]))
        fields = gid, u(i, 2), x, pairs[i - 1]["ph"], pairs[i]["ph"]
        signature = ed25519_sign(ring[i]["seed"], h("x", SUITE, *fields))
        yield f"share {i}", epoch["shares"][i], {
            "index": i, "x": x.hex(), "pair_before": fields[3].hex(), "pair_after": fields[4].hex(),
            "signature": signature.hex()}
        shares.append(b"".join(fields))
    th = h("th", SUITE, gid, *shares)
    yield "transcript", epoch["transcript"], th.hex()

    gsk = kdf(th, b, "gsk", [], 32) if n > 1 else bytes.fromhex(secrets["gsk"])
    keys = kdf(th, [gsk], "keys", [], 128)
    names = {"gsk": gsk, "k_conf": keys[:32], "k_rec": keys[32:64], "k_idx": keys[64:96], "k_exp": keys[96:],
             "fingerprint": h("fp", SUITE, keys[96:])}
    yield from compare("secrets", secrets, names)
    macs = []
    for i, member in enumerate(ring):
        mac = hmac.digest(names["k_conf"], lp(SUITE, gid, u(i, 2), th), "sha256")
        signature = ed25519_sign(member["seed"], h("confirm", SUITE, gid, u(i, 2), th, mac))
        yield f"confirm {i}", epoch["confirms"][i], {"index": i, "mac": mac.hex(), "signature": signature.hex()}
        macs.append(mac)
    confirms = h("confirms", SUITE, *macs)
    yield from compare("commit", epoch["commit"], {"gid": gid, "transcript": th, "confirms": confirms})
    record = h("content", SUITE, bytes.fromhex(epoch["ed"]["chain"]), u(5, 1), bytes.fromhex(epoch["ed"]["uploader"]),
               b"\0", h("m", gid + th + confirms), h("s", b""), bytes(32))
    yield "commit_record", epoch["commit_record"], record.hex()


# ---- one function for each file ---------------------------------------------------------------------------------------

# ---- aggregate.md ---------------------------------------------------------------------------------------------------

def canonical(value):
    """RFC 8785, for text without unpaired surrogates."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(member)}" for name, member in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return ecma_number(float(value))
    return json.dumps(value, ensure_ascii=False)


def ecma_number(value):
    """A float as ECMAScript writes it: the shortest digits, an exponent below 1e-6 and from 1e21."""
    if value == 0:
        return "0"
    sign, text = ("-" if value < 0 else ""), repr(abs(value))
    digits, _, exponent = text.partition("e")
    whole, _, part = digits.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + part).lstrip("0")
    point -= len(whole + part) - len(digits)
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        return sign + (digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if digits[1:] else ''}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def uuid8(name):
    """The first 16 bytes of a hash as a UUID of version 8."""
    raw = bytearray(name[:16])
    raw[6], raw[8] = raw[6] & 0x0f | 0x80, raw[8] & 0x3f | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def blanked(value, find, found):
    """The value with each reference that `find` knows blanked, and noted in `found`."""
    if isinstance(value, list):
        return [blanked(element, find, found) for element in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name in sorted(value, key=str.encode):
        member = value[name]
        refers = isinstance(member, str) and (
            name == "reference" or name == "url" and member.startswith(("Binary/", "urn:uuid:")))
        target = find(member) if refers else None
        if target is None:
            out[name] = blanked(member, find, found)
        else:
            found.append(target)
            out[name] = ""
    return out


def said(resource, find):
    """What a resource says by itself, hashed, and what it refers to."""
    found = []
    value = blanked(resource, find, found)
    ids = (resource.get("id"), f"urn:uuid:{resource.get('id')}")
    value = {name: member for name, member in value.items() if name not in ("id", "meta", "text")}
    if resource.get("id") and isinstance(value.get("identifier"), list):
        value["identifier"] = [i for i in value["identifier"] if i.get("value") not in ids]
        if not value["identifier"]:
            del value["identifier"]
    return h("aggregate", b"said", canonical(value).encode()), found


def fingerprints(bundles):
    """The fingerprint of every (source, entry) after 16 rounds."""
    says = {}
    for s, bundle in enumerate(bundles):
        entries = bundle["entry"]
        patients = [i for i, e in enumerate(entries) if e["resource"]["resourceType"] == "Patient"]

        def find(reference, s=s, entries=entries, patients=patients):
            reference = reference.split("/_history/")[0]
            for i, entry in enumerate(entries):
                resource = entry["resource"]
                if reference in (entry.get("fullUrl"), f"{resource['resourceType']}/{resource.get('id')}"):
                    return "subject" if patients == [i] else (s, i)
            return "subject" if not patients and reference.startswith("Patient/") else None

        for i, entry in enumerate(entries):
            says[s, i] = said(entry["resource"], find)
    now = {place: own for place, (own, _) in says.items()}
    for _ in range(16):
        now = {place: h("aggregate", b"same", own, *(b"subject" if t == "subject" else now[t] for t in found))
               for place, (own, found) in says.items()}
    return now


def check_aggregate(case):
    name = h("aggregate", b"document", bytes.fromhex(case["patient"]), str(case["budget"]).encode(),
             *(bytes.fromhex(source["record"]) for source in case["sources"]))
    if "aggregate" not in case:
        # Only its hash is in the file: making the whole aggregate is the Rust code's part.
        yield "sha256 is one", 64, len(case["sha256"])
        return
    document = json.loads(case["aggregate"])
    yield "canonical JSON", case["aggregate"], canonical(document)
    yield "Bundle.identifier", document["identifier"]["value"], name.hex()
    entries = document["entry"]
    yield "the Composition's id", entries[0]["resource"]["id"], uuid8(name)
    prints = fingerprints([json.loads(source["bundle"]) for source in case["sources"]])
    merged = {}
    for (s, i), fingerprint in sorted(prints.items()):
        merged.setdefault(fingerprint, []).append(f"urn:medring:record:{case['sources'][s]['record']}#{i}")
    carried = entries[1:1 + len(merged)]
    for entry, (fingerprint, places) in zip(carried, merged.items()):
        meta = entry["resource"]["meta"]
        yield "id", entry["resource"]["id"], uuid8(fingerprint)
        yield "fullUrl", entry["fullUrl"], "urn:uuid:" + uuid8(fingerprint)
        yield "places", [meta["source"]] + [also["valueUri"] for also in meta.get("extension", [])], places
    made = [entry["resource"]["resourceType"] for entry in entries[1 + len(merged):]]
    yield "what follows", made, sorted(made, reverse=True)


CHECKS = {
    "aggregate.json": check_aggregate,
    "asert.json": check_asert,
    "chebyshev.json": check_chebyshev,
    "compact.json": check_compact,
    "enrol.json": check_enrol,
    "group.json": check_group,
    "handshake.json": check_handshake,
    "hash.json": check_hash,
    "header.json": check_header,
    "kdf.json": check_kdf,
    "merkle.json": check_merkle,
    "record.json": check_record,
    "ring.json": check_ring,
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
