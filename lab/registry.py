"""The lab's image registry: TLS by a CA of the lab's own, the official names and tags in it.

Hosts pull from registry.lab:5000 and trust the CA; the machine's engine pushes to a loopback address, for
which dockerd takes any certificate, so nothing is configured on the machine.
"""

from __future__ import annotations

import http.client
import ssl
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.process import run
from lab.spec import (
    KEY_LABEL,
    LABEL,
    NETWORK,
    REGISTRY_CONTAINER,
    REGISTRY_INTERNAL,
    REGISTRY_LOOPBACK,
    REGISTRY_NAME,
    REGISTRY_PORT,
)

if TYPE_CHECKING:
    from lab.images import Image
    from lab.paths import Home
    from lab.steps import Step

PUSH = f"{REGISTRY_LOOPBACK}:{REGISTRY_PORT}"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def ensure_ca(home: Home) -> None:
    """Make the CA and the registry's certificate at the first start."""
    certificate = home.tls / "registry.crt"
    if certificate.exists() and home.ca.exists():
        return
    home.tls.mkdir(exist_ok=True)
    key, request = home.tls / "registry.key", home.tls / "registry.csr"
    ca_key = home.root / "ca.key"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    uses = [
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]
    subject = ["-days", "3650", "-subj", "/CN=tempo-infra lab CA"]
    run(["openssl", "req", "-x509", *new, *subject, "-keyout", str(ca_key), "-out", str(home.ca), *uses])
    name = REGISTRY_NAME.partition(":")[0]
    run(["openssl", "req", *new, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)])
    extensions = home.tls / "extensions"
    names = f"DNS:{name},IP:{REGISTRY_INTERNAL},IP:{REGISTRY_LOOPBACK}"
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
    sign = ["-CA", str(home.ca), "-CAkey", str(ca_key), "-CAcreateserial", "-days", "3650"]
    run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            str(request),
            *sign,
            "-extfile",
            str(extensions),
            "-out",
            str(certificate),
        ]
    )


def ensure(home: Home, image: Image, step: Step) -> None:
    """Have the registry running from `image`, and answering."""
    state = run(
        [
            "docker",
            "inspect",
            "-f",
            f'{{{{.State.Running}}}} {{{{index .Config.Labels "{KEY_LABEL}"}}}}',
            REGISTRY_CONTAINER,
        ],
        check=False,
    )
    if state.stdout.split() != ["true", image.key]:
        step.working("starting")
        run(["docker", "rm", "-f", REGISTRY_CONTAINER], check=False)
        run(["docker", "run", "-d", *_options(home), "--label", f"{KEY_LABEL}={image.key}", image.tag])
    _wait(home)


def push(home: Home, image: Image, step: Step) -> None:
    """Put `image` into the registry under its official name, unless exactly that is there.

    A second tag holds the content key: when both name the same manifest, there is nothing to do.
    """
    repository, _, tag = image.official.partition(":")
    by_key = f"lab-{image.key}"
    there = manifest_digest(home, repository, by_key)
    if there and there == manifest_digest(home, repository, tag):
        return
    step.working(f"pushing {image.official}")
    for name in (tag, by_key):
        target = f"{PUSH}/{repository}:{name}"
        run(["docker", "tag", image.tag, target])
        run(["docker", "push", "-q", target], timeout=300)
        run(["docker", "rmi", target], check=False)


def manifest_digest(home: Home, repository: str, tag: str) -> str:
    """The digest of what the registry has under `repository:tag`; empty if nothing."""
    status, headers = _ask(home, "HEAD", f"/v2/{repository}/manifests/{tag}")
    return headers.get("Docker-Content-Digest", "") if status == HTTPStatus.OK else ""


def answers(home: Home) -> bool:
    """Whether the registry answers over TLS, with a certificate of the lab's CA."""
    try:
        return _ask(home, "GET", "/v2/")[0] == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def remove(*, images: bool) -> None:
    """Remove the registry, and what was pushed to it if `images`."""
    run(["docker", "rm", "-f", "-v", REGISTRY_CONTAINER], check=False)
    if images:
        run(["docker", "volume", "rm", "-f", REGISTRY_CONTAINER], check=False)


def _options(home: Home) -> list[str]:
    network = ["--network", NETWORK, "--ip", REGISTRY_INTERNAL, "-p", f"{PUSH}:{REGISTRY_PORT}"]
    volumes = ["-v", f"{home.tls}:/tls:ro", "-v", f"{REGISTRY_CONTAINER}:/var/lib/registry"]
    return [
        "--name",
        REGISTRY_CONTAINER,
        "--label",
        f"{LABEL}=1",
        "--restart",
        "unless-stopped",
        *network,
        *volumes,
    ]


def _ask(home: Home, method: str, path: str) -> tuple[int, dict[str, str]]:
    trusted = ssl.create_default_context(cafile=str(home.ca))
    connection = http.client.HTTPSConnection(REGISTRY_LOOPBACK, REGISTRY_PORT, context=trusted, timeout=5)
    try:
        connection.request(method, path, headers={"Accept": MANIFEST})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders())
    finally:
        connection.close()


def _wait(home: Home) -> None:
    end = time.monotonic() + 20
    while not answers(home):
        if time.monotonic() > end:
            log = run(["docker", "logs", "--tail", "10", REGISTRY_CONTAINER], check=False)
            raise LabError(f"the registry does not answer:\n{log.stdout}{log.stderr}")
        time.sleep(0.1)
