"""AES-256-GCM (NIST SP 800-38D) and Ed25519 signing (RFC 8032), which Python's standard library lacks.

For checking vectors: neither fast nor constant in time, so never for real secrets. Run alone, it tests itself against
published vectors.
"""

import hashlib

# ---- AES-256 (FIPS 197) -----------------------------------------------------------------------------------------------


def times_x(a):
    """a · x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    return (a << 1) ^ (0x11b if a & 0x80 else 0)


def make_sbox():
    """The inverse in GF(2^8), by powers of the generator x + 1, then the affine map."""
    power, a = [], 1
    for _ in range(255):
        power.append(a)
        a ^= times_x(a)
    box = [0x63] * 256
    for exponent, value in enumerate(power):
        inverse = power[-exponent % 255]
        for shift in range(5):
            box[value] ^= (inverse << shift | inverse >> (8 - shift)) & 0xff
    return box


SBOX = make_sbox()


def round_keys(key):
    words = [key[i:i + 4] for i in range(0, 32, 4)]
    constant = 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = times_x(constant)
        elif i % 8 == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[-8])))
    return [b"".join(words[i:i + 4]) for i in range(0, 60, 4)]


def aes_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, key in enumerate(keys[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for column in range(0, 16, 4):
                c = state[column:column + 4]
                every = c[0] ^ c[1] ^ c[2] ^ c[3]
                mixed += [c[i] ^ every ^ times_x(c[i] ^ c[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


# ---- GCM --------------------------------------------------------------------------------------------------------------


def ghash_times(a, b):
    """a · b in GF(2^128) with GCM's order of bits."""
    product = 0
    for i in range(127, -1, -1):
        if a >> i & 1:
            product ^= b
        b = b >> 1 ^ (0xe1 << 120 if b & 1 else 0)
    return product


def aes_256_gcm(key, nonce, plain, ad):
    """Ciphertext ‖ tag, for a nonce of 12 bytes."""
    keys = round_keys(key)
    cipher = b""
    for i in range(0, len(plain), 16):
        stream = aes_block(keys, nonce + (i // 16 + 2).to_bytes(4, "big"))
        cipher += bytes(a ^ b for a, b in zip(plain[i:i + 16], stream))
    subkey, state = int.from_bytes(aes_block(keys, bytes(16)), "big"), 0
    lengths = (8 * len(ad)).to_bytes(8, "big") + (8 * len(cipher)).to_bytes(8, "big")
    data = ad + bytes(-len(ad) % 16) + cipher + bytes(-len(cipher) % 16) + lengths
    for i in range(0, len(data), 16):
        state = ghash_times(state ^ int.from_bytes(data[i:i + 16], "big"), subkey)
    mask = aes_block(keys, nonce + b"\0\0\0\1")
    return cipher + bytes(a ^ b for a, b in zip(state.to_bytes(16, "big"), mask))


# ---- Ed25519 ----------------------------------------------------------------------------------------------------------

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, FIELD) % FIELD


def base_point():
    y = 4 * pow(5, -1, FIELD) % FIELD
    square = (y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if (x * x - square) % FIELD:
        x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
    x = x if x % 2 == 0 else FIELD - x
    return x, y, 1, x * y % FIELD


BASE = base_point()


def add(p, q):
    """Sum of two points in extended coordinates."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % FIELD, g * h % FIELD, f * g % FIELD, e * h % FIELD


def times(n, p):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, p)
        p, n = add(p, p), n >> 1
    return total


def compress(p):
    inverse = pow(p[2], -1, FIELD)
    x, y = p[0] * inverse % FIELD, p[1] * inverse % FIELD
    return (y | (x & 1) << 255).to_bytes(32, "little")


def secret_scalar(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:]


def ed25519_public(seed):
    return compress(times(secret_scalar(seed)[0], BASE))


def ed25519_sign(seed, message):
    scalar, prefix = secret_scalar(seed)

    def reduced(*parts):
        return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER

    nonce = reduced(prefix, message)
    commitment = compress(times(nonce, BASE))
    challenge = reduced(commitment, compress(times(scalar, BASE)), message)
    return commitment + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")


def self_test():
    """FIPS 197 appendix C.3, GCM test cases 13, 14 and 16 of its specification, RFC 8032 section 7.1 test 2."""
    unhex = bytes.fromhex
    assert aes_block(round_keys(bytes(range(32))), unhex("00112233445566778899aabbccddeeff")) == unhex(
        "8ea2b7ca516745bfeafc49904b496089")
    assert aes_256_gcm(bytes(32), bytes(12), b"", b"") == unhex("530f8afbc74536b9a963b4f1c4cb738b")
    assert aes_256_gcm(bytes(32), bytes(12), bytes(16), b"") == unhex(
        "cea7403d4d606b6e074ec5d3baf39d18" "d0d1c8a799996bf0265b98b5d48ab919")
    key = unhex("feffe9928665731c6d6a8f9467308308") * 2
    plain = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    ad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = aes_256_gcm(key, unhex("cafebabefacedbaddecaf888"), plain, ad)
    assert sealed[-16:] == unhex("76fc6ece0f4e1768cddf8853bb2d551b")
    seed = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert ed25519_public(seed) == unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    assert ed25519_sign(seed, b"\x72") == unhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")


self_test()
