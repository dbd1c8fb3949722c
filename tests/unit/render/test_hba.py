"""pg_hba.conf: nobody comes in without a strong password, and no line keeps out who has to come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render.hba import Logins, check_lines, check_logins
from tempo_infra.render.parse import fields, places

TEMPLATE = Path("templates/services/postgresql/pg_hba.conf.j2")
OURS = """\
local all postgres peer
local temporal,temporal_visibility temporal_local peer map=tempo-infra
host temporal,temporal_visibility temporal,temporal_blue,temporal_green 10.0.0.11/32 scram-sha-256
host temporal,temporal_visibility temporal,temporal_blue,temporal_green 172.29.0.0/24 scram-sha-256
local all all reject
host all all 0.0.0.0/0 reject
host all all ::/0 reject
"""
CLIENTS = ("10.0.0.11/32", "172.29.0.0/24")


def judged(text: str, *, tls: bool = False) -> None:
    found = fields(text)
    check_lines(found, TEMPLATE)
    check_logins(found, places(text), TEMPLATE, Logins("temporal_blue", CLIENTS, tls=tls))


@pytest.mark.parametrize("method", ["trust", "md5", "password", "ident"])
def test_a_way_in_without_a_strong_password_is_refused(method: str) -> None:
    check_lines(fields(OURS), TEMPLATE)
    with pytest.raises(InputError, match=f"the method {method} is refused"):
        judged(f"{OURS}host all all 0.0.0.0/0 {method}\n")


SUPERUSER = "postgres, as which tempo-infra keeps the server,"
ASKS = "temporal_local, through which tempo-infra asks in Temporal's databases,"
HOSTS = "temporal_blue, as which Temporal logs in from 10.0.0.11/32,"
CONTAINERS = "temporal_blue, as which Temporal logs in from 172.29.0.0/24,"


@pytest.mark.parametrize(
    ("line", "who"),
    [
        *(
            (line, SUPERUSER)
            for line in (
                "local all postgres reject",
                "local postgres postgres reject",
                "local template1,postgres auditor,postgres reject",
                "local all all reject",
                "local all postgres scram-sha-256",  # it has no password
                "local all postgres peer map=other",
                "local sameuser all reject",
                "local samerole all reject",
                "local all +postgres reject",
            )
        ),
        *(
            (line, ASKS)
            for line in (
                "local all temporal_local reject",
                "local temporal_visibility temporal_local peer",
                "local all temporal_local peer map=other",
                "local temporal all peer",
                "local all +temporal reject",
                "local samerole temporal_local reject",
            )
        ),
        *(
            (line, HOSTS)
            for line in (
                "host all all all reject",
                "host all temporal_blue 10.0.0.0/8 reject",
                "host temporal_visibility all 10.0.0.11/32 reject",
                "hostnossl all all 0.0.0.0/0 reject",  # nothing of ours has TLS by itself
                "hostnogssenc all all all reject",
                "host all all samenet reject",  # nobody knows here
                "host all +temporal 10.0.0.8/29 reject",
                "host samerole all all reject",
                "host temporal all 10.0.0.11/32 scram-sha-256 clientcert=verify-full",
            )
        ),
        ("host all all 172.16.0.0/12 reject", CONTAINERS),
        ("host all all 172.29.0.64/26 reject", CONTAINERS),  # a part of them
    ],
)
def test_a_line_above_ours_that_keeps_a_login_of_ours_out_is_refused_with_its_place(
    line: str, who: str
) -> None:
    with pytest.raises(InputError) as caught:
        judged(f"# mine\n\n{line} # why\n{OURS}")
    assert str(caught.value.what) == (
        f"{TEMPLATE}: line 3 of what it renders: {line}: {who} is not let in: "
        "of the lines that fit, the first one decides"
    )
    judged(f"{OURS}{line}\n")  # below ours it is nobody's way


@pytest.mark.parametrize(
    "line",
    [
        "local all auditor reject",
        "local replication all reject",  # `all` is no word for it, and it is none for a database
        "local replication postgres reject",
        "local all +auditors reject",
        "local all postgres peer",
        "local temporal temporal reject",
        "local sameuser auditor reject",
        "host all all 10.1.0.0/16 reject",
        "host all all ::/0 reject",
        "host all postgres all reject",
        "host all all samehost scram-sha-256",
        "hostssl all all all reject",
        "hostgssenc all all all reject",
        "host all all 10.0.0.0/8 scram-sha-256",
        "host all temporal_green all reject",  # the login that is not in use
        "host all temporal,temporal_local 0.0.0.0/0 reject",
    ],
)
def test_a_line_above_ours_that_keeps_nobody_of_ours_out_is_none_of_our_business(line: str) -> None:
    judged(f"{line}\n{OURS}")


@pytest.mark.parametrize(
    ("without", "remedy"),
    [
        (0, "local postgres postgres peer"),
        (1, "local temporal temporal_local peer map=tempo-infra"),
        (2, "host temporal temporal_blue 10.0.0.11/32 scram-sha-256"),
        (3, "host temporal temporal_blue 172.29.0.0/24 scram-sha-256"),
    ],
)
def test_a_login_that_no_line_lets_in_is_refused_with_the_line_that_would(without: int, remedy: str) -> None:
    lines = OURS.splitlines()[:4]
    del lines[without]
    with pytest.raises(InputError, match="is not let in") as caught:
        judged("\n".join(lines))
    assert caught.value.remedy == f"a line for it: {remedy}"


@pytest.mark.parametrize("line", ["hostnossl all all all reject", "hostssl all all all cert clientname=CN"])
def test_who_has_an_own_template_for_the_servers_may_have_tls(line: str) -> None:
    behind = OURS.replace("host temporal", "hostssl temporal")
    judged(f"{line}\n{behind}", tls=True)
    with pytest.raises(InputError, match="temporal_blue, as which Temporal logs in"):
        judged(f"{line}\n{behind}")
    with pytest.raises(InputError, match="temporal_blue, as which Temporal logs in"):
        judged(f"host all all all reject\n{behind}", tls=True)
