"""Makes the files beside it, with `cryptography` and `PyJWT` of PyPI: `python make.py`. Nobody keeps the keys.

`ca.pem` is an authority, `chain.pem` a certificate for a service provider with the one that issued it, `identity.txt` the
value of an Identity header that its owner has signed on 2026-11-21 at 05:41:55 UTC for a call of +15550199 to +15550100.
"""

import datetime
import pathlib

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

HERE = pathlib.Path(__file__).parent
SIGNED_AT = 1_795_239_715
WHERE = "https://certificates.example.com/provider.pem"
TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
PROVIDER = bytes.fromhex("3008a006160431323334")
BEGIN = datetime.datetime(2026, 1, 1)
END = datetime.datetime(2126, 1, 1)


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "US"), x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, ca, extensions=()):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def main():
    root_key, middle_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = certificate("Test STI-CA", root_key, "Test STI-CA", root_key, True)
    middle = certificate("Test STI-CA, issuing", middle_key, "Test STI-CA", root_key, True)
    scope = x509.UnrecognizedExtension(TN_AUTH_LIST, PROVIDER)
    provider = certificate("SHAKEN 1234", key, "Test STI-CA, issuing", middle_key, False, [scope])
    claims = {
        "attest": "A",
        "dest": {"tn": ["15550100"]},
        "iat": SIGNED_AT,
        "orig": {"tn": "15550199"},
        "origid": "123e4567-e89b-12d3-a456-426655440000",
    }
    headers = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": WHERE}
    token = jwt.encode(claims, key, algorithm="ES256", headers=headers)
    pem = [certificate.public_bytes(Encoding.PEM) for certificate in (root, provider, middle)]
    (HERE / "ca.pem").write_bytes(pem[0])
    (HERE / "chain.pem").write_bytes(pem[1] + pem[2])
    (HERE / "identity.txt").write_text(f"{token};info=<{WHERE}>;alg=ES256;ppt=shaken\n")


main()
