"""Encrypts an SMS for a gateway of Sealpost. What comes out is the `payload` of a request.

The kind of the client's public key (the file that you were given) decides the version:
RSA is version 1, which every gateway reads. X25519 is version 2, in which nobody on the way
can alter the message, or put it into another request.
"""

import base64
import hashlib
import os
import struct

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey


def read_key(path):
    """Reads a public key: one line of base64, as `sealpost sms vault pubkey` prints it."""
    try:
        with open(path, encoding="ascii") as file:
            key = load_der_public_key(base64.b64decode(file.read().strip(), validate=True))
    except ValueError:
        raise SystemExit(f"{path} is not a public key: expected one line of base64, such as MIIBIjAN...")
    if not isinstance(key, (RSAPublicKey, X25519PublicKey)):
        raise SystemExit(f"{path}: an RSA or X25519 key is expected")
    return key


def seal(key, request, to, sender, text):
    """Gives the payload for `request`, of which `client-id`, `correl-id` and `deadline` are final."""
    if "\n" in to or "\n" in sender:
        raise SystemExit("recipient and sender are one line each")
    message = f"To: {to}\nSender: {sender}\n\n{text}".encode()
    version = seal_v1 if isinstance(key, RSAPublicKey) else seal_v2
    return base64.b64encode(version(key, request, message)).decode()


def seal_v1(key, _request, message):
    """RSA-OAEP around a fresh AES key; AES-256-CFB around the message."""
    aes_key = os.urandom(32)
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
    wrapped = key.encrypt(aes_key, oaep)
    pkcs7 = padding.PKCS7(128).padder()
    padded = pkcs7.update(message) + pkcs7.finalize()
    cipher = Cipher(algorithms.AES(aes_key), CFB(hashlib.md5(aes_key).digest())).encryptor()
    # 18 bits that say "version 1", then 14 with the length of the wrapped key.
    header = struct.pack(">I", 0x10D08000 | len(wrapped))
    return header + wrapped + cipher.update(padded) + cipher.finalize()


def seal_v2(key, request, message):
    """HPKE (RFC 9180), with the request as associated data."""
    binding = b""
    for field in ("client-id", "correl-id", "deadline"):
        octets = request[field].encode()
        binding += struct.pack(">I", len(octets)) + octets
    suite = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
    recipient = KEMKey.from_pyca_cryptography_key(key)
    enc, context = suite.create_sender_context(recipient, info=b"sealpost sms envelope v2")
    return b"\x10\xdd\x80" + enc + context.seal(message, aad=binding)
