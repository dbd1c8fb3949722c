"""Two test sessions never work on the same lab host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab import claims

CHECKOUT = Path(__file__).parents[2]
# Claims hosts, says so, and ends when its input does.
SESSION = """
import sys
from pathlib import Path
from tests.lab.claims import InUseError, claim
try:
    claim(Path(sys.argv[1]), sys.argv[2:])
    claim(Path(sys.argv[1]), sys.argv[2:])
except InUseError as error:
    sys.exit(str(error))
print("claimed", flush=True)
sys.stdin.read()
"""


def session(root: Path, *names: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", SESSION, str(root), *names]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=CHECKOUT)


def test_a_host_is_claimed_by_one_session_and_the_other_is_told_by_whom(tmp_path: Path) -> None:
    first = session(tmp_path, "db-1", "front-1")
    assert first.stdout is not None
    assert first.stdout.readline() == "claimed\n"
    second = session(tmp_path, "extra-1", "front-1")
    said = second.communicate(timeout=30)[1]
    assert second.returncode == 1
    assert f"lab host front-1 is in use by process {first.pid} since " in said
    assert session(tmp_path, "extra-1").communicate(timeout=30)[0] == "claimed\n"
    first.kill()
    first.communicate(timeout=30)
    assert session(tmp_path, "front-1", "db-1").communicate(timeout=30)[0] == "claimed\n"
    assert claims._HELD == {}
