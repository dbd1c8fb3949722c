"""What is not negotiated: never by the built-in transport; by the system's ssh if ~/.ssh/config asks for it.

Ciphers in CBC mode (plaintext recovery: CVE-2008-5161), RC4, MACs and signatures of MD5 and SHA-1, key
exchanges that hash with SHA-1, DSA. Each OpenSSH since 6.7 (2014) has others.
The names are those of RFC 4253, 4419, 8332 and of `ssh -Q`; `*` stands for anything, as in ssh_config.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

CIPHERS = ("*-cbc*", "arcfour*")
MACS = ("*-md5*", "*-sha1*", "hmac-ripemd160*")
KEY_EXCHANGES = ("*-sha1*",)
SIGNATURES = ("ssh-rsa*", "ssh-dss*")  # RSA keys sign with SHA-2 under other names


def allowed(names: tuple[str, ...], never: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that no pattern matches, in their order."""
    return tuple(name for name in names if not any(fnmatchcase(name, one) for one in never))


def lines() -> list[str]:
    """Return the same as lines of ssh_config: taken away from what the program has by itself."""
    lists = {
        "Ciphers": CIPHERS,
        "MACs": MACS,
        "KexAlgorithms": KEY_EXCHANGES,
        "HostKeyAlgorithms": SIGNATURES,
        "PubkeyAcceptedAlgorithms": SIGNATURES,
    }
    return [f"{option} -{','.join(patterns)}" for option, patterns in lists.items()]
